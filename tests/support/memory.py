"""The neighbours of a complaint in memory: same activity names, an outage at the turn of a switch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.interface import (
    LOAD,
    RECORD,
    REGISTER,
    REJECT,
    Batch,
    Ledger,
    Recorded,
    Registered,
    Registration,
    Rejected,
    Stream,
)
from rules.ledger import Entry
from tests.support.story import SMALL


class Memory:
    """Registry, ledger and rejects of a test; `away` makes every activity fail as in an outage."""

    def __init__(self) -> None:
        self.away = False
        self.slow = False
        """Whether what a workflow task waits for is given up, and tried again beside it."""
        self.registry: dict[str, Registration] = {}
        self.ledger: dict[str, list[Entry]] = {}
        self.texts: dict[str, dict[int, dict[str, str]]] = {}
        self.rejects: list[Rejected] = []
        self.nobody: set[str] = set()
        """Roles behind which nobody stands."""
        self.calls = 0
        self.loads = 0
        self.answers_as_recorded = True

    @property
    def activities(self) -> list[Callable[..., Any]]:
        return [self.register, self.record, self.reject, self.load]

    def _reach(self) -> None:
        self.calls += 1
        if self.away or (self.slow and activity.info().is_local):
            raise ApplicationError("the database is away")

    @activity.defn(name=REGISTER)
    async def register(self, asked: Registration) -> Registered:
        self._reach()
        if asked.start.contract != SMALL["contract"]:
            return Registered(standing="unknown contract", message=f"No contract {asked.start.contract} is published.")
        first = self.registry.setdefault(asked.start.reference, asked)
        if first.first_run != asked.first_run:
            if first.digest == asked.digest:
                return Registered(standing="duplicate")
            return Registered(standing="conflict", message="The reference has other content; use a new one.")
        return Registered(standing="new", version="v1", contract=SMALL, answers_as_recorded=self.answers_as_recorded)

    @activity.defn(name=RECORD)
    async def record(self, batch: Batch) -> Recorded:
        self._reach()
        stored = self.ledger.setdefault(batch.complaint, [])
        for entry in batch.entries:
            if entry.seq <= len(stored):
                if stored[entry.seq - 1] != entry:
                    return Recorded(diverged=True)
            else:
                assert entry.seq == len(stored) + 1, "entries come in order"
                stored.append(entry)
        self.texts.setdefault(batch.complaint, {}).update(batch.texts)
        return Recorded(nobody=tuple(n.key for e in batch.entries for n in e.notices if n.role in self.nobody))

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
