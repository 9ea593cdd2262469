"""The units a clock is counted in. A clock is a budget in its own unit, and waits cost what they cover of it.

An amount is a timedelta whichever the unit; of working days, one day of it is one working day. Instants are those
a calendar gives, with a fixed offset, which Python compares and subtracts truly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Protocol

from rules.calendar import WorkingCalendar

Wait = tuple[datetime, datetime]
"""From when to when a clock stood still."""

_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)


class Measure(Protocol):
    """A unit of time: how much of it lies between two instants, and which instant lies an amount further."""

    def between(self, start: datetime, end: datetime) -> timedelta: ...

    def add(self, start: datetime, amount: timedelta) -> datetime: ...


@dataclass(frozen=True)
class OnTheClock:
    """Time as it passes, day and night."""

    calendar: WorkingCalendar

    def between(self, start: datetime, end: datetime) -> timedelta:
        return end - start

    def add(self, start: datetime, amount: timedelta) -> datetime:
        return self.calendar.local(start + amount)


@dataclass(frozen=True)
class InWorkingTime:
    """Time within working hours."""

    calendar: WorkingCalendar

    def between(self, start: datetime, end: datetime) -> timedelta:
        return self.calendar.between(start, end)

    def add(self, start: datetime, amount: timedelta) -> datetime:
        return self.calendar.add(start, amount)


@dataclass(frozen=True)
class InWorkingDays:
    """Working days, each as long as its hours: half a half day is half a working day."""

    calendar: WorkingCalendar

    def between(self, start: datetime, end: datetime) -> timedelta:
        first, gone = self._position(start)
        last, reached = self._position(end)
        return self.calendar.working_days(first, last) * _DAY + reached - gone

    def add(self, start: datetime, amount: timedelta) -> datetime:
        if not amount:
            return self.calendar.local(start)
        first, gone = self._position(start)
        days, rest = divmod(gone + amount, _DAY)
        if not rest:  # the end of a day, not the start of the next
            days, rest = days - 1, _DAY
        day = self.calendar.nth_working_day(first, days)
        return self.calendar.add(self.calendar.open_of(day), share(self._length(day), ratio(rest, _DAY)))

    def _position(self, instant: datetime) -> tuple[date, timedelta]:
        """The working day begun last, and how much of it is over."""
        day = self.calendar.working_day_of(instant)
        over = self.calendar.between(self.calendar.open_of(day), instant)
        length = self._length(day)
        return day, _DAY if over >= length else share(_DAY, ratio(over, length))

    def _length(self, day: date) -> timedelta:
        return self.calendar.between(self.calendar.open_of(day), self.calendar.close_of(day))


def share(amount: timedelta, fraction: Fraction) -> timedelta:
    """A part of an amount, to the nearest microsecond."""
    return timedelta(microseconds=round(amount // _MICROSECOND * fraction))


def ratio(part: timedelta, whole: timedelta) -> Fraction:
    """What part of an amount another one is, exactly."""
    return Fraction(part // _MICROSECOND, whole // _MICROSECOND)


def stretches(start: datetime, waits: Iterable[Wait]) -> Iterator[tuple[datetime, datetime | None]]:
    """The stretches from the start on in which a clock runs, the last without end. Waits may overlap."""
    for since, until in sorted(waits):
        if since > start:
            yield start, since
        start = max(start, until)
    yield start, None


def run(measure: Measure, start: datetime, amount: timedelta, waits: Iterable[Wait]) -> datetime:
    """When an amount is used up."""
    for since, until in stretches(start, waits):
        if until is None:
            return measure.add(since, amount)
        spent = measure.between(since, until)
        if amount <= spent:
            return measure.add(since, amount)
        amount -= spent
    raise AssertionError("the last stretch has no end")


def used(measure: Measure, start: datetime, end: datetime, waits: Iterable[Wait]) -> timedelta:
    """How much is used up at an instant; nothing before the start."""
    return sum(
        (
            measure.between(since, end if until is None else min(until, end))
            for since, until in stretches(start, waits)
            if since < end
        ),
        timedelta(),
    )
