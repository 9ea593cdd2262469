"""Signals that pass between the workflows: something may wait for a person, and what became of a notice."""

from __future__ import annotations

from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from activities.interface import OUTCOME, POKE, POST, complaint_id, post_id
from labels import Label
from rules.notices import Outcome

FIRST = Priority(priority_key=1)
"""Among thousands of clocks that end at one instant, mail leaves before the next clock is judged."""


async def poke(client: Client, task_queue: str, person: str, *, urgent: bool = False) -> None:
    """Poke one Post, and start it when it does not run, which is most of the time. Raises RPCError.

    Once this returns it will look, whether or not a worker runs now.
    """
    await client.start_workflow(
        POST,
        person,
        id=post_id(person),
        task_queue=task_queue,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        start_signal=POKE,
        start_signal_args=[urgent],
        priority=FIRST,
        static_summary=Label(f"Mail to {person}"),
    )


async def report(client: Client, complaint: str, outcome: Outcome) -> None:
    """Tell a complaint, `contract/reference`, what became of a notice; one that has ended needs to know nothing.

    Raises RPCError.
    """
    handle = client.get_workflow_handle(complaint_id(*complaint.split("/", 1)))
    try:
        await handle.signal(OUTCOME, outcome)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
