"""The record table (rule 15): one row a complaint, filtered, counted, page by page or as a whole.

Content lies encrypted, so no query of the database can look into it. What is searched there is opened row by row,
and only of rows that every other filter lets through.
"""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, get_args

from sqlalchemy import ColumnElement, Select, and_, exists, func, literal, select, true, tuple_
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.values import Value
from storage.content import Vault
from storage.ledger import stream_of
from storage.tables import clocks, complaints, contract_versions

OPENED_AT_ONCE = 200
"""Complaints whose content is opened by one query."""

MOST_OPENED = 5_000
"""Complaints whose content one page looks into; the next page goes on behind them."""


class Record(Value):
    """A row of the record table. Times are in UTC."""

    contract: str
    reference: str
    raised_at: datetime | None
    received_at: datetime
    kind: str
    category: str | None
    level: str | None
    grade: str | None
    channel: str
    stage: str
    responsible: str
    """The person who owns it, or the role that handles it until a person does."""
    outcome: str | None
    resolved_at: datetime | None
    closed_at: datetime | None
    closed_reason: str | None
    next_due_at: datetime | None
    """The earliest due of its running clocks."""
    next_due_provisional: bool | None
    missed: int
    """Clocks missed so far, late reports not taken off."""
    reported_late: int
    missed_clauses: tuple[str, ...]
    history: bool
    zone: str
    """Of the contract's calendar, for showing times."""
    content: str | None = None
    """What the complaint says, where it was asked for."""


@dataclass(frozen=True, slots=True)
class Sight:
    """Whose complaints somebody can see at all; None is no bound."""

    contracts: Sequence[str] | None = None
    complaints: Sequence[str] | None = None
    not_against: str | None = None
    """Not those about this person (rule 37)."""
    complainant: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """Which rows; what is left out restricts nothing."""

    contract: str | None = None
    kind: str | None = None
    category: str | None = None
    level: str | None = None
    stage: str | None = None
    channel: str | None = None
    outcome: str | None = None
    responsible: str | None = None
    """A person, or a role where no person owns it yet."""
    received_from: datetime | None = None
    received_before: datetime | None = None
    due_before: datetime | None = None
    """With a running clock due before then."""
    missed: bool | None = None
    """With a clock missed, or with none."""
    closed: bool | None = None
    sight: Sight = field(default_factory=Sight)


class Position(NamedTuple):
    """The place of a row in the order of the table: by receipt, the latest first."""

    received_at: datetime
    id: str


class Page(NamedTuple):
    """Rows, and where to go on; nowhere at the end. A page that looked into much may hold few rows, or none."""

    records: list[Record]
    after: Position | None


Dimension = Literal["contract", "kind", "category", "level", "stage", "channel", "outcome", "responsible", "month"]
DIMENSIONS: tuple[str, ...] = get_args(Dimension)


class Count(Value):
    """How many complaints share a value, and how many of them missed a clock."""

    value: str | None
    complaints: int
    open: int
    missed: int


async def page(
    connection: AsyncConnection,
    asked: Asked,
    *,
    limit: int,
    after: Position | None = None,
    vault: Vault | None = None,
    text: str | None = None,
    most_opened: int = MOST_OPENED,
) -> Page:
    """The next rows behind a position. With a vault they carry their content, with `text` only those that say it."""
    if vault is None or text is None:
        rows = await _rows(connection, asked, after, limit + 1)
        records = await _with_content(connection, vault, rows[:limit]) if vault else [_record(r) for r in rows[:limit]]
        return Page(records, _position(rows[limit - 1]) if len(rows) > limit else None)
    found: list[Record] = []
    wanted, opened = _folded(text), 0
    while opened < most_opened:
        rows = await _rows(connection, asked, after, OPENED_AT_ONCE)
        opened += len(rows)
        for row, record in zip(rows, await _with_content(connection, vault, rows), strict=True):
            after = _position(row)
            if wanted in _folded(record.content or ""):
                found.append(record)
                if len(found) == limit:
                    return Page(found, after)
        if len(rows) < OPENED_AT_ONCE:
            return Page(found, None)
    return Page(found, after)


async def stream(
    connection: AsyncConnection, asked: Asked, *, vault: Vault | None = None, text: str | None = None
) -> AsyncIterator[Record]:
    """Every row, however many there are, by a cursor in the server; all of one moment."""
    wanted = _folded(text) if text is not None else None
    rows = await connection.stream(_query(asked), execution_options={"yield_per": OPENED_AT_ONCE})
    async for part in rows.partitions():
        if vault is None:
            for row in part:
                yield _record(row)
            continue
        for record in await _with_content(connection, vault, part):
            if wanted is None or wanted in _folded(record.content or ""):
                yield record


