"""The directory as a value: people, when they are on duty, who stands in for them, and who holds which role.

Live, not pinned (invariant 8). Hours, shifts and absences are wall-clock time of the person's own zone unless they
name an offset. `rules.duty` says what follows from it at an instant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import pairwise
from operator import itemgetter
from typing import Annotated, Any, Literal, NamedTuple, Self
from zoneinfo import ZoneInfo

from pydantic import (
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    Tag,
    field_validator,
    model_validator,
)

from rules.document import Path
from rules.hours import Hours, Week, Windows, parse_window, pattern
from rules.timetable import first_showing
from rules.values import Name, Value

EVERY = "*"
"""Stands for every contract that has no line of its own for a role."""

NONE = "none"
"""In place of a deputy: nobody stands in, and that is meant."""

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d:\d\d)?)?")


class Interval(NamedTuple):
    """From an instant up to another, which is not part of it; both in UTC."""

    start: datetime
    end: datetime

    def __contains__(self, at: object) -> bool:
        return isinstance(at, datetime) and self.start <= at < self.end

    def meets(self, other: Interval) -> Interval | None:
        """What both have in common."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Interval(start, end) if start < end else None


def _moment(value: object) -> date:
    if isinstance(value, datetime):
        value = value.isoformat()
    elif isinstance(value, date):
        return _imaginable(value)
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        raise ValueError(f"{value!r} is neither a date such as 2026-12-24 nor a time such as 2026-12-24 18:00")
    try:
        return _imaginable(datetime.fromisoformat(value) if len(value) > 10 else date.fromisoformat(value))
    except ValueError as error:
        raise ValueError(f"{value!r} is no moment: {error}") from None


def _imaginable(value: date) -> date:
    if not 1900 <= value.year <= 2199:
        raise ValueError("the year lies outside 1900 to 2199; look for a mistyped one")
    return value


Moment = Annotated[date, PlainValidator(_moment), PlainSerializer(lambda value: value.isoformat(), return_type=str)]
"""A whole date, or a time of day on it (then a datetime), in the person's zone unless it has an offset."""


class _Stretch(Value):
    """From a moment to another; an end given as a date is the last whole day of it."""

    model_config = ConfigDict(populate_by_name=True)

    starts: Moment = Field(alias="from")
    ends: Moment = Field(alias="to")

    def interval(self, zone: ZoneInfo) -> Interval | None:
        """The stretch in a person's zone; nothing when no time lies in it."""
        last = self.ends if isinstance(self.ends, datetime) else self.ends + timedelta(days=1)
        start, end = _instant(self.starts, zone), _instant(last, zone)
        return Interval(start, end) if start < end else None


def _instant(moment: date, zone: ZoneInfo) -> datetime:
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time.min)
    return first_showing(moment, zone) if moment.tzinfo is None else moment.astimezone(UTC)


class DatedShift(_Stretch):
    """A shift of any length. On a date on which one begins, it stands in place of the weekly hours."""


class DatedHours(Value):
    """A date that works these hours in place of the weekly ones; none at all when the list is empty."""

    on: date
    hours: Windows = ()


class Absence(_Stretch):
    """Away, and who stands in. Without a deputy somebody else must be on duty in each role of the person, unless the
    deputy is `none`: then a role may be left with nobody (`rules.absences`)."""

    deputy: Name | None = None

    @property
    def stands_in(self) -> str | None:
        """The deputy, if there is one."""
        return None if self.deputy == NONE else self.deputy


def _form(value: object) -> str:
    return "date" if isinstance(value, DatedHours) or (isinstance(value, dict) and "on" in value) else "stretch"


Shift = Annotated[Annotated[DatedHours, Tag("date")] | Annotated[DatedShift, Tag("stretch")], Discriminator(_form)]

_Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")
]


class Reached(Value):
    """How a person is reached."""

    name: _Line
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s<>,;\x00-\x1f]+@[^@\s<>,;\x00-\x1f]+$", max_length=254)]
    language: Literal["en", "zh-CN"]
    zone: str
    """IANA time zone in which this person reads times and works."""

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, OSError, ValueError):
            raise ValueError(f"unknown time zone {zone!r}; use an IANA name such as Asia/Shanghai") from None
        return zone


