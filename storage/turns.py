"""How many mails a provider may be sent in a time, over all workers: who may send now, and when it is whose turn.

A provider is known by the domain of the address. Each mail takes a slot, which is free again once the rate's period has
passed: never more slots than the rate allows lie in any period of that length. Who finds none waits; urgent mail comes
first among those who wait. Who does not come when it is their turn holds nobody up.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, literal, select, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import mail_slots, mail_turns

LAPSE = timedelta(minutes=1)
"""So long after its time a turn is kept for whoever waits for it."""

_LOCK = 0x72617465  # "rate"


async def ask(
    connection: AsyncConnection,
    person: str,
    domain: str,
    *,
    mails: int,
    period: timedelta,
    urgent: bool,
    now: datetime,
) -> timedelta:
    """Zero when this person's mail may leave now, and a slot is taken for it; else how long until it asks again.

    The rate is `mails` in a `period`, each of which begins whenever one looks.
    """
    await connection.execute(select(func.pg_advisory_xact_lock(_LOCK, func.hashtext(domain))))
    await connection.execute(
        delete(mail_slots).where(mail_slots.c.domain == domain, mail_slots.c.taken_at <= now - period)
    )
    await connection.execute(
        delete(mail_turns).where(mail_turns.c.domain == domain, mail_turns.c.comes_at < now - LAPSE)
    )
    turn = (
        await connection.execute(select(mail_turns.c.since, mail_turns.c.urgent).where(mail_turns.c.person == person))
    ).one_or_none()
    since, urgent = (turn.since, urgent or turn.urgent) if turn else (now, urgent)
    rank = tuple_(~mail_turns.c.urgent, mail_turns.c.since, mail_turns.c.person)
    mine = tuple_(literal(not urgent), literal(since, mail_turns.c.since.type), literal(person))
    ahead = await connection.scalar(
        select(func.count())
        .select_from(mail_turns)
        .where(mail_turns.c.domain == domain, mail_turns.c.person != person, rank < mine)
    )
    used = (
        await connection.scalars(
            select(mail_slots.c.taken_at).where(mail_slots.c.domain == domain).order_by(mail_slots.c.taken_at)
        )
    ).all()
    free, ahead = mails - len(used), ahead or 0
    if free > ahead:
        await connection.execute(delete(mail_turns).where(mail_turns.c.person == person))
        await connection.execute(insert(mail_slots).values(domain=domain, taken_at=now))
        return timedelta()
    # Those ahead take what is free now; then each slot is free again one period after it was taken.
    rounds, place = divmod(ahead - free, mails)
    taken = [*used, *[now] * free]
    comes_at = taken[place] + period * (rounds + 1)
    await connection.execute(
        upsert(mail_turns)
        .values(person=person, domain=domain, urgent=urgent, since=since, comes_at=comes_at)
        .on_conflict_do_update(
            index_elements=[mail_turns.c.person], set_={"domain": domain, "urgent": urgent, "comes_at": comes_at}
        )
    )
    wait: timedelta = comes_at - now
    return wait


async def waiting(connection: AsyncConnection, now: datetime) -> set[str]:
    """Everybody whose mail waits for its turn."""
    found = await connection.scalars(select(mail_turns.c.person).where(mail_turns.c.comes_at >= now - LAPSE))
    return set(found)
