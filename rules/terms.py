"""What the terms of a contract mean for a moment: when a clock is due, why, and how much of it is used up.

Each term is laid out as a span: a unit, where counting begins and where it ends. Dues with waits, shares of the
budget and time consumed all follow from the span.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import count
from typing import Literal, NamedTuple

from rules.calendar import WorkingCalendar
from rules.explanation import Branch, Explanation, days_between
from rules.grammar import (
    EXAMPLES,
    ClockTime,
    DayOfMonth,
    Days,
    IfHoliday,
    InHours,
    Months,
    NextDay,
    Term,
    TermError,
    Weekday,
    WorkingDays,
    WorkingTime,
    parse_term,
)
from rules.measure import InWorkingDays, InWorkingTime, Measure, OnTheClock, Wait, run, share, used

__all__ = [
    "EXAMPLES",
    "Due",
    "Explanation",
    "Term",
    "TermError",
    "Wait",
    "after",
    "consumed",
    "due",
    "parse_term",
    "point",
]

_DAY = timedelta(days=1)


class Due(NamedTuple):
    """When something is due, in the calendar's zone, and why."""

    at: datetime
    provisional: bool
    """Whether it was counted in a year whose holidays are not published (invariant 9)."""
    explanation: Explanation


class _Span(NamedTuple):
    """A term laid out on the calendar: a budget of `measure` from `begin` to `end`."""

    measure: Measure
    begin: datetime
    end: datetime
    term: Term
    minds_holidays: bool = True
    """Whether other holidays could have moved the end."""
    branch: Branch | None = None


def due(term: Term, start: datetime, calendar: WorkingCalendar, waits: Sequence[Wait] = ()) -> Due:
    """When a clock that started then is due. Waits cost what they cover of the term's own unit (invariant 6)."""
    start, waits = calendar.local(start), _local(waits, calendar)
    span = _lay_out(term, start, calendar)
    budget = span.measure.between(span.begin, span.end)
    waited = waits and used(span.measure, span.begin, span.end, waits) < budget
    at = run(span.measure, span.begin, budget, waits) if waited else span.end
    explanation = _explain(span, start, at, calendar, waits)
    return Due(explanation.due, bool(explanation.provisional), explanation)


def point(
    term: Term,
    start: datetime,
    due: datetime,
    fraction: Fraction | Decimal,
    calendar: WorkingCalendar,
    waits: Sequence[Wait] = (),
) -> datetime:
    """When a share of the clock's own budget, counted in its own unit, is used up (invariant 14).

    Half of `2 working hours` is one working hour; half of `09:30 on the next working day` is 09:15 with hours from
    09:00. The due and the waits are those of the clock.
    """
    start, due, waits = calendar.local(start), calendar.local(due), _local(waits, calendar)
    span = _lay_out(term, start, calendar)
    budget = used(span.measure, span.begin, due, waits)
    if not budget:  # due before the desk opens: there is nothing to divide
        return due
    return max(start, run(span.measure, span.begin, share(budget, Fraction(fraction)), waits))


def after(
    offset: str | Term,
    due: datetime,
    calendar: WorkingCalendar,
    hours: Literal["any", "working"] = "any",
) -> datetime:
    """A ladder's step behind the due: any term, counted from it. `working` moves it to the next opening."""
    at = _lay_out(parse_term(offset), calendar.local(due), calendar).end
    return calendar.next_opening(at) if hours == "working" else at


def consumed(
    term: Term, start: datetime, until: datetime, waits: Sequence[Wait], calendar: WorkingCalendar
) -> timedelta:
    """How much of the budget is used up at an instant, net of waits, in the term's own unit (invariant 6).

    Of a term in working days, one day of the result is one working day.
    """
    span = _lay_out(term, calendar.local(start), calendar)
    return used(span.measure, span.begin, calendar.local(until), _local(waits, calendar))


def _local(waits: Iterable[Wait], calendar: WorkingCalendar) -> list[Wait]:
    return [(calendar.local(since), calendar.local(until)) for since, until in waits]


