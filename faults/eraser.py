"""The eraser: has complaints erased in the midst of everything, as a person does it, and again until it is done."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from activities.interface import RETENTION, retention_id
from faults.judge import Finding
from faults.players import AGAIN, PATIENCE, Database
from faults.sweeps import connect

OMBUD = (sys.executable, "-c", "from starter.cli import main; main()")
ASKED = ("--by", "handler.manager/p.mia", "--reason", "as asked", "--yes")
BROKEN_OFF = 0.5
"""The part of the erasures that are killed once Postgres has them, when Temporal is still to forget."""
LOOK = 0.05
"""Seconds between two looks whether Postgres has it."""
AT_ONCE = 2
"""Processes at a time: each takes a second of a processor to begin."""
SWEEP_EVERY = 15.0
"""Seconds between two sweeps."""
LAST_WITHIN = 60.0
"""Seconds in which the last sweep ends, once everything runs again."""

UNREACHABLE = (RPCError, RuntimeError, OSError)
ERASED = "SELECT EXISTS (SELECT FROM ledger WHERE stream = 'privacy/' || $1 AND type = 'erased')"


@dataclass
class Eraser:
    """Erases by `ombud erase`, a process each, half of which are killed before they are done."""

    environment: Mapping[str, str]
    database: Database
    seed: int
    erased: list[str] = field(default_factory=list)
    """Complaints of which somebody was told that it is done."""
    broken_off: int = 0

    def __post_init__(self) -> None:
        self._random = Random(f"{self.seed}/erasures")
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._client: Client | None = None
        self._sweeping: asyncio.Task[None] | None = None

    async def erase(self, complaint: str) -> str:
        """Erase one complaint; what is wrong when that is never done."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        breaks_off = self._random.random() < BROKEN_OFF
        while True:
            async with self._turn:
                said = await self._ask(complaint, breaks_off=breaks_off)
            breaks_off = False
            if said is None:
                self.erased.append(complaint)
                return ""
            if asyncio.get_running_loop().time() > deadline:
                return f"its erasure was not done within {PATIENCE:g} seconds: {said}"
            await asyncio.sleep(AGAIN)

    async def _ask(self, complaint: str, *, breaks_off: bool) -> str | None:
        """What the command says when it fails; nothing when it is done."""
        child = await asyncio.create_subprocess_exec(
            *OMBUD,
            *("erase", complaint, *ASKED),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **self.environment},
        )
        killer = asyncio.create_task(self._break_off(complaint, child)) if breaks_off else None
        try:
            _, said = await child.communicate()
        finally:
            if killer is not None:
                killer.cancel()
            if child.returncode is None:
                child.kill()
        return None if child.returncode == 0 else said.decode(errors="replace").strip() or f"exit {child.returncode}"

    async def _break_off(self, complaint: str, child: asyncio.subprocess.Process) -> None:
        while not await self.database.ask(ERASED, complaint):  # noqa: ASYNC110  Postgres sets no event
            await asyncio.sleep(LOOK)
        with suppress(ProcessLookupError):
            child.kill()
            self.broken_off += 1

    def start(self) -> None:
        """Sweep from time to time: what was erased while it was open is forgotten once it is closed."""
        self._sweeping = asyncio.create_task(self._sweep_on())

    async def finish(self) -> list[Finding]:
        """One last sweep, of all that is erased."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
        try:
            async with asyncio.timeout(LAST_WITHIN):
                for name in ("storm", "last"):  # one that runs may have passed by what was erased since
                    await self._swept(name)
        except TimeoutError:
            return [Finding("the erasures", f"the last sweep did not end within {LAST_WITHIN:g} seconds")]
        return [] if self.erased else [Finding("the erasures", "nothing was erased")]

    async def _sweep_on(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            with suppress(*UNREACHABLE):
                await self._sweep("storm")

    async def _swept(self, name: str) -> None:
        while True:
            try:
                await (await self._sweep(name)).result()
            except UNREACHABLE:
                await asyncio.sleep(AGAIN)
            else:
                return

    async def _sweep(self, name: str) -> WorkflowHandle[Any, Any]:
        if self._client is None:
            self._client = await connect(self.environment["TEMPORAL_ADDRESS"])
        queue = self.environment["OMBUD_TASK_QUEUE"]
        return await self._client.start_workflow(
            RETENTION,
            id=f"{retention_id(queue)}/{name}",
            task_queue=queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
