"""An answer comes before the record, unless the ledger may hold what a run that died has left there."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.api.workflowservice.v1 import PollWorkflowExecutionUpdateRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from rules.ledger import Entry
from rules.values import Actor
from tests.support.memory import Memory
from tests.support.wait import eventually
from tests.workflows.test_complaint import Handle, begin


@asynccontextmanager
async def working(client: Client, queue: str, memory: Memory) -> AsyncIterator[None]:
    async with memory.serving(client, queue):
        yield


async def opened(client: Client, queue: str, memory: Memory) -> tuple[Handle, list[Entry]]:
    """A complaint, and its ledger once a note stands there."""
    reference = f"R-{uuid.uuid4()}"
    handle = await begin(client, queue, reference=reference)
    await handle.execute_update("note", {"text": "First."})
    ledger = memory.ledger[f"small/{reference}"]
    await eventually(lambda: ledger[-1].type == "noted")
    return handle, ledger


def left_behind(ledger: list[Entry], kind: str = "noted") -> None:
    """What a run recorded of a message that its workflow task did not live to remember."""
    now = datetime.now(UTC)
    said = {"command": "note", "acts": ["note"]} if kind == "noted" else {"reason": "close", "agreement": True}
    ledger.append(
        Entry(
            seq=len(ledger) + 1,
            type=kind,
            by=Actor(role="handler"),
            occurred_at=now,
            recorded_at=now,
            key=f"lost-{kind}",
            digest="0" * 64,
            data=said,
        )
    )


async def told_in_one_task(client: Client, queue: str, memory: Memory, left: str) -> tuple[Handle, list[Entry], Any]:
    """A command that comes to a worker with a signal, of which a run that died had recorded something; its answer."""
    async with working(client, queue, memory):
        handle, ledger = await opened(client, queue, memory)
    await handle.signal("note", {"text": "By signal.", "key": "signal"})
    left_behind(ledger, left)
    answer = asyncio.create_task(handle.execute_update("respond", {"text": "We look into it.", "key": "k"}, id="one"))
    await eventually(lambda: admitted(client, handle, "one"))
    return handle, ledger, answer


async def admitted(client: Client, handle: Handle, update: str) -> bool:
    """Whether an update waits at the server for a worker."""
    request = PollWorkflowExecutionUpdateRequest(namespace=client.namespace)
    request.update_ref.workflow_execution.workflow_id = handle.id
    request.update_ref.update_id = update
    try:
        await client.workflow_service.poll_workflow_execution_update(request)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return False
    return True


async def test_an_answer_names_where_the_entry_stands(temporal_env: WorkflowEnvironment, memory: Memory) -> None:
    """Another entry stands where this one was decided to stand: the answer, and the answer to the same key, agree."""
    client, queue = temporal_env.client, f"q-{uuid.uuid4()}"
    handle, ledger, answer = await told_in_one_task(client, queue, memory, "noted")
    async with working(client, queue, memory):
        taken = await answer
        assert ledger[taken["seq"] - 1].key == "k"
        again = await handle.execute_update("respond", {"text": "We look into it.", "key": "k"}, id="other")
        assert again == {**taken, "opens": None}
    assert memory.loads == 1


async def test_what_the_ledger_refuses_is_not_answered_as_taken(
    temporal_env: WorkflowEnvironment, memory: Memory
) -> None:
    """The ledger was closed by a run that died: whoever tells something more hears that, and not a number."""
    client, queue = temporal_env.client, f"q-{uuid.uuid4()}"
    handle, ledger, answer = await told_in_one_task(client, queue, memory, "closed")
    async with working(client, queue, memory):
        with pytest.raises(Exception, match="Workflow update failed") as caught:
            await answer
        assert "closed already" in str(caught.value.__cause__)
        await handle.result()
    assert [e.data["command"] for e in ledger if e.type == "refused"] == ["respond"]


async def test_an_answer_does_not_wait_for_its_record(
    temporal_env: WorkflowEnvironment, queue: str, memory: Memory
) -> None:
    """Postgres takes its time: whoever sends a command has the answer meanwhile, and the record follows."""
    handle, ledger = await opened(temporal_env.client, queue, memory)
    before = len(ledger)
    memory.open_again.clear()
    numbers = [(await handle.execute_update("note", {"text": f"{n}."}))["seq"] for n in range(3)]
    assert numbers == [before + 1, before + 2, before + 3]
    assert len(ledger) == before
    memory.open_again.set()
    await eventually(lambda: [entry.seq for entry in ledger[before:]] == numbers)


async def test_where_the_ledger_knows_more_a_later_answer_is_right(
    temporal_env: WorkflowEnvironment, queue: str, memory: Memory
) -> None:
    """Temporal was set back, so the first answer names the place that was free there: the act stands behind what the
    ledger holds, and the same key is answered with that."""
    handle, ledger = await opened(temporal_env.client, queue, memory)
    left_behind(ledger)
    taken = await handle.execute_update("respond", {"text": "We look into it.", "key": "k"}, id="one")
    await eventually(lambda: any(entry.key == "k" for entry in ledger))
    again = await handle.execute_update("respond", {"text": "We look into it.", "key": "k"}, id="other")
    assert ledger[again["seq"] - 1].key == "k"
    assert again["seq"] > taken["seq"]


async def test_nobody_waits_for_a_database_that_is_away(
    temporal_env: WorkflowEnvironment, queue: str, memory: Memory
) -> None:
    """In an outage commands are answered by what was decided; nothing of it is recorded yet."""
    handle, ledger = await opened(temporal_env.client, queue, memory)
    before = len(ledger)
    memory.away = True
    numbers = [(await handle.execute_update("note", {"text": f"{n}."}))["seq"] for n in range(3)]
    assert numbers == [before + 1, before + 2, before + 3]
    assert len(ledger) == before
    memory.away = False
    await eventually(lambda: len(ledger) == before + 3)
