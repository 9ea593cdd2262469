"""Who is on duty: from the directory to the one person who is told now (invariants 8, 13), and to nobody's hours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from rules.directory import Absence, Directory, Interval, Member

NOBODY = "nobody stands behind the role"
OFF_DUTY = "nobody on duty"


class Nobody(NamedTuple):
    """There is nobody to tell."""

    reason: str


class Gap(NamedTuple):
    """A role has nobody from an instant up to another, in UTC."""

    start: datetime
    end: datetime
    reason: str


def on_shift(member: Member, at: datetime) -> bool:
    """Whether a person's hours or shifts cover an instant; absences are another matter."""
    return member.always or any(at in window for window in windows(member, at, at + timedelta(microseconds=1)))


def absence(member: Member, at: datetime) -> Absence | None:
    """The absence that an instant lies in."""
    return next((absence for absence, span in member.away if at in span), None)


def windows(member: Member, since: datetime, until: datetime) -> Iterator[Interval]:
    """Every stretch of duty of a person with hours or shifts that meets this period."""
    period = Interval(since, until)
    yield from (shift for shifts in member.dated.values() for shift in shifts if shift.meets(period))
    day = since.astimezone(member.clock).date() - timedelta(days=2)  # weekly hours end on the day after at the latest
    last = until.astimezone(member.clock).date()
    while day <= last:
        if day not in member.dated:
            yield from (hours for hours in member.windows(day, member.week[day.weekday()]) if hours.meets(period))
        day += timedelta(days=1)


def holder(
    directory: Directory | None, contract: str, role: str, at: datetime, against: str | None = None
) -> str | Nobody:
    """The id of the person who is told at an instant what a role of a contract is told.

    The first holder on duty, else the first deputy on duty of an absent holder, never one that the complaint is
    `against`: ids separated by spaces, as its row has them (rule 37).
    """
    held = directory.holders(contract, role) if directory else ()
    barred = set((against or "").split())
    if directory is None or not set(held) - barred:
        return Nobody(NOBODY)
    people = directory.people
    for person in held:
        if person not in barred and not absence(people[person], at) and on_shift(people[person], at):
            return person
    for person in held:
        deputy = _deputy(directory, person, at)
        if deputy not in {None, person, *barred} and on_shift(people[str(deputy)], at):
            return str(deputy)
    return Nobody(OFF_DUTY)


def _deputy(directory: Directory, person: str, at: datetime) -> str | None:
    """Who stands in for an absent person at last; the person itself when not absent, nobody without a deputy."""
    now: str | None = person
    while now is not None and (away := absence(directory.people[now], at)):
        now = away.deputy
    return now


def held_throughout(
    directory: Directory, contract: str, role: str, since: datetime, until: datetime, against: str | None = None
) -> bool:
    """Whether one and the same person was told all the time from one instant to another."""
    steps = _steps(directory, directory.holders(contract, role), since.astimezone(UTC), until.astimezone(UTC))
    told = {holder(directory, contract, role, start, against) for start, _ in steps}
    return told <= {holder(directory, contract, role, until, against)}


def gaps(directory: Directory | None, contract: str, role: str, since: datetime, until: datetime) -> Iterator[Gap]:
    """When nobody stands behind a role in a period, in order; what touches is one gap."""
    held = directory.holders(contract, role) if directory else ()
    gap: Gap | None = None
    for start, end in _steps(directory, held, since.astimezone(UTC), until.astimezone(UTC)):
        found = holder(directory, contract, role, start)
        if isinstance(found, Nobody):
            gap = Gap(gap.start if gap else start, end, found.reason)
        elif gap:
            yield gap
            gap = None
    if gap:
        yield gap


def _steps(
    directory: Directory | None, held: Iterable[str], since: datetime, until: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """The period, cut wherever a holder or somebody standing in comes or goes: in between nothing changes."""
    cuts = {since, until}
    people = directory.people if directory else {}
    ahead, seen = list(held), set(held)
    while ahead:
        member = people[ahead.pop()]
        spans = () if member.always else windows(member, since, until)
        cuts |= {at for span in (*spans, *(away for _, away in member.away)) for at in span if since < at < until}
        deputies = {absence.deputy for absence in member.absences if absence.deputy} - seen
        ahead += deputies
        seen |= deputies
    return pairwise(sorted(cuts))
