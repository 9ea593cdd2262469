"""Commands that go to many complaints: to whom, and what each made of it.

The addresses are written down before the first letter leaves, so that a crash, a retry or a second start tells the same
complaints and nobody else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, case, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or_leave
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.calendar_spec import CalendarSpec
from rules.calendar_years import Years, fingerprint
from storage import contracts
from storage.content import ErasedError, Vault
from storage.tables import circulars, complaints, letters

OUTCOMES = ("taken", "refused", "gone")


@dataclass(frozen=True, slots=True)
class Head:
    """What a circular says of itself. `by` is a role, and a person where named."""

    id: str
    digest: str
    command: str
    incident: str | None
    contract: str | None
    by: str
    sent_at: datetime


class Answer(NamedTuple):
    """What one complaint made of it."""

    complaint: str
    outcome: str
    seq: int | None = None
    reason: str = ""


class Behind(NamedTuple):
    """An open complaint that is counted by other days than are known now, and the years in which they differ."""

    complaint: str
    version: str
    received_at: datetime
    years: frozenset[int]


async def begin(connection: AsyncConnection, vault: Vault, head: Head, why: str | None, start: str = "") -> Any:
    """The circular under this id as it stands: this one, or the one that was sent before.

    `start` is what its workflow was started with, as JSON: sealed, so that a lost one can be started again.
    """
    row = {name: getattr(head, name) for name in Head.__slots__}
    made = await connection.scalar(
        insert_or_leave(circulars).values(row).on_conflict_do_nothing().returning(circulars.c.id)
    )
    texts = {name: said for name, said in (("why", why), ("start", start)) if said}
    if made is not None and texts:
        await vault.seal(connection, {stream_of(head.id): {1: texts}})
    return (await connection.execute(select(circulars).where(circulars.c.id == head.id))).one()


async def start_of(connection: AsyncConnection, vault: Vault, id_: str) -> str:
    """What the workflow of a circular was started with, as JSON; nothing for one of a release that did not keep it."""
    try:
        return (await vault.read(connection, stream_of(id_))).get(1, {}).get("start", "")
    except ErasedError:
        return ""


def stream_of(id_: str) -> str:
    """Under which the content of a circular lies."""
    return f"circular/{id_}"


async def contracts_of(connection: AsyncConnection, incident: str) -> dict[str, int]:
    """The contracts under which an incident was reported, each with how many of its complaints are open."""
    still = func.count().filter(complaints.c.closed_at.is_(None)).label("open")
    query = select(complaints.c.contract, still).where(complaints.c.incident == incident)
    rows = await connection.execute(query.group_by(complaints.c.contract).order_by(complaints.c.contract))
    return {row.contract: row.open for row in rows}


async def address_incident(connection: AsyncConnection, id_: str, incident: str, contract: str) -> None:
    """A letter to every open complaint of an incident under a contract."""
    open_ = select(literal(id_), complaints.c.id).where(
        complaints.c.incident == incident, complaints.c.contract == contract, complaints.c.closed_at.is_(None)
    )
    await connection.execute(insert(letters).from_select(["circular", "complaint"], open_))


async def address_behind(connection: AsyncConnection, id_: str, contract: str, years: Years) -> None:
    """A letter to every open complaint whose days differ in one of these years."""
    rows = [{"circular": id_, "complaint": one.complaint} async for one in behind(connection, contract, years)]
    if rows:
        await connection.execute(insert(letters), rows)


async def behind(connection: AsyncConnection, contract: str, years: Years) -> AsyncIterator[Behind]:
    """The open complaints under a contract that are counted by other days than these, as far as they concern them."""
    wanted = {year: fingerprint(holidays) for year, holidays in years.items()}
    pinned: dict[str, tuple[ZoneInfo, Mapping[int, str]]] = {}
    query = select(complaints.c.id, complaints.c.version, complaints.c.received_at, complaints.c.calendar).where(
        complaints.c.contract == contract, complaints.c.closed_at.is_(None)
    )
    for row in (await connection.execute(query.order_by(complaints.c.id))).all():
        if row.version not in pinned:
            calendar = (await contracts.load(connection, row.version)).parsed().calendar
            pinned[row.version] = ZoneInfo(calendar.zone), _days(calendar)
        zone, days = pinned[row.version]
        known = {**days, **{int(year): known["days"] for year, known in row.calendar.items()}}
        first = row.received_at.astimezone(zone).year
        if differing := frozenset(y for y, day in wanted.items() if y >= first and known.get(y) != day):
            yield Behind(row.id, row.version, row.received_at, differing)


async def waiting(connection: AsyncConnection, id_: str, after: str, most: int) -> list[str]:
    """The complaints behind this one that have not answered, in order."""
    query = select(letters.c.complaint).where(
        letters.c.circular == id_, letters.c.outcome.is_(None), letters.c.complaint > after
    )
    return list((await connection.scalars(query.order_by(letters.c.complaint).limit(most))).all())


async def answered(connection: AsyncConnection, id_: str, answers: Sequence[Answer]) -> None:
    """Keep what complaints answered. What one answered before stays."""
    if not answers:
        return
    kept = update(letters).where(
        letters.c.circular == id_, letters.c.complaint == bindparam("whose"), letters.c.outcome.is_(None)
    )
    await connection.execute(
        kept.values(outcome=bindparam("what"), seq=bindparam("entry"), reason=bindparam("why")),
        [{"whose": one.complaint, "what": one.outcome, "entry": one.seq, "why": one.reason or None} for one in answers],
    )


async def counts(connection: AsyncConnection, id_: str) -> dict[str, int]:
    """How many complaints it goes to, and how many of them answered what."""
    columns = [func.count().filter(letters.c.outcome == outcome).label(outcome) for outcome in OUTCOMES]
    query = select(func.count().label("complaints"), *columns).where(letters.c.circular == id_)
    return dict((await connection.execute(query)).one()._asdict())


async def unmoved(connection: AsyncConnection, id_: str, most: int | None = None) -> list[Answer]:
    """The complaints that did not take it, those that refused first; all of them unless `most` is given."""
    query = select(letters.c.complaint, letters.c.outcome, letters.c.seq, func.coalesce(letters.c.reason, "")).where(
        letters.c.circular == id_, letters.c.outcome.in_(("refused", "gone"))
    )
    first = case((letters.c.outcome == "refused", 0), else_=1)
    rows = await connection.execute(query.order_by(first, letters.c.complaint).limit(most))
    return [Answer(*row) for row in rows]


async def finish(connection: AsyncConnection, id_: str, at: datetime) -> None:
    """Say that nothing more will come of it."""
    await connection.execute(
        update(circulars).where(circulars.c.id == id_, circulars.c.finished_at.is_(None)).values(finished_at=at)
    )


async def head(connection: AsyncConnection, id_: str) -> Mapping[str, Any] | None:
    """A circular as it stands; nothing for one that was never sent."""
    row = (await connection.execute(select(circulars).where(circulars.c.id == id_))).one_or_none()
    return row._asdict() if row else None


def _days(calendar: CalendarSpec) -> dict[int, str]:
    return {year: fingerprint(holidays) for year, holidays in calendar.published.items()}
