"""The neighbours of a complaint in memory: same activity names, an outage at the turn of a switch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.interface import (
    LOAD,
    OPEN,
    RECORD,
    REJECT,
    Batch,
    Ledger,
    Opened,
    Opening,
    Recorded,
    Registered,
    Rejected,
    Stream,
)
from rules.decide import open_complaint
from rules.law import law_of
from rules.ledger import Entry, Refused
from tests.support.story import SMALL
from workflows.complaint import Complaint
from workflows.runner import in_one_batch


class Memory:
    """Registry, ledger and rejects of a test; `away` makes every activity fail as in an outage."""

    def __init__(self) -> None:
        self.away = False
        self.slow = False
        """Whether what a workflow task waits for is given up, and tried again beside it."""
        self.contract: dict[str, Any] = SMALL
        self.registry: dict[str, Opening] = {}
        self.ledger: dict[str, list[Entry]] = {}
        self.texts: dict[str, dict[int, dict[str, str]]] = {}
        self.rejects: list[Rejected] = []
        self.open_again = asyncio.Event()
        """While it is not set, records take their time."""
        self.open_again.set()
        self.nobody: set[str] = set()
        """Roles behind which nobody stands."""
        self.calls = 0
        self.loads = 0

    @property
    def activities(self) -> list[Callable[..., Any]]:
        return [self.open, self.record, self.reject, self.load]

    def serving(self, client: Client, queue: str) -> Worker:
        """A worker beside it, whose complaints go on as everywhere else."""
        return in_one_batch(Worker(client, task_queue=queue, workflows=[Complaint], activities=self.activities))

    def _reach(self) -> None:
        self.calls += 1
        if self.away or (self.slow and activity.info().is_local):
            raise ApplicationError("the database is away")

    @activity.defn(name=OPEN)
    async def open(self, asked: Opening) -> Opened:
        self._reach()
        if refused := self._refusal(asked):
            return Opened(registered=refused)
        registered = Registered(standing="new", version="v1", contract=self.contract)
        complaint, law = asked.start.complaint, law_of(self.contract)
        try:
            decision = open_complaint(asked.start, law, asked.recorded_at, asked.recorded_at)
        except Refused as refusal:
            del self.registry[asked.start.reference]
            return Opened(registered=Registered(standing="refused", message=str(refusal)))
        if not self.ledger.get(complaint):
            self.ledger.setdefault(complaint, []).extend(decision.entries)
            self.texts.setdefault(complaint, {}).update(decision.texts)
        entries = tuple(self.ledger[complaint][: len(decision.entries)])
        return Opened(registered=registered, entries=entries, recorded=self._recorded(entries))

    def _refusal(self, asked: Opening) -> Registered | None:
        if asked.start.contract != self.contract["contract"]:
            return Registered(standing="unknown contract", message=f"No contract {asked.start.contract} is published.")
        first = self.registry.setdefault(asked.start.reference, asked)
        if first.first_run == asked.first_run:
            return None
        if first.digest == asked.digest:
            return Registered(standing="duplicate")
        return Registered(standing="conflict", message="The reference has other content; use a new one.")

    def _recorded(self, entries: Sequence[Entry]) -> Recorded:
        return Recorded(nobody=tuple(n.key for e in entries for n in e.notices if n.role in self.nobody))

    @activity.defn(name=RECORD)
    async def record(self, batch: Batch) -> Recorded:
        self._reach()
        await self.open_again.wait()
        stored = self.ledger.setdefault(batch.complaint, [])
        for entry in batch.entries:
            if entry.seq <= len(stored):
                if stored[entry.seq - 1] != entry:
                    return Recorded(diverged=True)
            else:
                assert entry.seq == len(stored) + 1, "entries come in order"
                stored.append(entry)
        self.texts.setdefault(batch.complaint, {}).update(batch.texts)
        return self._recorded(batch.entries)

    @activity.defn(name=REJECT)
    async def reject(self, rejected: Rejected) -> None:
        self._reach()
        self.registry = {k: v for k, v in self.registry.items() if v.first_run != rejected.first_run}
        self.rejects.append(rejected)

    @activity.defn(name=LOAD)
    async def load(self, stream: Stream) -> Ledger:
        self._reach()
        self.loads += 1
        return Ledger(entries=tuple(self.ledger.get(stream.complaint, ())))
