"""Working time between instants: what the hours of a contract make of a moment, an amount, a date.

Every question is a bisection in a compiled timetable that grows as far as it is asked. Nothing is
rounded and nothing is capped.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache
from typing import NamedTuple

from rules.calendar_spec import CLOCK_CHANGE, CalendarSpec, Label
from rules.timetable import FIRST_YEAR, LAST_YEAR, Compiler, OutsideCalendarError, Timetable

__all__ = ["OutsideCalendarError", "Skipped", "WorkingCalendar", "calendar_for"]

_NOTHING = timedelta()
_ANY_YEAR = 2026  # where a timetable begins to grow from
_FAR = 100  # years; whoever asks about them has most likely mistyped one


class Skipped(NamedTuple):
    """A date that does not work, and why."""

    day: date
    name: Label


class WorkingCalendar:
    """Answers in working time for one `CalendarSpec`.

    Instants go in with any offset and come out in the calendar's zone, with a fixed offset: so they read, compare
    and subtract the same before and after a trip through JSON, in the hour the clocks repeat as well. Windows are
    closed at the start and open at the end; an amount that ends exactly at closing ends at closing. A working day is
    a local date on which hours start; hours past midnight belong to the date they start on. Instances may be shared
    between threads. Whatever would lie outside the years 2 to 9998 raises OutsideCalendarError.
    """

    def __init__(self, spec: CalendarSpec) -> None:
        self.spec = spec
        self._compiler = Compiler(spec)
        self.zone = self._compiler.zone
        self._table = self._compiler.compile(_ANY_YEAR, _ANY_YEAR)

    # Working time

    def add(self, instant: datetime, amount: timedelta) -> datetime:
        """The instant this much working time later; earlier if the amount is negative."""
        if amount <= _NOTHING:
            return self.subtract(instant, -amount) if amount else self.local(instant)
        at = _utc(instant)
        table = self._covering(at, at)
        target = table.worked(at) + amount
        while target > table.before[-1]:
            table = self._further(table, forward=True)
            target = table.worked(at) + amount
        window = bisect_left(table.before, target) - 1
        return self.local(table.starts[window] + (target - table.before[window]))

    def subtract(self, instant: datetime, amount: timedelta) -> datetime:
        """The instant this much working time earlier; an amount that ends exactly at opening ends at opening."""
        if amount <= _NOTHING:
            return self.add(instant, -amount) if amount else self.local(instant)
        at = _utc(instant)
        table = self._covering(at, at)
        target = table.worked(at) - amount
        while target < _NOTHING:
            table = self._further(table, forward=False)
            target = table.worked(at) - amount
        window = bisect_right(table.before, target) - 1
        return self.local(table.starts[window] + (target - table.before[window]))

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Working time from one instant to another; negative if the second is earlier."""
        first, last = _utc(start), _utc(end)
        table = self._covering(first, last) if first <= last else self._covering(last, first)
        return table.worked(last) - table.worked(first)

    def is_open(self, instant: datetime) -> bool:
        """Whether the instant lies in working hours; the instant of closing does not."""
        at = _utc(instant)
        table = self._covering(at, at)
        window = bisect_right(table.starts, at) - 1
        return window >= 0 and at < table.ends[window]

    def next_opening(self, instant: datetime) -> datetime:
        """The instant itself if it lies in working hours, else the next start of hours."""
        at = _utc(instant)
        table = self._covering(at, at)
        while (window := bisect_right(table.ends, at)) == len(table.ends):
            table = self._further(table, forward=True)
        return self.local(max(at, table.starts[window]))

    # Working days

    def is_working_day(self, day: date) -> bool:
        """Whether any hours start on this date."""
        days, ordinal = self._covering_days(day, day).days, day.toordinal()
        return days[bisect_right(days, ordinal) - 1] == ordinal if days else False

    def nth_working_day(self, day: date, n: int) -> date:
        """The n-th working day after this date, which is day 0 whether or not it works; before it if n is negative."""
        if not n:
            return day
        ordinal = day.toordinal()
        table = self._covering_days(day, day)
        while True:
            index = bisect_right(table.days, ordinal) + n - 1 if n > 0 else bisect_left(table.days, ordinal) + n
            if 0 <= index < len(table.days):
                return date.fromordinal(table.days[index])
            table = self._further(table, forward=n > 0)

    def working_days(self, start: date, end: date) -> int:
        """Working days after the first date up to the second, as `nth_working_day` counts; negative backwards."""
        table = self._covering_days(min(start, end), max(start, end))
        side = bisect_right if start <= end else bisect_left
        return side(table.days, end.toordinal()) - side(table.days, start.toordinal())

    def open_of(self, day: date) -> datetime:
        """Start of the first hours of a working day. Raises ValueError for a date that does not work."""
        table, index = self._find(day)
        return self.local(table.starts[table.first[index]])

    def close_of(self, day: date) -> datetime:
        """Close of business: the end of the last hours of a working day, which may lie past its midnight.

        Raises ValueError for a date that does not work.
        """
        table, index = self._find(day)
        return self.local(table.ends[table.first[index + 1] - 1])

    def working_day_of(self, instant: datetime) -> date:
        """The working day whose hours began last, whether or not they have ended."""
        at = _utc(instant)
        table = self._covering(at, at)
        while (window := bisect_right(table.starts, at) - 1) < 0:
            table = self._further(table, forward=False)
        return date.fromordinal(table.days[bisect_right(table.first, window) - 1])

    def skipped(self, start: date, end: date) -> list[Skipped]:
        """The dates after the first up to the second that do not work, each with its reason."""
        off = (day for day in dates(start, end) if not self.is_working_day(day))
        return [Skipped(day, self.spec.on(day).name or CLOCK_CHANGE) for day in off]

    def unknown_years(self, start: date, end: date) -> list[int]:
        """Years touched whose statutory holidays are not published, so that counting there is provisional."""
        return [year for year in range(start.year, end.year + 1) if not self.spec.knows(year)]

    # Local time

    def local(self, instant: datetime) -> datetime:
        """The same instant in the calendar's zone, with the offset of that moment."""
        return instant.astimezone(_offset(instant.astimezone(self.zone).utcoffset()))

    def at(self, day: date, clock: time = time.min) -> datetime:
        """The first instant at which the local clock shows this date and time; midnight by default."""
        return self.local(self._compiler.first_showing(datetime.combine(day, clock)))

    # The timetable, as far as it is needed

    def _covering(self, first: datetime, last: datetime) -> Timetable:
        table = self._table
        if table.since <= first and last < table.until:
            return table
        try:
            return self._reaching(self.local(first).year, self.local(last).year)
        except OverflowError:
            raise OutsideCalendarError from None

    def _covering_days(self, first: date, last: date) -> Timetable:
        table = self._table
        if table.first_year <= first.year and last.year <= table.last_year:
            return table
        return self._reaching(first.year, last.year)

    def _further(self, table: Timetable, *, forward: bool) -> Timetable:
        span = table.last_year - table.first_year + 1  # doubling: a long way takes few steps
        if forward and table.last_year < LAST_YEAR:
            return self._reaching(table.first_year, min(table.last_year + span, LAST_YEAR))
        if not forward and table.first_year > FIRST_YEAR:
            return self._reaching(max(table.first_year - span, FIRST_YEAR), table.last_year)
        raise OutsideCalendarError

    def _reaching(self, first_year: int, last_year: int) -> Timetable:
        kept = self._table
        if first_year - kept.last_year > _FAR or kept.first_year - last_year > _FAR:
            return self._compiler.compile(first_year, last_year)  # answered, not carried along by everybody else
        table = self._compiler.compile(min(kept.first_year, first_year), max(kept.last_year, last_year))
        self._table = table  # one assignment: threads see the old table or the new one, each complete
        return table

    def _find(self, day: date) -> tuple[Timetable, int]:
        table = self._covering_days(day, day)
        index = bisect_left(table.days, day.toordinal())
        if index == len(table.days) or table.days[index] != day.toordinal():
            raise ValueError(f"{day} is no working day")
        return table, index


@lru_cache(maxsize=1024)
def _offset(offset: timedelta | None) -> timezone:
    return timezone(offset or timedelta())


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no offset; working time needs to know the instant")
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise OutsideCalendarError from None


def dates(start: date, end: date) -> Iterator[date]:
    """The dates after the first up to the second."""
    return (start + timedelta(days=n) for n in range(1, (end - start).days + 1))


@lru_cache(maxsize=256)
def _compiled(key: str) -> WorkingCalendar:
    return WorkingCalendar(CalendarSpec.model_validate_json(key))


def calendar_for(spec: CalendarSpec) -> WorkingCalendar:
    """The compiled calendar, one for all who hold an equal spec: thousands of open complaints share it."""
    return _compiled(spec.key)
