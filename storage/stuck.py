"""What could not be delivered or recorded, and what to do about it: nothing gives up silently (invariant 15)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Text, cast, func, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.coverage import told
from storage import contracts, feed, turns, unclaimed, webhooks
from storage.directory import stored
from storage.ledger import stream_of
from storage.tables import complaints, ledger, messages, notices, rejects


@dataclass(frozen=True, slots=True)
class Stuck:
    """Something that stands still until somebody acts."""

    what: str
    """`undeliverable notice`, `waiting notice`, `refused signal`, `rejected start`, `role with nobody`,
    `waiting webhook` or `paused webhook`."""
    where: str
    """What `retry` and `give-up` name it by: a notice's key, complaint#entry, a workflow, a webhook; or a role."""
    since: datetime | None
    why: str
    do: str


async def stuck(connection: AsyncConnection, now: datetime, *, waiting: timedelta, past: timedelta) -> list[Stuck]:
    """Everything that is stuck, oldest first, roles with nobody before all.

    A notice or an event is stuck once it has waited for `waiting`, unless its mail waits for the rate of its provider.
    What can no longer be mended (rejected starts, notices of closed complaints) is listed for `past`; the tables keep
    it for ever.
    """
    found = [
        *await _undeliverable(connection, now - past),
        *await _waiting(connection, now, now - waiting),
        *await _refused(connection),
        *await _rejected(connection, now - past),
        *await _webhooks(connection, now - waiting),
    ]
    timed = sorted(((item.since, item) for item in found if item.since), key=lambda pair: pair[0])
    return [*await _nobody(connection, now), *(item for _, item in timed)]


async def _undeliverable(connection: AsyncConnection, after: datetime) -> list[Stuck]:
    query = (
        select(notices, messages.c.reason.label("said"))
        .join(complaints, complaints.c.id == notices.c.complaint)
        .outerjoin(messages, messages.c.id == notices.c.message)
        .where(notices.c.state.in_(("undeliverable", "bounced")), notices.c.undeliverable_at.is_not(None))
        .where(notices.c.given_up_at.is_(None))
        .where(or_(complaints.c.closed_at.is_(None), notices.c.undeliverable_at >= after))
    )
    return [
        Stuck(
            "undeliverable notice",
            row.key,
            row.undeliverable_at,
            row.said or row.reason or "",
            f"Tell {row.person or row.role} another way and give it up, or correct the directory and retry."
            + (" Whoever comes on duty is mailed it." if row.command and not row.message else ""),
        )
        for row in await connection.execute(query)
    ]


async def _waiting(connection: AsyncConnection, now: datetime, before: datetime) -> list[Stuck]:
    in_turn = await turns.waiting(connection, now)
    behind = (await unclaimed.behind(connection, now)).persons if in_turn else {}
    held = [group for person in in_turn for group in behind.get(person, ())]
    query = (
        select(notices, messages.c.last_error)
        .outerjoin(messages, messages.c.id == notices.c.message)
        .join(complaints, complaints.c.id == notices.c.complaint)
        .where(notices.c.state.in_(("planned", "claimed")), notices.c.planned_at < before)
        .where(or_(notices.c.person.is_(None), notices.c.person.not_in(in_turn)))
    )
    if held:
        query = query.where(or_(notices.c.claimed_at.is_not(None), not_(unclaimed.of(held))))
    return [
        Stuck(
            "waiting notice",
            row.key,
            row.planned_at,
            row.last_error or ("claimed, not sent yet" if row.claimed_at else "nobody has claimed it yet"),
            "See whether a worker runs and the mail server answers; it is sent as soon as both do.",
        )
        for row in await connection.execute(query)
    ]


async def _refused(connection: AsyncConnection) -> list[Stuck]:
    data, later = ledger.c.body["data"], ledger.alias("later")
    given_up = select(later.c.seq).where(
        later.c.stream == ledger.c.stream,
        later.c.type == "given_up",
        later.c.body["data"]["refused"].astext == cast(ledger.c.seq, Text),
    )
    query = (
        select(complaints.c.id, ledger.c.seq, ledger.c.recorded_at, data["command"].astext, data["reason"].astext)
        .join(complaints, func.concat(stream_of(""), complaints.c.id) == ledger.c.stream)
        .where(ledger.c.type == "refused", complaints.c.closed_at.is_(None), ~given_up.exists())
    )
    do = "Correct it, send it again, and give this one up."
    return [
        Stuck("refused signal", f"{complaint}#{seq}", at, f"{command}: {reason}", do)
        for complaint, seq, at, command, reason in await connection.execute(query)
    ]


async def _rejected(connection: AsyncConnection, after: datetime) -> list[Stuck]:
    query = select(rejects).where(rejects.c.recorded_at >= after, rejects.c.given_up_at.is_(None))
    return [
        Stuck("rejected start", row.workflow_id, row.recorded_at, row.reason, "Correct the start and send it again.")
        for row in await connection.execute(query)
    ]


async def _webhooks(connection: AsyncConnection, before: datetime) -> list[Stuck]:
    """Subscriptions whose oldest event waits, and those that were paused since nobody listens there any more."""
    found: list[Stuck] = []
    for hook in await webhooks.listing(connection):
        where = f"{hook.id} {hook.origin}"
        if hook.state == "paused" and hook.paused_why == "gone":
            do = f"Ask its owner; then `ombud webhook resume {hook.id}`, or remove it and add its new address."
            found.append(Stuck("paused webhook", where, hook.paused_at, "its receiver says 410 Gone", do))
        if hook.state != "active":
            continue
        oldest = await feed.waiting_since(connection, hook.contract, hook.position, hook.events)
        since = max(oldest, hook.sent_at or oldest) if oldest else None  # who takes one after the other is not stuck
        if since and since < before:
            why = hook.last_error or "nobody has sent it yet"
            do = (
                f"Mend its receiver, then `ombud webhook resume {hook.id}` tries at once; else it is tried every 10 "
                "minutes. See whether a worker runs if nothing is tried."
            )
            found.append(Stuck("waiting webhook", where, since, why, do))
    return found


async def _nobody(connection: AsyncConnection, now: datetime) -> list[Stuck]:
    return [
        Stuck(
            "role with nobody",
            f"{name} {role}",
            None,
            "the contract tells this role, and the directory names nobody",
            "Add a holder to the directory and import it.",
        )
        for name, role in await unheld(connection, now)
    ]


async def unheld(connection: AsyncConnection, now: datetime) -> list[tuple[str, str]]:
    """Contract and role of everybody who is told something by a contract in force, where nobody holds the role."""
    directory = await stored(connection)
    return [
        (name, role)
        for name, contract in sorted((await contracts.latest(connection, now)).items())
        for role in sorted(told(contract))
        if not (directory and directory.holders(name, role))
    ]
