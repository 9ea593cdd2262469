"""Crowds: what is told once for all cases of an incident, what joins it later, and the answer that holds for all of it.

A crowd is told to a person by a message that their server took. What comes later joins that message, without a mail,
unless it bounced or the person only took the crowd over until a time that is past.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.ledger import Entry
from rules.values import SYSTEM, Actor
from storage.content import Vault
from storage.impartiality import impartial
from storage.recording import record_next
from storage.tables import complaints, crowd_answers, messages, notices
from storage.unclaimed import Group, of, waits


class Answer(NamedTuple):
    """What the recipient of a message said to a crowd of it."""

    seq: int
    crowd: str
    role: str
    person: str
    answered_at: datetime
    follow: Literal["noted", "taken_over", "passed"]
    until: datetime | None
    passed_to: str | None


class Uncovered(NamedTuple):
    """A notice whose crowd was answered, and whose complaint has not heard of it."""

    notice: str
    complaint: str
    message: str
    answer: Answer


async def joining(
    connection: AsyncConnection, person: str, groups: Sequence[Group], now: datetime
) -> dict[str, list[str]]:
    """What waits in these groups and was told to this person already as part of its crowd: keys by the message that
    told it. Held by this transaction until it ends."""
    waiting = (
        select(notices.c.crowd)
        .join(complaints, complaints.c.id == notices.c.complaint)
        .where(waits(), of(groups), notices.c.crowd.is_not(None))
        .distinct()
    )
    over = select(crowd_answers.c.seq).where(
        crowd_answers.c.message == messages.c.id, crowd_answers.c.crowd == notices.c.crowd, crowd_answers.c.until <= now
    )
    told = await connection.execute(
        select(notices.c.crowd, messages.c.id)
        .join(messages, messages.c.id == notices.c.message)
        .where(notices.c.crowd.in_(waiting), messages.c.person == person, ~over.exists())
        .where(messages.c.accepted_at.is_not(None), messages.c.undeliverable_at.is_(None))
        .order_by(messages.c.accepted_at)
    )
    by: dict[str, str] = {row.crowd: row.id for row in told}  # of several the latest
    if not by:
        return {}
    found = await connection.execute(
        select(notices.c.key, notices.c.crowd)
        .join(complaints, complaints.c.id == notices.c.complaint)
        .where(waits(), of(groups), notices.c.crowd.in_(by))
        .order_by(notices.c.key)
        .with_for_update(of=notices, skip_locked=True)
    )
    joined: dict[str, list[str]] = {}
    for key, crowd in found:
        joined.setdefault(by[crowd], []).append(key)
    return joined


async def join(
    connection: AsyncConnection, vault: Vault, message: str, person: str, keys: Sequence[str], now: datetime
) -> None:
    """Put on record that a message told of these, too."""

    def joined(seq: int) -> Entry:
        data = {"person": person, "notices": list(keys)}
        return Entry(seq=seq, type="joined", by=SYSTEM, occurred_at=now, recorded_at=now, data=data)

    await record_next(connection, vault, message, joined)


async def answers(connection: AsyncConnection, message: str) -> dict[str, Answer]:
    """The answers to the crowds of a message, by crowd."""
    found = await connection.execute(
        select(*_ANSWER).where(crowd_answers.c.message == message).order_by(crowd_answers.c.seq)
    )
    return {answer.crowd: answer for answer in (Answer(*row) for row in found)}


async def answer(
    connection: AsyncConnection,
    vault: Vault,
    message: str,
    crowd: str,
    by: Actor,
    *,
    follow: str,
    until: datetime | None,
    to: str | None,
    now: datetime,
) -> bool:
    """Put on record what the recipient says to a crowd; false when something else was said before, which stands.

    The same answer again changes nothing.
    """

    def answered(seq: int) -> Entry:
        data = {"crowd": crowd, "follow": follow, "until": until.isoformat() if until else None, "to": to}
        said = {name: value for name, value in data.items() if value is not None}
        proved = f"link:acknowledge/{by.person}"
        return Entry(
            seq=seq,
            type="answered",
            by=by,
            via="page",
            authenticated_as=proved,
            occurred_at=now,
            recorded_at=now,
            data=said,
        )

    await connection.execute(select(messages.c.id).where(messages.c.id == message).with_for_update())
    before = (await answers(connection, message)).get(crowd)
    if before is not None:
        return (before.follow, before.until, before.passed_to) == (follow, until, to)
    await record_next(connection, vault, message, answered)
    return True


async def uncovered(connection: AsyncConnection, person: str) -> list[Uncovered]:
    """What an answer of this person holds for and whose complaint has to hear of it.

    Not complaints against the person (rule 37), nor closed ones, nor what was acknowledged by itself.
    """
    found = await connection.execute(_UNCOVERED, {"person": person})
    return [Uncovered(row[0], row[1], row[2], Answer(*row[3:])) for row in found]


async def covered(connection: AsyncConnection, told: Iterable[Uncovered]) -> None:
    """The complaints of these have heard of it."""
    by_seq: dict[int, list[str]] = {}
    for one in told:
        by_seq.setdefault(one.answer.seq, []).append(one.notice)
    for seq, keys in by_seq.items():
        await connection.execute(update(notices).where(notices.c.key.in_(keys)).values(covered=seq))


async def open_cases(connection: AsyncConnection, incidents: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """How many open complaints there are of these incidents, each given by contract and incident."""
    wanted = set(incidents)
    if not wanted:
        return {}
    about = complaints.c.contract, complaints.c.incident
    found = await connection.execute(
        select(*about, func.count())
        .where(tuple_(*about).in_(wanted), complaints.c.closed_at.is_(None))
        .group_by(*about)
    )
    return {(contract, incident): count for contract, incident, count in found}


_ANSWER = tuple(crowd_answers.c[name] for name in Answer._fields)


def uncovered_by(person: ColumnElement[Any]) -> Select[Any]:
    """The question of `uncovered`."""
    return (
        select(notices.c.key, notices.c.complaint, notices.c.message, *_ANSWER)
        .join(messages, messages.c.id == notices.c.message)
        .join(
            crowd_answers, and_(crowd_answers.c.message == notices.c.message, crowd_answers.c.crowd == notices.c.crowd)
        )
        .join(complaints, complaints.c.id == notices.c.complaint)
        .where(messages.c.person == person, notices.c.acknowledged_at.is_(None), complaints.c.closed_at.is_(None))
        .where(impartial(person))
        .where(func.coalesce(notices.c.covered, 0) < crowd_answers.c.seq)
        .order_by(notices.c.key)
    )


_UNCOVERED = uncovered_by(bindparam("person"))
