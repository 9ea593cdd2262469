"""What people and programs read: how a complaint stands, and which ones there are. Nothing here writes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import ConfigDict
from sqlalchemy import ARRAY, Boolean, Select, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.law import InForce, law_of
from rules.ledger import Entry
from rules.values import Value
from storage import contracts, ledger
from storage.tables import clocks, complaints, contract_versions, notices


class _Row(Value):
    """Part of a row: columns that are not named here are left out."""

    model_config = ConfigDict(extra="ignore")


class ClockState(_Row):
    """One clock, as `storage.tables.clocks` describes it. Times are in UTC, lateness in seconds of the wall clock."""

    obligation: str
    n: int
    clause: str
    status: str
    started_at: datetime
    due_at: datetime
    provisional: bool
    missed_at: datetime | None
    refuted_at: datetime | None
    lifted_at: datetime | None
    paused_at: datetime | None
    gross_seconds: int | None
    net_seconds: int | None
    waited: dict[str, int] | None
    report: str | None
    found_by: str | None
    lag_seconds: int | None
    done_at: datetime | None
    late_seconds: int | None
    replans: int
    end_reason: str | None
    ended_at: datetime | None
    reached: dict[str, Any]


class NoticeState(_Row):
    """One notice: whom it is for, and how far it came."""

    key: str
    seq: int
    """The ledger entry it tells of."""
    clock: str | None
    rung: str | None
    command: str | None
    role: str
    person: str | None
    state: str
    planned_at: datetime
    accepted_at: datetime | None
    undeliverable_at: datetime | None
    reason: str | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    crowd: str | None
    joined: bool
    follow: str | None


class Summary(_Row):
    """A complaint in one line."""

    id: str
    contract: str
    reference: str
    kind: str
    category: str | None
    level: str | None
    stage: str
    channel: str
    owner: str | None
    route: str
    received_at: datetime
    closed_at: datetime | None
    closed_reason: str | None
    outcome: str | None
    history: bool
    zone: str
    """Of its contract's calendar, for showing times; the times here are in UTC."""
    next_due_at: datetime | None
    """The earliest due of its running clocks."""
    next_due_provisional: bool | None
    """Whether that due was counted through a year nobody has published (invariant 9)."""
    missed: int
    """Clocks missed so far, late reports not taken off."""


class State(Summary):
    """A complaint as it stands in Postgres, a moment behind its workflow."""

    version: str
    """Of its contract, pinned at receipt."""
    raised_at: datetime | None
    recorded_at: datetime
    flags: dict[str, Any]
    calendar: dict[str, Any]
    """Years that re-plans brought while it was open: for each the entry, and what its days are."""
    clocks: tuple[ClockState, ...]
    notices: tuple[NoticeState, ...]
    entries: tuple[Entry, ...]
    """The whole ledger, without the texts."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which complaints to list; what is left out restricts nothing."""

    contract: str | None = None
    stage: str | None = None
    level: str | None = None
    missed: bool = False
    """Only those with a missed clock."""
    due_before: datetime | None = None
    """Only those with a running clock due before then."""
    closed: bool = False
    """Closed ones too; asking for the stage `closed` asks for them as well."""


class Dated(NamedTuple):
    """A contract version and what it judges by."""

    version: str
    law: InForce


class Laws:
    """The versions of one contract, for judging many complaints without asking again."""

    def __init__(self, contract: str, versions: list[contracts.Version]) -> None:
        self.contract = contract
        self._from = [v.effective_from for v in versions]
        self._laws = [Dated(v.version, law_of(v.body)) for v in versions]

    def at(self, received_at: datetime) -> Dated:
        """The version in force then; before the first one took force, the first."""
        return self._laws[max(0, bisect_right(self._from, received_at) - 1)]

    def obligations(self) -> set[str]:
        """Those that any version has."""
        return {name for dated in self._laws for name in dated.law.contract.obligations}


def _summaries() -> Select[Any]:
    running = func.min(clocks.c.due_at).filter(clocks.c.status == "running").label("next_due_at")
    by_due = func.array_agg(aggregate_order_by(clocks.c.provisional, clocks.c.due_at), type_=ARRAY(Boolean))
    provisional = by_due.filter(clocks.c.status == "running")[1].label("next_due_provisional")
    missed = func.count(clocks.c.missed_at).label("missed")
    zone = contract_versions.c.body["calendar"]["zone"].astext.label("zone")
    return (
        select(complaints, zone, running, provisional, missed)
        .join(contract_versions, contract_versions.c.version == complaints.c.version)
        .outerjoin(clocks, clocks.c.complaint == complaints.c.id)
        .group_by(complaints.c.id, contract_versions.c.version)
    )


async def listing(connection: AsyncConnection, wanted: Wanted) -> AsyncIterator[Summary]:
    """Every complaint that is wanted, the one with the earliest due first; row by row, however many there are."""
    query = _summaries()
    for column, value in (("contract", wanted.contract), ("stage", wanted.stage), ("level", wanted.level)):
        if value is not None:
            query = query.where(complaints.c[column] == value)
    if not wanted.closed and wanted.stage != "closed":
        query = query.where(complaints.c.closed_at.is_(None))
    if wanted.missed:
        query = query.having(func.count(clocks.c.missed_at) > 0)
    if wanted.due_before is not None:
        running = func.min(clocks.c.due_at).filter(clocks.c.status == "running")
        query = query.having(running < wanted.due_before)
    query = query.order_by("next_due_at", complaints.c.received_at, complaints.c.id)
    async for row in await connection.stream(query):
        yield Summary.model_validate(row._asdict())


async def state(connection: AsyncConnection, complaint: str) -> State | None:
    """One complaint with its clocks, notices and ledger; nothing when Postgres has not heard of it."""
    row = (await connection.execute(_summaries().where(complaints.c.id == complaint))).one_or_none()
    if row is None:
        return None
    armed = select(clocks).where(clocks.c.complaint == complaint).order_by(clocks.c.started_at, clocks.c.due_at)
    told = select(notices).where(notices.c.complaint == complaint).order_by(notices.c.seq, notices.c.key)
    return State.model_validate(
        row._asdict()
        | {
            "clocks": [r._asdict() for r in await connection.execute(armed)],
            "notices": [r._asdict() for r in await connection.execute(told)],
            "entries": await entries(connection, complaint),
        }
    )


async def entries(connection: AsyncConnection, complaint: str) -> list[Entry]:
    """A complaint's ledger, in order."""
    return await ledger.read(connection, ledger.stream_of(complaint))


async def laws(connection: AsyncConnection, contract: str) -> Laws | None:
    """Every published version of a contract; nothing when it has none."""
    found = [v for v in await contracts.published(connection) if v.contract == contract]
    return Laws(contract, found) if found else None
