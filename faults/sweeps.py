"""Re-plans by the calendar in the midst of everything: circulars that go to every open complaint of one contract."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RPCError

from activities.interface import circular_id
from faults.laws import SWEPT
from faults.pen import days_off
from rules.circular import Circular, letter
from rules.commands import Command, Replan
from rules.values import Actor
from wire.client import DATA_CONVERTER

AGAIN = 0.5
LAST_WITHIN = 60.0
"""Seconds in which the last circular is started, once everything runs again; one that is not has never ended."""
FIRST, ROUND = 3, 20
"""By its last day off each circular differs from the others and from what a story re-plans by itself."""


async def connect(address: str) -> Client:
    """A client of Temporal that says nothing while the server is away."""
    silent = Runtime(telemetry=TelemetryConfig(logging=None))
    return await Client.connect(address, data_converter=DATA_CONVERTER, runtime=silent)


def sweep(number: int, now: datetime) -> Circular:
    """The circular of this number. Every other one takes today off, which moves what is due in some hours."""
    days = [*([0] if number % 2 else []), FIRST + number % ROUND]
    body = {"years": days_off(now, *days), "text": "The calendar was changed."}
    return Circular(command=Replan.name, body=body, contract=SWEPT, by=Actor(role="handler.owner", person="p.ann"))


class Sweeps:
    """Sends a circular `every` so many seconds until it is told to finish, each until Temporal has taken it."""

    def __init__(self, temporal: str, task_queue: str, every: float) -> None:
        self._temporal, self._task_queue, self._every = temporal, task_queue, every
        self.letters: dict[str, Command] = {}
        """What each complaint is told, by its key."""
        self._client: Client | None = None
        self._finished = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def finish(self) -> None:
        """No further circular; returns once the last one has been started, or cannot be."""
        self._finished.set()
        if self._task is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._task, LAST_WITHIN)

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
        now = datetime.now(UTC)
        id_, circular = f"sweep-{number}", sweep(number, now)
        told = letter(circular, id_, now)
        self.letters[str(told.key)] = told
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
