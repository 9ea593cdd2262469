"""The hours of a calendar compiled into instants: sorted windows with running sums, some whole years of them.

A local time that the clocks skip means the moment they jump; one they show twice means the first time. Both are one
rule: the first instant at which the local clock shows that time or a later one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, time, timedelta, tzinfo
from itertools import accumulate
from typing import NamedTuple
from zoneinfo import ZoneInfo

from rules.calendar_spec import CalendarSpec
from rules.hours import DAY

FIRST_YEAR, LAST_YEAR = MINYEAR + 1, MAXYEAR - 1
"""A year short of what datetime can hold at either end, so that no zone's offset leads out of it."""

_MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1)


class OutsideCalendarError(ValueError):
    """The answer lies outside the years 2 to 9998; look for a mistyped year."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class Window(NamedTuple):
    """Working time in UTC, and the proleptic ordinal of the day it belongs to."""

    day: int
    start: datetime
    end: datetime


class Timetable(NamedTuple):
    """The working windows of some years, in order. Immutable: a calendar that grows gets a new one."""

    first_year: int
    last_year: int
    since: datetime
    """When the first year begins locally; this and all instants here in UTC."""
    until: datetime
    """When the last year ends locally."""
    starts: list[datetime]
    ends: list[datetime]
    before: list[timedelta]
    """Working time before each window, and at the end that of all."""
    days: list[int]
    """Proleptic ordinals of the working days."""
    first: list[int]
    """Index of each working day's first window, and at the end the number of windows."""

    def worked(self, at: datetime) -> timedelta:
        """Working time of this table before an instant (UTC) in its years."""
        following = bisect_right(self.starts, at)
        window = following - 1
        if window < 0 or at >= self.ends[window]:
            return self.before[following]
        return self.before[window] + (at - self.starts[window])


class Compiler:
    """Compiles years of one calendar; a year is compiled once."""

    def __init__(self, spec: CalendarSpec) -> None:
        self.zone = ZoneInfo(spec.zone)
        self._spec = spec
        self._years: dict[int, list[Window]] = {}

    def compile(self, first_year: int, last_year: int) -> Timetable:
        """The timetable of these years. Raises OutsideCalendarError where datetime ends."""
        if first_year < FIRST_YEAR or last_year > LAST_YEAR:
            raise OutsideCalendarError
        new_year = date(first_year, 1, 1)
        # The last day of the year before may run past midnight into this one.
        windows = list(self._windows_on(new_year - _DAY, None))
        for year in range(first_year, last_year + 1):
            windows += self._windows_of(year)
        first = [n for n, window in enumerate(windows) if not n or windows[n - 1].day != window.day]
        return Timetable(
            first_year,
            last_year,
            since=self.first_showing(datetime.combine(new_year, time.min)),
            until=self.first_showing(datetime.combine(date(last_year + 1, 1, 1), time.min)),
            starts=[window.start for window in windows],
            ends=[window.end for window in windows],
            before=list(accumulate((window.end - window.start for window in windows), initial=timedelta())),
            days=[windows[n].day for n in first],
            first=[*first, len(windows)],
        )

    def first_showing(self, local: datetime) -> datetime:
        """The first instant (UTC) at which the local clock shows this time or a later one."""
        return first_showing(local, self.zone)

    def _windows_of(self, year: int) -> list[Window]:
        """The windows that start in the year, in order."""
        if year not in self._years:
            new_year = date(year, 1, 1)
            days = [new_year + timedelta(days=n) for n in range((date(year + 1, 1, 1) - new_year).days + 2)]
            offsets = [datetime(d.year, d.month, d.day, tzinfo=self.zone).utcoffset() for d in days]
            windows: list[Window] = []
            for day, today, tomorrow, next_day in zip(days, offsets, offsets[1:], offsets[2:], strict=False):
                windows += self._windows_on(day, today if today == tomorrow == next_day else None)
            self._years[year] = windows
        return self._years[year]

    def _windows_on(self, day: date, offset: timedelta | None) -> Iterator[Window]:
        """The windows that start on a date. The offset from UTC is given if none of them can see it change."""
        hours = self._spec.on(day).hours
        if not hours:
            return
        # Hours of two dates overlap only where a dated exception meets a night shift: the earlier date keeps them.
        taken = max((window.end for window in self._spec.on(day - _DAY).hours), default=0) - DAY
        midnight, ordinal = datetime.combine(day, time.min), day.toordinal()
        for window in hours:
            start = max(window.start, taken)
            if offset is not None:
                base = midnight.replace(tzinfo=UTC) - offset
                opening, closing = base + timedelta(minutes=start), base + timedelta(minutes=window.end)
            else:
                opening = self.first_showing(midnight + timedelta(minutes=start))
                closing = self.first_showing(midnight + timedelta(minutes=window.end))
            if opening < closing:
                yield Window(ordinal, opening, closing)


def first_showing(local: datetime, zone: tzinfo) -> datetime:
    """The first instant (UTC) at which the clock of a zone shows this time or a later one."""
    after = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if _shown(after, zone) == local:
        return after
    before = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    while after - before > _MICROSECOND:  # a skipped time: close in on the jump
        middle = before + (after - before) // 2
        if _shown(middle, zone) < local:
            before = middle
        else:
            after = middle
    return after


def _shown(at: datetime, zone: tzinfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None, fold=0)
