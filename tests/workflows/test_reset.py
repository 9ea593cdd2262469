"""A reset from the Web UI: the ledger is the truth, and the run goes on from it."""

from __future__ import annotations

import uuid

import pytest
from temporalio.api.enums.v1 import EventType, ResetReapplyExcludeType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from tests.support.memory import Memory
from tests.support.wait import eventually
from tests.workflows.test_complaint import Handle, begin

UNHEARD = [
    ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL,
    ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE,
]


@pytest.mark.parametrize("reapply", [False, True])
async def test_after_a_reset_the_ledger_wins_and_nothing_is_overwritten(
    temporal_env: WorkflowEnvironment, queue: str, memory: Memory, *, reapply: bool
) -> None:
    """DESIGN: a record that meets another entry at its sequence stops, loads the ledger and goes on from there."""
    client, reference = temporal_env.client, f"R-{uuid.uuid4()}"
    handle = await begin(client, queue, reference=reference)
    for number in range(2):
        await handle.execute_update("note", {"text": f"Note {number}."})
    await handle.signal("note", {"text": "By signal."})
    await eventually(lambda: [e.type for e in memory.ledger[f"small/{reference}"]].count("noted") == 3)
    ledger = memory.ledger[f"small/{reference}"]
    before = list(ledger)
    await _reset_to_the_opening(client, handle, reapply=reapply)
    after = client.get_workflow_handle(handle.id)
    await after.execute_update("respond", {"text": "After the reset."})
    await eventually(lambda: any(entry.type == "responded" for entry in ledger))
    assert memory.loads == 1
    await after.execute_update("answer", {"text": "Done."})
    await after.execute_update("accept", {})
    result = await after.result()
    assert ledger[: len(before)] == before, "what stood in the ledger stands"
    assert [entry.seq for entry in ledger] == list(range(1, result["entries"] + 1))
    assert [entry.type for entry in ledger].count("noted") == 3
    assert ledger[-1].type == "closed"
    words = memory.texts[f"small/{reference}"]
    assert words[next(e.seq for e in ledger if e.type == "responded")] == {"text": "After the reset."}


async def _reset_to_the_opening(client: Client, handle: Handle, *, reapply: bool) -> None:
    events = [event async for event in handle.fetch_history_events()]
    first = next(e for e in events if e.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
    request = ResetWorkflowExecutionRequest(
        namespace=client.namespace,
        reason="a test",
        request_id=str(uuid.uuid4()),
        workflow_task_finish_event_id=first.event_id,
        reset_reapply_exclude_types=[] if reapply else UNHEARD,  # signals and updates, as if they had never come
    )
    request.workflow_execution.workflow_id = handle.id
    request.workflow_execution.run_id = handle.first_execution_run_id or ""
    await client.workflow_service.reset_workflow_execution(request)
