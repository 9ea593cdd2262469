"""What waits for a person until a message carries it, and who stands behind what waits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.duty import Nobody, comes_next, held_throughout, holder
from storage.directory import stored
from storage.impartiality import AGAINST
from storage.tables import complaints, messages, notices

MOST = 200
"""Notices in one message; the rest leave with the next one at once."""

_CLAIMS = 0x706F7374  # "post"


class Waiting(NamedTuple):
    """A notice that nobody has claimed."""

    key: str
    urgent: bool
    crowd: str | None


class Group(NamedTuple):
    """Notices that wait for the same role in cases against the same person, and so for one recipient."""

    contract: str
    role: str
    against: str | None
    waiting: int
    since: datetime
    """When the oldest of them came."""
    newest: datetime
    urgent: bool
    """Whether one of them is."""
    crowds: bool
    """Whether one of them is told once for all cases of an incident."""


class Behind(NamedTuple):
    """Who stands behind what waits."""

    persons: dict[str, list[Group]]
    nobody: dict[Group, str]
    """With the reason."""
    late: set[str]
    """Those of the persons who did not stand there all the time since, and may not know that it waits."""
    soon: dict[Group, tuple[datetime, str]]
    """Where nobody stands now, when somebody will, and who."""

    @property
    def heirs(self) -> set[str]:
        """Everybody who comes on duty next where nobody stands now."""
        return {heir for _, heir in self.soon.values()}

    def begins(self, person: str) -> datetime | None:
        """When the next shift of a person begins for which something waits."""
        return min((begins for begins, heir in self.soon.values() if heir == person), default=None)

    def count(self, person: str) -> int:
        """How many notices wait for this person, those held by other transactions included."""
        return sum(group.waiting for group in self.persons.get(person, ()))

    def crowds(self, person: str) -> bool:
        """Whether something of it is told once for all cases of an incident."""
        return any(group.crowds for group in self.persons.get(person, ()))


class Unmanned(NamedTuple):
    """A notice that waits and behind whose role nobody stands."""

    notice: str
    complaint: str
    reason: str
    heir: str | None
    """Who comes on duty next, and has to know that something waits."""


async def behind(connection: AsyncConnection, at: datetime, person: str | None = None) -> Behind:
    """Who stands behind everything that waits at this instant; with a person, only behind roles in their reach."""
    directory = await stored(connection)
    if person is None:
        rows = await connection.execute(_GROUPS)
    else:
        rows = await connection.execute(_IN_REACH, {"roles": list(directory.reach(person)) if directory else []})
    found = Behind({}, {}, set(), {})
    for row in rows:
        group = Group(*row)
        told = holder(directory, group.contract, group.role, at, group.against)
        if isinstance(told, Nobody):
            found.nobody[group] = told.reason
            if next_ := comes_next(directory, group.contract, group.role, at, group.against):
                found.soon[group] = next_
        else:
            found.persons.setdefault(told, []).append(group)
            if directory and not held_throughout(directory, *group[:2], group.since, at, group.against):
                found.late.add(told)
    return found


async def take(connection: AsyncConnection, groups: Sequence[Group]) -> list[Waiting]:
    """The notices of these groups that make the next message; held by this transaction until it ends.

    As many lines as a message holds, urgent ones first. All that wait of one crowd are one line.
    """
    found = await connection.execute(_WAITING_NOW, {"groups": _named(groups), "most": MOST})
    return [Waiting(*row) for row in found]


async def urgent(connection: AsyncConnection, groups: Sequence[Group], message: str | None = None) -> bool:
    """Whether something urgent stands in a message, or waits in one of these groups."""
    within = and_(waits(), of(groups)) if groups else literal(False)
    query = (
        select(notices.c.key)
        .join(complaints, complaints.c.id == notices.c.complaint)
        .where(notices.c.urgent, or_(within, notices.c.message == message) if message else within)
        .limit(1)
    )
    return await connection.scalar(query) is not None


async def unmanned(connection: AsyncConnection, found: Behind) -> list[Unmanned]:
    """The notices behind which nobody stands, as far as their complaint is open, can go on to the next step, and has
    not heard of it."""
    if not found.nobody:
        return []
    rows = await connection.execute(
        select(notices.c.key, notices.c.complaint, notices.c.contract, notices.c.role, AGAINST)
        .join(complaints, complaints.c.id == notices.c.complaint)
        .where(waits(), of(list(found.nobody)))
        .where(notices.c.undeliverable_at.is_(None), complaints.c.closed_at.is_(None))
        .order_by(notices.c.key)
    )
    reasons = {group[:3]: (reason, found.soon.get(group)) for group, reason in found.nobody.items()}
    waiting = []
    for key, complaint, *about in rows:
        reason, next_ = reasons[(*about,)]
        waiting.append(Unmanned(key, complaint, reason, next_[1] if next_ else None))
    return waiting


async def who_waits(connection: AsyncConnection, found: Behind) -> list[str]:
    """Everybody with something to deliver or to report, now or from their next shift on: whom to poke after the
    directory changed or data came back."""
    open_ = messages.c.accepted_at.is_(None) & messages.c.undeliverable_at.is_(None)
    begun = await connection.scalars(select(messages.c.person).where(open_ | messages.c.untold).distinct())
    return sorted({*found.persons, *found.heirs, *begun})


async def alone(connection: AsyncConnection, id_: str) -> None:
    """Let one transaction at a time claim for a person: what a crowd was told must not be told twice."""
    await connection.execute(select(func.pg_advisory_xact_lock(_CLAIMS, func.hashtext(id_))))


def waits() -> ColumnElement[bool]:
    """What waits for somebody to claim it, as its index says it. Nobody was on duty for some that tell of an act: the
    complaint went on, and whoever comes next is told all the same."""
    still = or_(notices.c.undeliverable_at.is_(None), notices.c.command.is_not(None))
    given_up = notices.c.given_up_at.is_not(None)
    return and_(notices.c.claimed_at.is_(None), notices.c.acknowledged_at.is_(None), still, ~given_up)


def of(groups: Sequence[Group]) -> ColumnElement[bool]:
    """What belongs to these groups, where a notice is joined with its complaint."""
    return _ABOUT.in_(_named(groups))


def _named(groups: Sequence[Group]) -> list[tuple[str, str, str]]:
    return [(group.contract, group.role, group.against or "") for group in groups]


_ABOUT = tuple_(notices.c.contract, notices.c.role, func.coalesce(AGAINST, ""))


_GROUPS = (
    select(
        notices.c.contract,
        notices.c.role,
        AGAINST,
        func.count(),
        func.min(notices.c.planned_at),
        func.max(notices.c.planned_at),
        func.bool_or(notices.c.urgent),
        func.bool_or(notices.c.crowd.is_not(None)),
    )
    .join(complaints, complaints.c.id == notices.c.complaint)
    .where(waits())
    .group_by(notices.c.contract, notices.c.role, AGAINST)
)


_IN_REACH = _GROUPS.where(notices.c.role.in_(bindparam("roles", expanding=True)))


def _waiting() -> Select[Any]:
    line = func.coalesce(notices.c.crowd, notices.c.key)
    within = _ABOUT.in_(bindparam("groups", expanding=True))
    lines = (
        select(line)
        .join(complaints, complaints.c.id == notices.c.complaint)
        .where(waits(), within)
        .group_by(line)
        .order_by(func.bool_or(notices.c.urgent).desc(), func.min(notices.c.planned_at), line)
        .limit(bindparam("most", type_=Integer))
    )
    return (
        select(notices.c.key, notices.c.urgent, notices.c.crowd)
        .join(complaints, complaints.c.id == notices.c.complaint)
        .where(waits(), within, line.in_(lines))
        .order_by(notices.c.urgent.desc(), notices.c.planned_at, notices.c.key)
        .with_for_update(of=notices, skip_locked=True)
    )


_WAITING_NOW = _waiting()
