"""Tells the Post of a person that something may wait: starts it when it does not run, which is most of the time."""

from __future__ import annotations

from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDReusePolicy

from activities.interface import POKE, POST, post_id

FIRST = Priority(priority_key=1)
"""Among thousands of clocks that end at one instant, mail leaves before the next clock is judged."""


async def poke(client: Client, task_queue: str, person: str, *, urgent: bool = False) -> None:
    """Poke one Post. Once this returns it will look, whether or not a worker runs now. Raises RPCError."""
    await client.start_workflow(
        POST,
        person,
        id=post_id(person),
        task_queue=task_queue,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        start_signal=POKE,
        start_signal_args=[urgent],
        priority=FIRST,
        static_summary=f"Mail to {person}",
    )
