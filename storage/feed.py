"""The ledgers of all complaints as one row of entries, each with a position, for those who follow them.

A position must never be given to an entry that commits after a reader has passed it: that entry would be lost. So
recording gives none. It only notes the entry (a trigger, in the same transaction, without a lock), and whoever reads
numbers what has been committed by then, one at a time under an advisory lock. Records never wait for each other or for
a reader; a transaction that is still open is simply numbered later. Within a complaint positions follow the ledger: an
entry cannot stand there before its predecessor does (migration 0002), so whoever sees the one sees the other.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, func, or_, select, text, true
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.events import OF, TELLS_ABOUT
from rules.ledger import Entry
from storage.ledger import stream_of
from storage.tables import ledger, ledger_feed

PAGE = 100
"""Entries read at once."""

CHUNK = 20_000
"""Entries numbered by one statement: the first subscription may find years of them. About a second."""

_LOCK = 0x66656564  # "feed": one numbers at a time

_NUMBER = text("""
    UPDATE ledger_feed feed SET position = numbered.position
    FROM (
        SELECT stream, seq, row_number() OVER (ORDER BY known_at, stream, seq) + last AS position
        FROM (
            SELECT f.stream, f.seq, max(l.recorded_at) OVER (PARTITION BY f.stream ORDER BY f.seq) AS known_at
            FROM (SELECT stream, seq FROM ledger_feed WHERE position IS NULL ORDER BY stream, seq LIMIT :most) f
            JOIN ledger l ON l.stream = f.stream AND l.seq = f.seq
        ) fresh, (SELECT coalesce(max(position), 0) AS last FROM ledger_feed) so_far
    ) numbered
    WHERE feed.stream = numbered.stream AND feed.seq = numbered.seq
""")


class Placed(NamedTuple):
    """An entry in the feed."""

    position: int
    complaint: str
    entry: Entry


async def head(connection: AsyncConnection) -> int:
    """Number what has been committed; the last position then, 0 for an empty feed. Commit soon: others wait for it."""
    await connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    while (await connection.execute(_NUMBER, {"most": CHUNK})).rowcount == CHUNK:
        pass
    return await connection.scalar(select(func.coalesce(func.max(ledger_feed.c.position), 0))) or 0


async def ahead(connection: AsyncConnection, contract: str | None, after: int, upto: int, limit: int) -> list[Placed]:
    """The next entries that may be events, behind a position and up to another, in order."""
    position = ledger_feed.c.position
    rows = await connection.execute(
        select(position, ledger.c.stream, ledger.c.body)
        .join(ledger, _same())
        .where(position > after, position <= upto, ledger.c.type.in_(OF), _under(contract))
        .order_by(position)
        .limit(limit)
    )
    return [Placed(at, stream.removeprefix(stream_of("")), Entry.model_validate(body)) for at, stream, body in rows]


async def waiting_since(
    connection: AsyncConnection, contract: str | None, after: int, events: Container[str]
) -> datetime | None:
    """When the oldest of these events behind a position was recorded, numbered or not. Only looks."""
    types = [entry for entry, event in OF.items() if event in events]
    before_due = or_(
        ledger.c.type != "rung_reached", ledger.c.body["data"]["rung"].astext.endswith("%", autoescape=True)
    )
    position = ledger_feed.c.position
    found: datetime | None = await connection.scalar(
        select(ledger.c.recorded_at)
        .select_from(ledger_feed)
        .join(ledger, _same())
        .where(or_(position > after, position.is_(None)), ledger.c.type.in_(types), before_due, _under(contract))
        .order_by(position.nulls_last(), ledger.c.recorded_at)
        .limit(1)
    )
    return found


async def about(connection: AsyncConnection, complaints: Iterable[str]) -> dict[str, list[Entry]]:
    """Of each complaint the entries that say what its events have to know, in order."""
    found: dict[str, list[Entry]] = {complaint: [] for complaint in complaints}
    rows = await connection.execute(
        select(ledger.c.stream, ledger.c.body)
        .where(ledger.c.stream.in_([stream_of(complaint) for complaint in found]), ledger.c.type.in_(TELLS_ABOUT))
        .order_by(ledger.c.stream, ledger.c.seq)
    )
    for stream, body in rows:
        found[stream.removeprefix(stream_of(""))].append(Entry.model_validate(body))
    return found


async def since(connection: AsyncConnection, moment: datetime) -> int | None:
    """The first position of an entry recorded at this moment or after it."""
    found: int | None = await connection.scalar(
        select(func.min(ledger_feed.c.position)).join(ledger, _same()).where(ledger.c.recorded_at >= moment)
    )
    return found


def _same() -> ColumnElement[bool]:
    return and_(ledger.c.stream == ledger_feed.c.stream, ledger.c.seq == ledger_feed.c.seq)


def _under(contract: str | None) -> ColumnElement[bool]:
    return func.starts_with(ledger_feed.c.stream, stream_of(f"{contract}/")) if contract else true()
