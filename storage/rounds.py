"""What one round of delivery asks first, in one question; and who need not be poked, since a round comes by itself.

A Post whose notices gather says so here before it waits. Whoever records more for its person looks here after the
commit: while the word stands, the round that ends the gathering has not begun to read, so that it finds what was
committed. A round that finds the word takes it back and reads again.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, ColumnElement, Select, Text, bindparam, delete, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.crowds import uncovered_by
from storage.directory import Person
from storage.tables import clocks, complaints, gatherings, messages, people

HERD = timedelta(minutes=15)
"""So long after its due time a clock that nobody has judged is about to be; one that is older is stuck."""

LAPSE = timedelta(minutes=1)
"""So long after its end a gathering still counts; later its Post is taken for lost, and poked."""


class Standing(NamedTuple):
    """How it stands with a person's mail."""

    who: Person | None
    """As the directory has them now; nothing for somebody who left it."""
    unsent: str | None
    """The oldest message claimed and left behind by a crash or an outage."""
    untold: bool
    """Whether a complaint has to hear what became of a message."""
    answered: bool
    """Whether a complaint has to hear of an answer to a crowd that it stands in."""
    gathers: bool
    """Whether somebody was told that a round comes by itself."""
    mails: list[datetime]
    """When their server took a message lately, in order."""


def _standing() -> Select[Any]:
    id_: ColumnElement[str] = bindparam("person")
    its = messages.c.person == id_
    unsent = (
        select(messages.c.id)
        .where(its, messages.c.accepted_at.is_(None), messages.c.undeliverable_at.is_(None))
        .order_by(messages.c.claimed_at)
        .limit(1)
    )
    lately = its, messages.c.accepted_at >= bindparam("since", type_=messages.c.accepted_at.type)
    mails = select(func.array_agg(aggregate_order_by(messages.c.accepted_at, messages.c.accepted_at))).where(*lately)
    one = select(literal(1)).subquery()
    return select(
        unsent.scalar_subquery(),
        select(literal(1)).where(its, messages.c.untold).exists(),
        uncovered_by(id_).exists(),
        select(literal(1)).where(gatherings.c.person == id_).exists(),
        mails.scalar_subquery(),
        *(people.c[name] for name in Person.model_fields),
    ).select_from(one.outerjoin(people, people.c.id == id_))


_STANDING = _standing()


async def standing(connection: AsyncConnection, person: str, since: datetime) -> Standing:
    """How it stands with a person's mail, with what their server took since then."""
    unsent, untold, answered, gathers, mails, *found = (
        await connection.execute(_STANDING, {"person": person, "since": since})
    ).one()
    fields = dict(zip(Person.model_fields, found, strict=True))
    who = Person.model_validate(fields) if fields["id"] is not None else None
    return Standing(who, unsent, untold, answered, gathers, list(mails or ()))


async def gather(connection: AsyncConnection, person: str, ends_at: datetime) -> None:
    """A round comes by itself then, or before."""
    row = insert(gatherings).values(person=person, ends_at=ends_at)
    await connection.execute(
        row.on_conflict_do_update(index_elements=["person"], set_={"ends_at": row.excluded.ends_at})
    )


async def begin(connection: AsyncConnection, person: str) -> None:
    """A round begins: what is committed from now on it may not find. In a transaction of its own, before it reads."""
    await connection.execute(delete(gatherings).where(gatherings.c.person == person))


async def gathering(connection: AsyncConnection, persons: Collection[str], now: datetime) -> set[str]:
    """For whom of these a round comes by itself. To be asked after the commit of what it is to find."""
    wanted = gatherings.c.person.in_(persons), gatherings.c.ends_at > now - LAPSE
    return set(await connection.scalars(select(gatherings.c.person).where(*wanted)))


async def overdue(connection: AsyncConnection, contracts: Collection[str], now: datetime) -> set[str]:
    """Which of these contracts have clocks that are past due and not judged yet, so that more notices are to come."""
    asked = {"contracts": sorted(contracts), "since": now - HERD, "now": now}
    return set(await connection.scalars(_OVERDUE, asked))


def _overdue() -> Select[Any]:
    c, time = clocks.c, clocks.c.due_at.type
    asked = func.unnest(bindparam("contracts", type_=ARRAY(Text))).column_valued("asked")
    due = c.due_at > bindparam("since", type_=time), c.due_at <= bindparam("now", type_=time)
    unjudged = (
        select(literal(1))
        .join(complaints, complaints.c.id == c.complaint)
        .where(c.status == "running", c.paused_at.is_(None), *due, complaints.c.contract == asked)
    )
    return select(asked).where(unjudged.exists())


_OVERDUE = _overdue()
