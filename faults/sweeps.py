"""Circulars in the midst of everything: re-plans by the calendar, which go to every open complaint of one contract, and
what is said about an incident, which goes to those that report it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from temporalio.client import Client, WorkflowFailureError
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RPCError

from activities.interface import circular_id
from faults.laws import OUTAGE, SWEPT
from faults.pen import days_off
from rules.circular import Circular
from rules.commands import Replan
from rules.values import Actor
from wire.client import DATA_CONVERTER

AGAIN = 0.5
LAST_WITHIN = 60.0
"""Seconds in which the last circular ends, once everything runs again; one that does not has never ended."""
FIRST, ROUND = 3, 20
"""By its last day off each circular differs from the others and from what a story re-plans by itself."""

TOLD = "note"
"""What is said about the incident. It is dated when it was sent and moves no clock, so that the fault-free run of a
story may be told it at the time of the acts around it."""
SENDER = Actor(role="handler.owner", person="p.ann")


async def connect(address: str) -> Client:
    """A client of Temporal that says nothing while the server is away."""
    silent = Runtime(telemetry=TelemetryConfig(logging=None))
    return await Client.connect(address, data_converter=DATA_CONVERTER, runtime=silent)


def sweep(number: int, now: datetime) -> Circular:
    """The circular of this number: every third about the incident. Of the others every other one takes today off, which
    moves what is due in some hours."""
    if number % 3 == 0:
        return Circular(command=TOLD, body={"text": "It is being repaired."}, incident=OUTAGE, by=SENDER)
    days = [*([0] if number % 2 else []), FIRST + number % ROUND]
    body = {"years": days_off(now, *days), "text": "The calendar was changed."}
    return Circular(command=Replan.name, body=body, contract=SWEPT, by=SENDER)


class Sweeps:
    """Sends a circular `every` so many seconds until it is told to finish, each until Temporal has taken it."""

    def __init__(self, temporal: str, task_queue: str, every: float) -> None:
        self._temporal, self._task_queue, self._every = temporal, task_queue, every
        self.sent: dict[str, Circular] = {}
        """All circulars, by their ids."""
        self._client: Client | None = None
        self._finished = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def finish(self) -> None:
        """No further circular; returns once the last one has ended, or does not. So long somebody must report the
        incident that it may be about."""
        self._finished.set()
        with suppress(TimeoutError, WorkflowFailureError):
            async with asyncio.timeout(LAST_WITHIN):
                if self._task is not None:
                    await self._task
                if self._client is not None and self.sent:
                    await self._client.get_workflow_handle(circular_id(list(self.sent)[-1])).result()

    async def _run(self) -> None:
        number = 0
        while not self._finished.is_set():
            try:
                await asyncio.wait_for(self._finished.wait(), self._every)
            except TimeoutError:
                number += 1
                await self._send(number)

    async def _send(self, number: int) -> None:
        """One circular, started once however often it takes."""
        id_, circular = f"sweep-{number}", sweep(number, datetime.now(UTC))
        self.sent[id_] = circular
        while True:
            try:
                await self._start(circular, circular_id(id_))
            except WorkflowAlreadyStartedError:
                pass
            except (RPCError, RuntimeError, OSError):
                await asyncio.sleep(AGAIN)
                continue
            return

    async def _start(self, circular: Circular, workflow_id: str) -> None:
        if self._client is None:
            self._client = await connect(self._temporal)
        await self._client.start_workflow(
            "Circular",
            circular.model_dump(mode="json", exclude_none=True),
            id=workflow_id,
            task_queue=self._task_queue,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            rpc_timeout=timedelta(seconds=5),
        )
