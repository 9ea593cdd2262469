"""What waits for a person, what one message carries, and how its delivery is going."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, case, func, literal, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.duty import Nobody, comes_next, held_throughout, holder
from storage.directory import stored
from storage.impartiality import AGAINST
from storage.ledger import stream_of
from storage.tables import clocks, complaints, ledger, messages, notices

MOST = 200
"""Notices in one message; the rest leave with the next one at once."""

_CLAIMS = 0x706F7374  # "post"

Told = Mapping[str, Any]
"""A notice with all that is said of it: `notice_…`, `case_…` and `clock_…` columns, and the ledger `entry`."""


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


async def waiting(connection: AsyncConnection, groups: Sequence[Group]) -> list[Waiting]:
    """The notices of these groups that make the next message; held by this transaction until it ends.

    As many lines as a message holds, urgent ones first. All that wait of one crowd are one line.
    """
    line = func.coalesce(notices.c.crowd, notices.c.key)
    lines = (
        select(line)
        .join(complaints, complaints.c.id == notices.c.complaint)
        .where(waits(), of(groups))
        .group_by(line)
        .order_by(func.bool_or(notices.c.urgent).desc(), func.min(notices.c.planned_at), line)
        .limit(MOST)
    )
    found = await connection.execute(
        select(notices.c.key, notices.c.urgent, notices.c.crowd)
        .join(complaints, complaints.c.id == notices.c.complaint)
        .where(waits(), of(groups), line.in_(lines))
        .order_by(notices.c.urgent.desc(), notices.c.planned_at, notices.c.key)
        .with_for_update(of=notices, skip_locked=True)
    )
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


async def told(connection: AsyncConnection, *, keys: Sequence[str] = (), message: str = "") -> list[Told]:
    """The notices with these keys, or of this message, each with its entry, case and clock; gravest first."""
    wanted = notices.c.key.in_(keys) if keys else notices.c.message == message
    clock_id = func.concat(clocks.c.obligation, literal("#"), clocks.c.n)
    found = await connection.execute(
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


def waits() -> ColumnElement[bool]:
    """What waits for somebody to claim it, as its index says it. Nobody was on duty for some that tell of an act: the
    complaint went on, and whoever comes next is told all the same."""
    still = or_(notices.c.undeliverable_at.is_(None), notices.c.command.is_not(None))
    given_up = notices.c.given_up_at.is_not(None)
    return and_(notices.c.claimed_at.is_(None), notices.c.acknowledged_at.is_(None), still, ~given_up)


def of(groups: Sequence[Group]) -> ColumnElement[bool]:
    """What belongs to these groups, where a notice is joined with its complaint."""
    about = tuple_(notices.c.contract, notices.c.role, func.coalesce(AGAINST, ""))
    return about.in_([(group.contract, group.role, group.against or "") for group in groups])


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
