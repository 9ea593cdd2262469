"""How complaints stand in Postgres, page by page, for whoever compares them with what runs. Nothing here writes but
what a comparison puts right.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.ledger import message_stream, stream_of
from storage.tables import (
    circulars,
    clocks,
    complaints,
    contract_versions,
    crowd_answers,
    ledger,
    messages,
    notices,
    registry,
    webhook_cursors,
    webhooks,
)

PAGE = 500

GRACE = timedelta(seconds=60)
"""What is younger may still be under way."""


class Standing(NamedTuple):
    """A complaint as Postgres has it."""

    id: str
    seq: int
    """Its last ledger entry."""
    closed: bool
    kind: str
    category: str | None
    level: str | None
    stage: str
    due: datetime | None
    """The earliest due of its running clocks."""
    missed: int
    """Clocks missed so far."""
    overdue: str
    """A running clock whose due lies too far back to be still under way."""


def _standing(before: datetime) -> Select[Any]:
    c = complaints.c
    its = clocks.c.complaint == c.id
    runs = and_(its, clocks.c.status == "running")
    late = and_(runs, clocks.c.paused_at.is_(None), clocks.c.due_at < before)
    name = func.concat(clocks.c.obligation, "#", clocks.c.n)
    return select(
        c.id,
        _last(c.id),
        c.closed_at.is_not(None),
        c.kind,
        c.category,
        c.level,
        c.stage,
        select(func.min(clocks.c.due_at)).where(runs).scalar_subquery(),
        select(func.count()).where(its, clocks.c.missed_at.is_not(None)).scalar_subquery(),
        func.coalesce(select(name).where(late).order_by(clocks.c.due_at).limit(1).scalar_subquery(), ""),
    )


def _last(complaint: ColumnElement[str]) -> ColumnElement[int]:
    """The last entry of its ledger, asked of the ledger itself."""
    of = select(func.max(ledger.c.seq)).where(ledger.c.stream == literal(stream_of("")) + complaint)
    return func.coalesce(of.scalar_subquery(), 0)


async def open_page(connection: AsyncConnection, after: str, before: datetime, most: int = PAGE) -> list[Standing]:
    """The next open complaints behind an id; a clock is overdue when its due lies `before`."""
    c = complaints.c
    query = _standing(before).where(c.closed_at.is_(None), c.id > after).order_by(c.id).limit(most)
    return [Standing(*row) for row in await connection.execute(query)]


async def of(connection: AsyncConnection, ids: Collection[str], before: datetime) -> dict[str, Standing]:
    """These complaints, open or closed, as far as Postgres has them."""
    query = _standing(before).where(complaints.c.id.in_(ids))
    return {row[0]: Standing(*row) for row in await connection.execute(query)}


async def ledger_ends(connection: AsyncConnection, complaint: str) -> int:
    """The last entry of a complaint's ledger; 0 without one."""
    return await connection.scalar(select(_last(literal(complaint)))) or 0


async def recorded_at(connection: AsyncConnection, complaint: str) -> datetime | None:
    """When the last entry of a complaint's ledger was recorded."""
    query = select(ledger.c.recorded_at).where(ledger.c.stream == stream_of(complaint))
    found: datetime | None = await connection.scalar(query.order_by(ledger.c.seq.desc()).limit(1))
    return found


async def open_complaints(connection: AsyncConnection) -> int:
    """How many there are, to tell how far a look has come."""
    return await connection.scalar(select(func.count()).where(complaints.c.closed_at.is_(None))) or 0


class Registration(NamedTuple):
    """A row of the registry as it was, to be written again."""

    contract: str
    reference: str
    digest: str
    first_run: str
    version: str
    registered_at: datetime


async def registered(connection: AsyncConnection, complaint: str) -> str | None:
    """The contract version that a complaint is pinned to; nothing for one that nobody registered."""
    contract, _, reference = complaint.partition("/")
    query = select(registry.c.version).where(registry.c.contract == contract, registry.c.reference == reference)
    found: str | None = await connection.scalar(query)
    return found


async def register_again(connection: AsyncConnection, row: Registration) -> bool:
    """Write a registration that Postgres has lost; false where its contract version is not published here."""
    known = select(contract_versions.c.version).where(contract_versions.c.version == row.version)
    if await connection.scalar(known) is None:
        return False
    await connection.execute(insert(registry).values(row._asdict()).on_conflict_do_nothing())
    return True


async def unregistered(connection: AsyncConnection) -> list[str]:
    """Complaints with a ledger and without a registration."""
    name = func.concat(stream_of(""), registry.c.contract, "/", registry.c.reference)
    query = (
        select(ledger.c.stream)
        .outerjoin(registry, name == ledger.c.stream)
        .where(ledger.c.seq == 1, func.starts_with(ledger.c.stream, stream_of("")), registry.c.version.is_(None))
        .order_by(ledger.c.stream)
    )
    return [stream.removeprefix(stream_of("")) for stream in await connection.scalars(query)]