async def counts(connection: AsyncConnection, asked: Asked, by: Dimension) -> list[Count]:
    """How many rows share each value, the most first; months are those of receipt, in the contract's zone."""
    value: ColumnElement[Any]
    zone = contract_versions.c.body["calendar"]["zone"].astext
    if by == "responsible":
        value = _RESPONSIBLE
    elif by == "month":
        value = func.to_char(func.timezone(zone, complaints.c.received_at), "YYYY-MM")
    else:
        value = complaints.c[by]
    query = (
        select(
            value.label("value"),
            func.count().label("complaints"),
            func.count().filter(complaints.c.closed_at.is_(None)).label("open"),
            func.count().filter(_MISSED).label("missed"),
        )
        .select_from(complaints)
        .join(contract_versions, contract_versions.c.version == complaints.c.version)
        .where(*_conditions(asked))
        .group_by(value)
        .order_by(func.count().desc(), value)
    )
    return [Count(**row) for row in (await connection.execute(query)).mappings()]


_RESPONSIBLE = func.coalesce(complaints.c.owner, complaints.c.route)
_MISSED = exists().where(clocks.c.complaint == complaints.c.id, clocks.c.missed_at.is_not(None))


def _query(asked: Asked) -> Select[Any]:
    running = clocks.c.status == "running"
    by_due = func.array_agg(aggregate_order_by(clocks.c.provisional, clocks.c.due_at)).filter(running)
    clauses = func.array_agg(aggregate_order_by(clocks.c.clause, clocks.c.due_at)).filter(
        clocks.c.missed_at.is_not(None)
    )
    its = (
        select(
            func.min(clocks.c.due_at).filter(running).label("next_due_at"),
            by_due.label("provisional"),
            func.count(clocks.c.missed_at).label("missed"),
            func.count(clocks.c.refuted_at).label("reported_late"),
            clauses.label("missed_clauses"),
        )
        .where(clocks.c.complaint == complaints.c.id)
        .lateral("its")
    )
    same = [name for name in Record.model_fields if name in complaints.c]
    return (
        select(
            complaints.c.id,
            *(complaints.c[name] for name in same),
            _RESPONSIBLE.label("responsible"),
            contract_versions.c.body["calendar"]["zone"].astext.label("zone"),
            its,
        )
        .join(contract_versions, contract_versions.c.version == complaints.c.version)
        .join(its, true())
        .where(*_conditions(asked))
        .order_by(complaints.c.received_at.desc(), complaints.c.id.desc())
    )


def _conditions(asked: Asked) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [
        complaints.c[name] == value
        for name in ("contract", "kind", "category", "level", "stage", "channel", "outcome")
        if (value := getattr(asked, name)) is not None
    ]
    if asked.responsible is not None:
        found.append(literal(asked.responsible) == _RESPONSIBLE)
    if asked.received_from is not None:
        found.append(complaints.c.received_at >= asked.received_from)
    if asked.received_before is not None:
        found.append(complaints.c.received_at < asked.received_before)
    if asked.due_before is not None:
        running = and_(clocks.c.complaint == complaints.c.id, clocks.c.status == "running")
        found.append(exists().where(running, clocks.c.due_at < asked.due_before))
    if asked.missed is not None:
        found.append(_MISSED if asked.missed else ~_MISSED)
    if asked.closed is not None:
        closed = complaints.c.closed_at.is_not(None)
        found.append(closed if asked.closed else ~closed)
    return found + seen_by(asked.sight)


def seen_by(sight: Sight) -> list[ColumnElement[bool]]:
    """The conditions under which a complaint is within somebody's sight."""
    found: list[ColumnElement[bool]] = []
    if sight.contracts is not None:
        found.append(complaints.c.contract.in_(sight.contracts))
    if sight.complaints is not None:
        found.append(complaints.c.id.in_(sight.complaints))
    if sight.not_against is not None:
        out = func.string_to_array(func.coalesce(complaints.c.against, ""), " ")
        found.append(literal(sight.not_against) != func.all(out))
    if sight.complainant is not None:
        found.append(complaints.c.complainant == sight.complainant)
    return found


async def _rows(connection: AsyncConnection, asked: Asked, after: Position | None, limit: int) -> Sequence[Any]:
    query = _query(asked).limit(limit)
    if after is not None:
        place = tuple_(complaints.c.received_at, complaints.c.id)
        query = query.where(place < tuple_(literal(after.received_at), literal(after.id)))
    rows: Sequence[Any] = (await connection.execute(query)).all()
    return rows


async def _with_content(connection: AsyncConnection, vault: Vault, rows: Sequence[Any]) -> list[Record]:
    texts = await vault.opening(connection, [stream_of(row.id) for row in rows])
    records = []
    for row in rows:
        said = texts.get(stream_of(row.id), {})
        whole = "\n\n".join(said[name] for name in ("content", "remedy_sought") if name in said)
        records.append(_record(row, whole or None))
    return records


def _record(row: Any, content: str | None = None) -> Record:
    made = row._asdict()
    made.pop("id")
    provisional = made.pop("provisional")
    return Record.model_validate(
        made
        | {
            "next_due_provisional": provisional[0] if provisional else None,
            "missed_clauses": made["missed_clauses"] or (),
            "content": content,
        }
    )


def _position(row: Any) -> Position:
    return Position(row.received_at, row.id)


def _folded(text: str) -> str:
    """As it is compared: without regard to case and to width, which Chinese and Latin keyboards mix."""
    return unicodedata.normalize("NFKC", text).casefold()