class Member(Reached):
    """A person of the directory. Without hours and shifts always on duty."""

    hours: Week | None = None
    """Weekly, as a contract's calendar writes them."""
    shifts: tuple[Shift, ...] = ()
    absences: tuple[Absence, ...] = ()

    @model_validator(mode="after")
    def _sound(self) -> Self:
        for stretch in (*self.absences, *(shift for shift in self.shifts if isinstance(shift, DatedShift))):
            if stretch.interval(self.clock) is None:
                raise ValueError(f"from {stretch.starts} to {stretch.ends} ends before it begins")
        for (one, earlier), (other, later) in pairwise(sorted(self.away, key=itemgetter(1))):
            if later.start < earlier.end:
                raise ValueError(f"two absences overlap, from {one.starts} and from {other.starts}; make them one")
        return self

    @property
    def always(self) -> bool:
        """Neither hours nor shifts: on duty day and night."""
        return self.hours is None and not self.shifts

    @cached_property
    def clock(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    @cached_property
    def away(self) -> tuple[tuple[Absence, Interval], ...]:
        """Every absence with the time it takes."""
        spans = ((absence, absence.interval(self.clock)) for absence in self.absences)
        return tuple((absence, span) for absence, span in spans if span)

    @cached_property
    def week(self) -> tuple[tuple[Hours, ...], ...]:
        """The windows of the seven weekdays."""
        return pattern(self.hours or {})

    @cached_property
    def dated(self) -> dict[date, list[Interval]]:
        """The dates that do not follow the week, each with the shifts that begin on it."""
        days: dict[date, list[Interval]] = {}
        for shift in self.shifts:
            if isinstance(shift, DatedHours):
                days.setdefault(shift.on, []).extend(self.windows(shift.on, map(parse_window, shift.hours)))
            elif span := shift.interval(self.clock):
                days.setdefault(span.start.astimezone(self.clock).date(), []).append(span)
        return days

    def windows(self, day: date, hours: Any) -> Iterator[Interval]:
        """Hours of a date as instants; what the local clock skips is left out."""
        midnight = datetime.combine(day, time.min)
        for window in hours:
            start, end = (first_showing(midnight + timedelta(minutes=at), self.clock) for at in window)
            if start < end:
                yield Interval(start, end)


class Fault(NamedTuple):
    """Something wrong between the parts of a directory, and where: the keys that lead there."""

    path: Path
    reason: str


class UnsoundError(ValueError):
    """The parts of a directory do not fit each other."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, fault.path))}: {fault.reason}" for fault in faults))
        self.faults = faults


class Directory(Value):
    """The whole directory, as its file has it."""

    people: dict[Name, Member] = Field(min_length=1)
    roles: dict[Name | Literal["*"], dict[Name, Annotated[tuple[Name, ...], Field(min_length=1)]]]
    """Contract, or `*`, to role to its holders, the first to be told first."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if faults := list(self._faults()):
            raise UnsoundError(faults)
        return self

    def holders(self, contract: str, role: str) -> tuple[str, ...]:
        """Who holds a role of a contract, in order; nobody where neither the contract nor `*` has a line for it."""
        own = self.roles.get(contract, {}).get(role)
        return own if own is not None else self.roles.get(EVERY, {}).get(role, ())

    def reach(self, person: str) -> set[str]:
        """Every role whose notices may come to a person: held, or held by somebody they may stand in for."""
        behind, new = {person}, {person}
        while new:
            new = {
                id_
                for id_, member in self.people.items()
                if id_ not in behind and any(absence.stands_in in behind for absence in member.absences)
            }
            behind |= new
        return {role for roles in self.roles.values() for role, held in roles.items() if behind & set(held)}

    def _faults(self) -> Iterator[Fault]:
        for contract, roles in self.roles.items():
            for role, persons in roles.items():
                path = ("roles", contract, role)
                if unknown := [person for person in persons if person not in self.people]:
                    yield Fault(path, f"names {', '.join(unknown)}, who is not among the people")
                if len(set(persons)) < len(persons):
                    yield Fault(path, "names somebody twice")
        if NONE in self.people:
            yield Fault(("people", NONE), "is what an absence without a deputy says; give this person another id")
        for id_, member in self.people.items():
            for index, absence in enumerate(member.absences):
                for reason in self._wrong_with(id_, absence):
                    yield Fault(("people", id_, "absences", index), reason)

    def _wrong_with(self, person: str, absence: Absence) -> Iterator[str]:
        span, deputy = absence.interval(self.people[person].clock), absence.stands_in
        if deputy is None:
            return
        if deputy not in self.people:
            yield f"the deputy {deputy} is not among the people"
        elif span and (ring := self._ring((person,), deputy, span)):
            yield f"the deputies lead back: {' → '.join(ring)}; name somebody else"

    def _ring(self, seen: tuple[str, ...], deputy: str, span: Interval) -> tuple[str, ...]:
        """The chain of deputies that meets itself at some time of this span; empty when none does."""
        chain = (*seen, deputy)
        if deputy in seen:
            return chain
        for absence, away in self.people[deputy].away if deputy in self.people else ():
            both = span.meets(away)
            if both and absence.stands_in and (ring := self._ring(chain, absence.stands_in, both)):
                return ring
        return ()