def _lay_out(term: Term, start: datetime, calendar: WorkingCalendar) -> _Span:  # noqa: PLR0911  one for each kind
    today = start.date()
    match term:
        case ClockTime():
            return _Span(OnTheClock(calendar), start, calendar.local(start + term.amount), term, minds_holidays=False)
        case WorkingTime():
            return _Span(InWorkingTime(calendar), start, calendar.add(start, term.amount), term)
        case WorkingDays():
            end = calendar.close_of(calendar.nth_working_day(today, term.days))
            return _Span(InWorkingDays(calendar), _end_of_day_0(today, calendar), end, term)
        case Days():
            last = _shift(today + term.days * _DAY, term.if_holiday, calendar)
            return _dated(term, calendar.at(today + _DAY), calendar.at(last + _DAY), term.if_holiday, calendar)
        case Months():
            last = _shift(_month(today, term.months, today.day), term.if_holiday, calendar)
            return _dated(term, calendar.at(today + _DAY), calendar.at(last + _DAY), term.if_holiday, calendar)
        case DayOfMonth():
            ends = (
                calendar.at(_shift(_month(today, n, term.day), term.if_holiday, calendar) + _DAY) for n in count(-1)
            )
            return _dated(term, start, _first_after(start, ends), term.if_holiday, calendar)
        case Weekday():
            monday = today - today.weekday() * _DAY
            days = (monday + (7 * week + term.weekday) * _DAY for week in count(-1))
            ends = (calendar.at(_shift(day, term.if_holiday, calendar), term.at) for day in days)
            return _dated(term, start, _first_after(start, ends), term.if_holiday, calendar)
        case NextDay():
            return _next_day(term, start, calendar)
        case InHours():
            return _in_hours(term, start, calendar)
    raise TypeError(f"{term!r} is no kind of term")


def _dated(term: Term, begin: datetime, end: datetime, where: IfHoliday, calendar: WorkingCalendar) -> _Span:
    return _Span(OnTheClock(calendar), begin, end, term, minds_holidays=where != "same")


def _end_of_day_0(today: date, calendar: WorkingCalendar) -> datetime:
    """Midnight, or the close of hours that began before it and run past it."""
    return max(calendar.at(today + _DAY), calendar.close_of(calendar.nth_working_day(today + _DAY, -1)))


def _next_day(term: NextDay, start: datetime, calendar: WorkingCalendar) -> _Span:
    today = start.date()
    if not term.working:
        day = _shift(today + _DAY, term.if_holiday, calendar)
        return _dated(term, max(start, calendar.at(day)), calendar.at(day, term.at), term.if_holiday, calendar)
    before_opening = calendar.is_working_day(today) and start < calendar.open_of(today)
    day = today if before_opening and start <= calendar.at(today, term.at) else calendar.nth_working_day(today, 1)
    return _Span(InWorkingTime(calendar), calendar.open_of(day), calendar.at(day, term.at), term)


def _in_hours(term: InHours, start: datetime, calendar: WorkingCalendar) -> _Span:
    """A break between the hours of one working day is no night: the desk answers when it is back."""
    if calendar.is_open(start):
        return _lay_out(term.in_hours, start, calendar)._replace(minds_holidays=True, branch="in hours")
    reopening = calendar.next_opening(start)
    if calendar.working_day_of(start) == calendar.working_day_of(reopening):
        return _lay_out(term.in_hours, reopening, calendar)._replace(minds_holidays=True, branch="break")
    return _lay_out(term.outside, start, calendar)._replace(minds_holidays=True, branch="outside")


def _shift(day: date, where: IfHoliday, calendar: WorkingCalendar) -> date:
    if where == "same" or calendar.is_working_day(day):
        return day
    return calendar.nth_working_day(day, 1 if where == "after" else -1)


def _month(day: date, months: int, day_of_month: int) -> date:
    """That date some months later, or the last one of a month too short."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    next_month = date(year + (month == 11), (month + 1) % 12 + 1, 1)
    return min(date(year, month + 1, 1) + (day_of_month - 1) * _DAY, next_month - _DAY)


def _first_after(start: datetime, ends: Iterator[datetime]) -> datetime:
    return next(end for end in ends if end > start)


def _explain(
    span: _Span, start: datetime, at: datetime, calendar: WorkingCalendar, waits: Sequence[Wait]
) -> Explanation:
    today = start.date()
    counts_days = isinstance(span.term, WorkingDays)
    final = max(start, at - timedelta(microseconds=1))  # 24:00 belongs to the date it ends
    last = calendar.working_day_of(final) if counts_days else final.date()
    by_date = isinstance(span.measure, OnTheClock)
    days = None if by_date else days_between(calendar, today if counts_days else today - _DAY, last)
    return Explanation(
        start=start,
        due=at,
        zone=calendar.spec.zone,
        term=span.term.text,
        branch=span.branch,
        counted_from=span.begin if span.branch == "break" else None,
        counted=span.term.days if isinstance(span.term, WorkingDays) else 0,
        first=calendar.nth_working_day(today, 1) if counts_days else None,
        last=last if counts_days else None,
        skipped=days.holidays if days else (),
        weekend=days.ordinary if days else 0,
        worked=days.special if days else (),
        waits=sum(since < at and until > span.begin for since, until in waits),
        provisional=tuple(calendar.unknown_years(today, last)) if span.minds_holidays else (),
    )
