"""A complaint starts once and takes each command once, however often and however late they are sent again."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client, WorkflowFailureError
from temporalio.service import RPCError, RPCStatusCode

from rules.commands import Accept, Answer
from starter.client import Ombud
from tests.starter.conftest import opening
from tests.support.system import System
from tests.support.wait import eventually


async def test_many_starts_at_once_are_one_complaint(system: System) -> None:
    """Invariant 17: of eight senders of one start one opens it, all learn the same run, and one opening is recorded."""
    ombud = Ombud(system.client, system.engine, task_queue=system.settings.task_queue)
    start = opening(kind="enquiry", category="usage", level="1")
    opened = await asyncio.gather(*(ombud.open(start) for _ in range(8)))
    assert sorted(one.new for one in opened) == [False] * 7 + [True]
    assert len({one.run_id for one in opened}) == 1
    await ombud.tell(opened[0].complaint, Answer(text="Yes."))
    await ombud.tell(opened[0].complaint, Accept())
    await system.client.get_workflow_handle(opened[0].workflow_id).result()
    assert len(await system.rows("SELECT 1 FROM ledger WHERE type = 'opened'")) == 1


async def test_postgres_remembers_what_temporal_has_forgotten(system: System) -> None:
    """Invariants 16, 17: the workflow gone, the start is a duplicate or a conflict and a key has its old answer."""
    reference = f"R-{uuid.uuid4().hex[:12]}"
    fields = {"level": "1", "category": "usage", "received_at": datetime.now(UTC)}
    ombud = Ombud(system.client, system.engine, task_queue=system.settings.task_queue)
    handle = await system.open("maintenance-service", reference, **fields)
    told = await ombud.tell(f"maintenance-service/{reference}", Answer(text="Yes."), key="k1")
    await ombud.tell(f"maintenance-service/{reference}", Accept())
    await handle.result()
    before = await _counts(system)
    await _forget(system.client, handle.id)
    again = await system.open("maintenance-service", reference, **fields)
    assert (await again.result())["duplicate"] is True
    other = await system.open("maintenance-service", reference, **fields, content="Something else.")
    with pytest.raises(WorkflowFailureError) as failed:
        await other.result()
    assert "other content" in str(failed.value.cause)
    assert await ombud.tell(f"maintenance-service/{reference}", Answer(text="Yes."), key="k1") == told
    assert await _counts(system) == before


async def _counts(system: System) -> list[dict[str, Any]]:
    """How many rows there are of everything a second complaint would add to."""
    tables = ("ledger", "complaints", "clocks", "notices", "messages", "registry")
    return await system.rows("SELECT " + ", ".join(f"(SELECT count(*) FROM {t}) AS {t}" for t in tables))


async def _forget(client: Client, workflow_id: str) -> None:
    """Delete what Temporal knows, as the end of its retention would."""
    request = DeleteWorkflowExecutionRequest(
        namespace=client.namespace, workflow_execution=WorkflowExecution(workflow_id=workflow_id)
    )

    async def gone() -> bool:
        try:  # asked again until it is done: the server takes its time
            await client.workflow_service.delete_workflow_execution(request)
            await client.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            return error.status is RPCStatusCode.NOT_FOUND
        return False

    await eventually(gone, 90)
