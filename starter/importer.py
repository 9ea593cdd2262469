"""The import of a table: every good row becomes a complaint, every other one a reject with its reason.

Safe to run twice, and to run again after it broke off: a row that went in is found and left alone (invariant 17).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from time import monotonic
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from rules.commands import Command, OpenComplaint
from rules.decide import Decision
from rules.history import relive
from rules.ledger import Refused, digest
from starter.client import Ombud, Opened
from starter.errors import OmbudError, Unreachable
from starter.import_fields import RowError
from starter.import_map import Case, Map
from starter.table import Line
from storage import reading
from storage.content import Vault
from storage.database import transaction
from storage.importing import OldCase, bring_in
from storage.reading import Laws

BATCH = 100
"""Rows that go in together: closed ones in one transaction, open ones started side by side."""
STARTS = 20
"""Workflows started at once; a server takes a burst, it need not be sent one."""


@dataclass
class Counts:
    """What became of the rows read so far."""

    read: int = 0
    closed: int = 0
    """Old cases recorded, closed, without a workflow."""
    started: int = 0
    """Complaints that run in Temporal now."""
    there: int = 0
    """Rows that went in before."""
    rejected: int = 0
    began: float = field(default_factory=monotonic)
    seconds: float = 0

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.read / max(self.seconds, 1e-6)


class _Closed(NamedTuple):
    """A row that is an old case from opening to closure."""

    line: Line
    start: OpenComplaint
    decision: Decision


class _Open(NamedTuple):
    """A row that becomes a running complaint, with what is known to have been done to it."""

    line: Line
    start: OpenComplaint
    commands: list[Command]


class Importer:
    """Brings rows in under one contract, as fast as they come or at most `rate` a second."""

    def __init__(
        self,
        ombud: Ombud,
        engine: AsyncEngine,
        vault: Vault,
        mapping: Map,
        laws: Laws,
        *,
        history: bool,
        dry_run: bool = False,
        rate: float | None = None,
        on_reject: Callable[[Line, str], None],
    ) -> None:
        self.counts = Counts()
        self._ombud = ombud
        self._engine = engine
        self._vault = vault
        self._map = mapping
        self._laws = laws
        self._history = history
        self._dry_run = dry_run
        self._rate = rate
        self._on_reject = on_reject
        self._imported_at = datetime.now(UTC)
        self._run = f"import-{uuid4()}"
        self._starts = asyncio.Semaphore(STARTS)

    async def run(self, lines: Iterable[Line], progress: Callable[[Counts], None]) -> Counts:
        """Bring every line in. Raises Unreachable where it had to stop; what went in before stays in."""
        lines = iter(lines)
        size = BATCH if self._rate is None else max(1, min(BATCH, int(self._rate)))
        while batch := list(islice(lines, size)):
            judged = list(self._judged(batch))
            closed = [row for row in judged if isinstance(row, _Closed)]
            running = [row for row in judged if isinstance(row, _Open)]
            if self._dry_run:
                self.counts.closed += len(closed)
                self.counts.started += len(running)
            else:
                await self._record(closed)
                await asyncio.gather(*(self._start(row) for row in running))
            self.counts.read += len(batch)
            if self._rate:
                await asyncio.sleep(self.counts.began + self.counts.read / self._rate - monotonic())
            self.counts.seconds = monotonic() - self.counts.began
            progress(self.counts)
        return self.counts

    def _judged(self, lines: list[Line]) -> Iterator[_Closed | _Open]:
        for line in lines:
            if line.row is None:
                self._reject(line, line.reason)
                continue
            try:
                yield self._sorted(line, self._map.case(line.row, self._laws.contract, self._history))
            except (RowError, Refused) as error:
                self._reject(line, str(error))

    def _sorted(self, line: Line, case: Case) -> _Closed | _Open:
        law = self._laws.at(case.start.received_at).law
        past = relive(case.start, case.acts, law, self._imported_at)
        if self._history and past.decision.case.closed:
            return _Closed(line, case.start, past.decision)
        return _Open(line, case.start, past.commands)

    def _reject(self, line: Line, reason: str) -> None:
        self.counts.rejected += 1
        self._on_reject(line, reason)

    async def _record(self, rows: list[_Closed]) -> None:
        cases = [self._old_case(row.start, row.decision) for row in rows]
        async with transaction(self._engine) as connection:
            standing = await bring_in(connection, self._vault, cases, self._run, self._imported_at)
        for row, stands in zip(rows, standing, strict=True):
            match stands:
                case "new":
                    self.counts.closed += 1
                case "there":
                    self.counts.there += 1
                case "conflict":
                    self._reject(row.line, "this reference went in before with other content")

    def _old_case(self, start: OpenComplaint, decision: Decision) -> OldCase:
        return OldCase(
            contract=start.contract,
            reference=start.reference,
            digest=digest(start),
            version=self._laws.at(start.received_at).version,
            stage="closed",
            entries=tuple(decision.entries),
            texts=decision.texts,
        )

    async def _start(self, row: _Open) -> None:
        """Start a workflow, and leave what is known to have been done with it."""
        async with self._starts:
            try:
                opened = await self._ombud.open(row.start)
                await self._tell(opened, row.commands)
            except Unreachable:
                raise
            except OmbudError as error:
                self._reject(row.line, str(error))
                return
        if opened.new:
            self.counts.started += 1
        else:
            self.counts.there += 1

    async def _tell(self, opened: Opened, commands: list[Command]) -> None:
        known: set[str | None] = set()
        if commands and not opened.new:  # an earlier run may have stopped between the start and the acts
            async with transaction(self._engine) as connection:
                known = {entry.key for entry in await reading.entries(connection, opened.complaint)}
        for command in commands:
            if command.key not in known:
                await self._ombud.send(opened.complaint, command)
