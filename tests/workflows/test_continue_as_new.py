"""A long complaint continues as new, and nothing is lost between the runs."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from activities.answering import answered
from rules.commands import Note
from starter.client import Ombud
from tests.support.memory import Memory
from tests.support.temporal import start_real
from tests.support.wait import eventually
from tests.workflows.test_complaint import begin
from workflows.search_attributes import ALL


@pytest.fixture(scope="module")
async def forgetful_env() -> AsyncIterator[WorkflowEnvironment]:
    """A server that suggests a new run after 60 events instead of 4,096."""
    async with await start_real(list(ALL), {"limit.historyCount.suggestContinueAsNew": 60}) as env:
        yield env


async def answer(handle: WorkflowHandle[Any, Any], command: str, body: Any, id_: str) -> Any:
    """The answer of an update, as the client gets it."""
    return await answered(lambda: handle.execute_update(command, body, id=id_, result_type=dict))


@pytest.mark.parametrize("neighbour", ["there", "away", "slow"])
async def test_a_long_complaint_continues_as_new_and_loses_nothing(
    forgetful_env: WorkflowEnvironment, neighbour: str
) -> None:
    """Commands, keys and entries not yet recorded are carried over, also while the database is away or slow."""
    memory = Memory()
    memory.slow = neighbour == "slow"
    queue, reference = f"q-{uuid.uuid4()}", f"R-{uuid.uuid4()}"
    client = forgetful_env.client
    async with memory.serving(client, queue):
        handle = await begin(client, queue, reference=reference)
        latest = client.get_workflow_handle(handle.id)
        first = {"text": "First.", "key": "first"}
        await answer(latest, "note", first, "desk-1")
        named = await answer(latest, "note", {"text": "Named."}, "desk-2")
        memory.away = neighbour == "away"
        ombud = Ombud(client, task_queue=queue)
        for number in range(25):
            await ombud.tell(f"small/{reference}", Note(text=f"Note {number}."))
            await latest.signal("note", {"text": f"Signal {number}."})
        await eventually(lambda: _continued(client, handle.id))
        again = await answer(latest, "note", first, "desk-3")
        assert again["seq"] == 3, "a key holds over runs"
        assert await answer(latest, "note", {"text": "Named."}, "desk-2") == named, "an update's id is a key"
        memory.away = False
        await answer(latest, "answer", {"text": "Done."}, "desk-4")
        await answer(latest, "accept", {}, "desk-5")
        await asyncio.wait_for(latest.result(), 60)
    entries = memory.ledger[f"small/{reference}"]
    assert [e.seq for e in entries] == list(range(1, len(entries) + 1))
    assert [e.type for e in entries].count("noted") == 52
    assert len(memory.texts[f"small/{reference}"]) == 54


async def _continued(client: Client, workflow_id: str) -> bool:
    query = f"WorkflowId = '{workflow_id}' AND ExecutionStatus = 'ContinuedAsNew'"
    return (await client.count_workflows(query)).count > 0
