"""What one message carries, what is told of it, and how its delivery is going."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    case,
    func,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.ledger import stream_of
from storage.tables import clocks, complaints, ledger, messages, notices

Told = Mapping[str, Any]
"""A notice with all that is said of it: `notice_…`, `case_…` and `clock_…` columns, and the ledger `entry`."""


class Ended(NamedTuple):
    """What became of one notice of a message."""

    notice: str
    complaint: str
    command: str | None
    version: str
    message: str
    accepted_at: datetime | None
    undeliverable_at: datetime | None
    reason: str


class Delay(NamedTuple):
    """How long a notice took from its record to the mail server's 250."""

    contract: str
    obligation: str
    """Empty when it tells of an act."""
    about: Literal["warning", "miss", "act"]
    by: timedelta


async def recipient(connection: AsyncConnection, message: str) -> str | None:
    """Whom a message was written to; nothing for one that was never written."""
    found: str | None = await connection.scalar(select(messages.c.person).where(messages.c.id == message))
    return found


async def given_up(connection: AsyncConnection, message: str) -> bool:
    """Whether every notice of a message was given up, so that it need not be sent."""
    query = select(notices.c.key).where(notices.c.message == message, notices.c.given_up_at.is_(None))
    return await connection.scalar(query.limit(1)) is None


async def told(connection: AsyncConnection, *, keys: Sequence[str] = (), message: str = "") -> list[Told]:
    """The notices with these keys, or of this message, each with its entry, case and clock; gravest first."""
    if keys:
        found = await connection.execute(_TOLD_BY_KEY, {"keys": list(keys)})
    else:
        found = await connection.execute(_TOLD_BY_MESSAGE, {"message": message})
    return [dict(row) for row in found.mappings()]


class Acknowledged(NamedTuple):
    """An acknowledgement of one notice about a clock."""

    key: str
    complaint: str
    clock: str
    role: str
    person: str
    """Id in the directory, else the role."""
    at: datetime
    follow: str
    until: datetime | None


async def acknowledged(connection: AsyncConnection, about: Sequence[tuple[str, str]]) -> list[Acknowledged]:
    """Every acknowledgement of a notice about one of these clocks, each a complaint and `obligation#n`; first first."""
    n = notices.c
    query = (
        select(n.key, n.complaint, n.clock, n.role, n.acknowledged_by, n.acknowledged_at, n.follow, n.until)
        .where(tuple_(n.complaint, n.clock).in_(about), n.acknowledged_at.is_not(None))
        .order_by(n.acknowledged_at, n.key)
    )
    return [Acknowledged(*row) for row in await connection.execute(query)]


async def failed(connection: AsyncConnection, message: str, error: str, at: datetime) -> None:
    """A try that did not succeed, for whoever looks why a message does not arrive."""
    await connection.execute(
        update(messages)
        .where(messages.c.id == message)
        .values(attempts=messages.c.attempts + 1, tried_at=at, last_error=error)
    )


async def settled(connection: AsyncConnection, message: str, at: datetime) -> None:
    """The last try. Complaints have to hear of what is undeliverable, and of acts that were told."""
    of_an_act = select(notices.c.key).where(notices.c.message == message, notices.c.command.is_not(None)).exists()
    await connection.execute(
        update(messages)
        .where(messages.c.id == message)
        .values(
            attempts=messages.c.attempts + 1,
            tried_at=at,
            untold=case((messages.c.undeliverable_at.is_not(None), True), else_=of_an_act),
        )
    )


async def delays(connection: AsyncConnection, message: str) -> list[Delay]:
    """How long each notice of a message took that was just accepted."""
    n = notices.c
    late = (n.rung == "due") | n.rung.startswith("+")
    about = case((n.clock.is_(None), "act"), (late, "miss"), else_="warning")
    obligation = func.coalesce(func.split_part(n.clock, "#", 1), "")
    query = select(n.contract, obligation, about, n.accepted_at - n.planned_at).where(
        n.message == message, n.accepted_at.is_not(None)
    )
    return [Delay(*row) for row in await connection.execute(query)]


async def flawed(connection: AsyncConnection, message: str, problem: str) -> None:
    """The message leaves in plain words, since something was wrong with its template."""
    await connection.execute(update(messages).where(messages.c.id == message).values(last_error=problem))


async def untold(connection: AsyncConnection, id_: str) -> list[Ended]:
    """What became of notices to this person that complaints may have to hear."""
    found = await connection.execute(
        select(
            notices.c.key,
            notices.c.complaint,
            notices.c.command,
            complaints.c.version,
            messages.c.id,
            messages.c.accepted_at,
            messages.c.undeliverable_at,
            func.coalesce(messages.c.reason, messages.c.reply, ""),
        )
        .join(messages, messages.c.id == notices.c.message)
        .join(complaints, complaints.c.id == notices.c.complaint)
        .where(messages.c.person == id_, messages.c.untold)
        .order_by(notices.c.key)
    )
    return [Ended(*row) for row in found]


async def tell_again(connection: AsyncConnection, complaint: str) -> None:
    """Have a complaint told again what became of its notices, and of the answers to crowds that they stand in: the run
    that had heard it is gone."""
    await connection.execute(update(notices).where(notices.c.complaint == complaint).values(covered=None))
    its = select(notices.c.message).where(notices.c.complaint == complaint)
    ended = messages.c.accepted_at.is_not(None) | messages.c.undeliverable_at.is_not(None)
    await connection.execute(update(messages).where(messages.c.id.in_(its), ended).values(untold=True))


async def heard(connection: AsyncConnection, of: Sequence[str]) -> None:
    """The complaints of these messages have heard what became of them."""
    await connection.execute(update(messages).where(messages.c.id.in_(of)).values(untold=False))


def _told(wanted: ColumnElement[bool]) -> Select[Any]:
    clock_id = func.concat(clocks.c.obligation, literal("#"), clocks.c.n)
    return (
        select(
            *(column.label(f"notice_{column.name}") for column in notices.c),
            *(column.label(f"case_{column.name}") for column in complaints.c),
            *(column.label(f"clock_{column.name}") for column in clocks.c),
            ledger.c.body.label("entry"),
        )
        .select_from(notices)
        .join(complaints, complaints.c.id == notices.c.complaint, isouter=True)
        .join(
            ledger,
            and_(ledger.c.stream == literal(stream_of("")) + notices.c.complaint, ledger.c.seq == notices.c.seq),
            isouter=True,
        )
        .join(clocks, and_(clocks.c.complaint == notices.c.complaint, clock_id == notices.c.clock), isouter=True)
        .where(wanted)
        .order_by(notices.c.urgent.desc(), notices.c.occurred_at, notices.c.key)
    )


_TOLD_BY_KEY = _told(notices.c.key == any_(bindparam("keys", type_=ARRAY(Text))))
_TOLD_BY_MESSAGE = _told(notices.c.message == bindparam("message"))
