"""The workflows that carry mails, events and circulars: whether one works, and how to replace one that cannot.

They hold nothing that Postgres has not, so one whose tasks fail for ever is ended, and another goes on in its place.
"""

from __future__ import annotations

from typing import NamedTuple

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from starter.reconcile.tails import tail

ONCE_MORE = 2
"""The attempt of a workflow task that failed and is done again; it may only have been unlucky. The next begins ten
seconds later."""


class Carrier(NamedTuple):
    """How one stands."""

    status: WorkflowExecutionStatus | None
    """Nothing where Temporal knows nothing of it."""
    run_id: str = ""
    failing: str = ""
    """What its workflow tasks fail with, again and again; empty while they do not."""

    @property
    def works(self) -> bool:
        """Whether it carries what there is."""
        return self.status is WorkflowExecutionStatus.RUNNING and not self.failing

    @property
    def said(self) -> str:
        """What is wrong with it, to follow what waits."""
        return f"; its workflow cannot go on: {self.failing}" if self.failing else ""


async def carrier(client: Client, workflow_id: str) -> Carrier:
    """The one with this id. Raises RPCError."""
    try:
        described = await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return Carrier(None)
    if described.raw_description.pending_workflow_task.attempt <= ONCE_MORE:
        return Carrier(described.status, described.run_id)
    end = await tail(client, workflow_id)
    return Carrier(described.status, described.run_id, end.failing.partition("\n")[0])


async def replace(client: Client, workflow_id: str, found: Carrier) -> str:
    """End one that cannot go on, before another is started; what was done, to follow. Raises RPCError."""
    if not found.failing:
        return ""
    try:
        handle = client.get_workflow_handle(workflow_id, run_id=found.run_id)
        await handle.terminate(reason=f"It could not go on and another takes its place: {found.failing}")
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise  # it ended meanwhile
    return "the one that could not go on was ended, and "
