"""Signals that pass between the workflows: something may wait for a person, and what became of a notice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from activities.interface import OUTCOME, POKE, POST, WEBHOOK, complaint_id, post_id, webhook_id
from rules.commands import Command
from rules.notices import Outcome
from rules.values import Value
from wire.labels import Label

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


async def poke_webhook(client: Client, task_queue: str, webhook: str, *, at_once: bool = False) -> None:
    """Poke what sends events to one subscription, as `poke` does a Post. Raises RPCError."""
    await client.start_workflow(
        WEBHOOK,
        webhook,
        id=webhook_id(webhook),
        task_queue=task_queue,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        start_signal=POKE,
        start_signal_args=[at_once],
        static_summary=Label(f"Events to webhook {webhook}"),
    )


async def command(client: Client, complaint: str, told: Command) -> None:
    """Tell a complaint, `contract/reference`, what somebody did; one that has ended takes nothing more.

    A signal: the complaint takes it once a worker runs, and puts on record why when it does not. Raises RPCError.
    """
    await _signal(client, complaint, told.name, told)


Whom = TypeVar("Whom", bound=Hashable)


class Joined(Generic[Whom]):
    """Pokes that share a way: while one is on it, all that come meanwhile are one more.

    When thousands of clocks end at one instant, one person would get a signal for each record, and one subscription
    too. A poke says no more than “look”, so one that leaves after the commit serves everybody who committed before it
    left.
    """

    def __init__(self, send: Callable[[Whom], Awaitable[None]]) -> None:
        self._send = send
        self._leaving: dict[Whom, asyncio.Task[None]] = {}
        self._under_way: dict[Whom, asyncio.Task[None]] = {}

    async def poke(self, whom: Whom) -> None:
        """Returns once a poke that left after this call has arrived. Raises what sending raises."""
        task = self._leaving.get(whom)
        if task is None:
            task = self._leaving[whom] = asyncio.create_task(self._next(whom, self._under_way.get(whom)))
        await asyncio.shield(task)

    async def _next(self, whom: Whom, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait({before})
        task = self._under_way[whom] = self._leaving.pop(whom)
        try:
            await self._send(whom)
        finally:
            if self._under_way.get(whom) is task:
                del self._under_way[whom]


async def report(client: Client, complaint: str, outcome: Outcome) -> None:
    """Tell a complaint, `contract/reference`, what became of a notice; one that has ended needs to know nothing.

    Raises RPCError.
    """
    await _signal(client, complaint, OUTCOME, outcome)


async def _signal(client: Client, complaint: str, name: str, value: Value) -> None:
    handle = client.get_workflow_handle(complaint_id(*complaint.split("/", 1)))
    try:
        await handle.signal(name, value)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
