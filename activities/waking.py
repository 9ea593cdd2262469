"""Commands to a complaint that may be over: one that runs is told, one that has ended is run again from its ledger."""

from __future__ import annotations

from typing import Any

from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from activities.answering import answered
from activities.interface import Revival, complaint_id
from wire.labels import Label

STARTED = Label("goes on from its ledger")


async def update(client: Client, task_queue: str, complaint: str, command: str, body: Any, id_: str) -> dict[str, Any]:
    """The answer to a command. Raises WorkflowUpdateFailedError when it is refused, RPCError."""

    async def ask() -> Any:
        start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
            "Complaint",
            Revival(revive=complaint),
            id=complaint_id(*complaint.split("/", 1)),
            task_queue=task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=STARTED,
        )
        return await client.execute_update_with_start_workflow(
            command, body, start_workflow_operation=start, id=id_, result_type=dict
        )

    answer: dict[str, Any] = await answered(ask)
    return answer


async def signal(client: Client, task_queue: str, complaint: str, command: str, body: Any) -> None:
    """Leave a command with it, durable at once. Raises RPCError."""
    await client.start_workflow(
        "Complaint",
        Revival(revive=complaint),
        id=complaint_id(*complaint.split("/", 1)),
        task_queue=task_queue,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        start_signal=command,
        start_signal_args=[body],
        static_summary=STARTED,
    )