async def never_begun(connection: AsyncConnection, before: datetime) -> list[tuple[str, str, str]]:
    """Contract, reference and first run of what was registered before then and has no ledger."""
    begun = select(ledger.c.seq).where(
        ledger.c.stream == func.concat(stream_of(""), registry.c.contract, "/", registry.c.reference),
        ledger.c.seq == 1,
    )
    query = (
        select(registry.c.contract, registry.c.reference, registry.c.first_run)
        .where(registry.c.registered_at < before, ~begun.exists())
        .order_by(registry.c.contract, registry.c.reference)
    )
    return [(row.contract, row.reference, row.first_run) for row in await connection.execute(query)]


class Unheard(NamedTuple):
    """A notice whose fate its complaint does not know."""

    notice: str
    complaint: str
    version: str
    command: str | None
    message: str
    person: str
    accepted: bool


async def unheard(connection: AsyncConnection) -> list[Unheard]:
    """Notices of open complaints whose message ended while nobody told the complaint, and nobody is about to.

    Of those accepted it takes the contract to say whether the complaint has to know.
    """
    n, m = notices.c, messages.c
    entry = ledger.c.body["data"]["notice"].astext == n.key
    said = select(ledger.c.seq).where(
        ledger.c.stream == literal(stream_of("")) + n.complaint, ledger.c.type == "notice_accepted", entry
    )
    accepted = and_(n.command.is_not(None), m.accepted_at.is_not(None), m.undeliverable_at.is_(None), ~said.exists())
    failed = and_(m.undeliverable_at.is_not(None), n.reason.is_(None))
    query = (
        select(n.key, n.complaint, complaints.c.version, n.command, m.id, m.person, m.undeliverable_at.is_(None))
        .join(messages, m.id == n.message)
        .join(complaints, complaints.c.id == n.complaint)
        .where(complaints.c.closed_at.is_(None), ~m.untold, or_(accepted, failed))
        .order_by(n.key)
    )
    return [Unheard(*row) for row in await connection.execute(query)]


async def tell(connection: AsyncConnection, of_messages: Collection[str]) -> None:
    """Have the complaints of these messages told what became of them, by the Post of their person."""
    await connection.execute(update(messages).where(messages.c.id.in_(of_messages)).values(untold=True))


async def message_ends(connection: AsyncConnection, ids: Collection[str]) -> dict[str, int]:
    """The last entry of each of these messages; none for one that Postgres does not know."""
    streams = [message_stream(id_) for id_ in ids]
    query = select(ledger.c.stream, func.max(ledger.c.seq)).where(ledger.c.stream.in_(streams))
    rows = await connection.execute(query.group_by(ledger.c.stream))
    return {row[0].removeprefix(message_stream("")): row[1] for row in rows}


async def unclaimed(connection: AsyncConnection, keys: Collection[str], message: str) -> bool:
    """Whether these notices are all there and in no other message."""
    other = and_(notices.c.message.is_not(None), notices.c.message != message)
    query = select(func.count(), func.count().filter(other)).where(notices.c.key.in_(keys))
    there, elsewhere = (await connection.execute(query)).one()
    return there == len(set(keys)) and not elsewhere


async def claimed_since(connection: AsyncConnection) -> dict[str, datetime]:
    """Everybody for whom a message was put together that has not left, and since when the oldest."""
    m = messages.c
    query = select(m.person, func.min(m.claimed_at)).where(m.accepted_at.is_(None), m.undeliverable_at.is_(None))
    return {row[0]: row[1] for row in await connection.execute(query.group_by(m.person))}


async def answered_crowds(connection: AsyncConnection) -> list[str]:
    """Everybody who answered a crowd."""
    query = select(messages.c.person).join(crowd_answers, crowd_answers.c.message == messages.c.id).distinct()
    return list(await connection.scalars(query.order_by(messages.c.person)))


async def cursors_beyond(connection: AsyncConnection, head: int) -> list[tuple[str, int]]:
    """Webhooks that stand further than the feed goes, each with where it stands."""
    position = func.coalesce(webhook_cursors.c.position, webhooks.c.since)
    query = (
        select(webhooks.c.id, position)
        .outerjoin(webhook_cursors, webhook_cursors.c.webhook == webhooks.c.id)
        .where(webhooks.c.removed_at.is_(None), position > head)
        .order_by(webhooks.c.id)
    )
    return [(row[0], row[1]) for row in await connection.execute(query)]


async def set_back(connection: AsyncConnection, webhook: str, head: int) -> None:
    """Let a webhook go on behind the end of the feed as it is now."""
    made = insert(webhook_cursors).values(webhook=webhook, position=head)
    await connection.execute(made.on_conflict_do_update(index_elements=["webhook"], set_={"position": head}))


async def unfinished(connection: AsyncConnection, before: datetime) -> list[tuple[str, datetime]]:
    """Circulars sent before then that have not ended, each with when it was sent."""
    query = select(circulars.c.id, circulars.c.sent_at)
    query = query.where(circulars.c.finished_at.is_(None), circulars.c.sent_at < before)
    return [tuple(row) for row in await connection.execute(query.order_by(circulars.c.sent_at))]
