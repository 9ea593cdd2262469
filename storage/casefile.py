"""Everything that is on record of one complaint, for whoever shows it whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.ledger import Entry
from storage import ledger
from storage.tables import clocks, complaints, links, messages, notices, people

Columns = Mapping[str, Any]
"""A row by the names of its columns, as `storage.tables` describes them. Times are in UTC."""


class Related(NamedTuple):
    """Another complaint that belongs to it, `contract/reference`, and what the first of the two is to the other."""

    other: str
    relation: str
    ours: bool
    """Whether it is said of this complaint; else the other one says it of itself."""


@dataclass(frozen=True, slots=True)
class Record:
    """A complaint with all that belongs to it."""

    case: Columns
    clocks: tuple[Columns, ...]
    """By their start."""
    notices: tuple[Columns, ...]
    """In the order of the entries they tell of; the columns of the message that carries one begin with `message_`."""
    entries: tuple[Entry, ...]
    related: tuple[Related, ...]
    people: Mapping[str, str]
    """Names of the directory as it is now, by id."""


async def record(connection: AsyncConnection, complaint: str) -> Record | None:
    """A complaint as Postgres knows it; nothing when it has not heard of it."""
    case = (await connection.execute(select(complaints).where(complaints.c.id == complaint))).mappings().one_or_none()
    if case is None:
        return None
    armed = (
        select(clocks)
        .where(clocks.c.complaint == complaint)
        .order_by(clocks.c.started_at, clocks.c.due_at, clocks.c.obligation, clocks.c.n)
    )
    told = (
        select(notices, *(column.label(f"message_{column.name}") for column in messages.c))
        .join(messages, messages.c.id == notices.c.message, isouter=True)
        .where(notices.c.complaint == complaint)
        .order_by(notices.c.seq, notices.c.key)
    )
    return Record(
        case=dict(case),
        clocks=tuple(dict(row) for row in (await connection.execute(armed)).mappings()),
        notices=tuple(dict(row) for row in (await connection.execute(told)).mappings()),
        entries=tuple(await ledger.read(connection, ledger.stream_of(complaint))),
        related=tuple(await _related(connection, complaint)),
        people=await names(connection),
    )


async def _related(connection: AsyncConnection, complaint: str) -> list[Related]:
    """What was undone is left out; it is in the ledger."""
    either = or_(links.c.complaint == complaint, links.c.other == complaint)
    query = select(links.c.complaint, links.c.other, links.c.relation).where(either, links.c.undone_at.is_(None))
    return [
        Related(other if one == complaint else one, relation, one == complaint)
        for one, other, relation in await connection.execute(query.order_by(links.c.complaint, links.c.seq))
    ]


async def names(connection: AsyncConnection) -> dict[str, str]:
    """What everybody in the directory is called, by id."""
    return {row.id: row.name for row in await connection.execute(select(people.c.id, people.c.name))}
