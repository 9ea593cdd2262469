"""The public holidays of whole years as somebody states them: what is wrong with them, and what is new in them.

A year is known as a whole or not at all (invariant 9): what is stated of a year replaces what was known of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated

from pydantic import Field, TypeAdapter

from rules.calendar_spec import CalendarSpec, Holiday

YearNumber = Annotated[int, Field(ge=1900, le=2199)]
Holidays = Annotated[tuple[Holiday, ...], Field(max_length=366)]
Years = dict[int, tuple[Holiday, ...]]

LONGEST_NAME = 100
"""Characters in the name of a holiday."""

_YEARS = TypeAdapter(Years)


def mistakes(years: Mapping[int, tuple[Holiday, ...]]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Everything wrong with years as stated: where, from the year on, and why."""
    for year, holidays in years.items():
        if not holidays:
            yield (str(year),), f"has no holidays; leave {year} out until they are published"
        said: dict[date, str] = {}
        for index, holiday in enumerate(holidays):
            here = (str(year), index)
            names = [holiday.name] if isinstance(holiday.name, str) else list(holiday.name.values())
            if not names or not all(0 < len(name) <= LONGEST_NAME for name in names):
                yield (*here, "name"), f"must have 1 to {LONGEST_NAME} characters"
            if not holiday.off and not holiday.work:
                yield here, "gives no day; list the days under `off`, and those worked in return under `work`"
            for kind, days in (("off", holiday.off), ("work", holiday.work)):
                for place, day in enumerate(days):
                    if day.year != year:
                        yield (*here, kind, place), f"{day} lies in {day.year}, not in {year}"
                    elif (before := said.get(day)) is not None:
                        twice = "stands here twice" if before == kind else "is both off and worked"
                        yield (*here, kind, place), f"{day} {twice}"
                    said.setdefault(day, kind)


def unusable(calendar: CalendarSpec) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Everything wrong with the years that a contract states itself, by the keys of the file."""
    if calendar.years and calendar.statutory is None:
        reason = "the calendar names no country; add `statutory: CN`, or write closures and working days"
        yield ("calendar", "years"), reason
    for path, reason in mistakes(calendar.years):
        yield ("calendar", "years", *path), reason


def differ(known: Mapping[int, tuple[Holiday, ...]], stated: Mapping[int, tuple[Holiday, ...]]) -> Years:
    """Those of the stated years whose days are not what is known of them. Another name changes no due."""
    return {
        year: holidays
        for year, holidays in sorted(stated.items())
        if year not in known or _days(known[year]) != _days(holidays)
    }


def changed_days(before: tuple[Holiday, ...], after: tuple[Holiday, ...]) -> tuple[set[date], set[date]]:
    """The days that are off by the second account and not by the first, and those that are worked only by it."""
    (off, work), (off_now, work_now) = _days(before), _days(after)
    return set(off_now - off) | set(work - work_now), set(work_now - work) | set(off - off_now)


def fingerprint(holidays: tuple[Holiday, ...]) -> str:
    """The same days give the same text, whatever they are called."""
    off, work = _days(holidays)
    return hashlib.sha256(f"{sorted(off)} {sorted(work)}".encode()).hexdigest()[:16]


def years_json(years: Years) -> bytes:
    """Years as text: equal years give the same."""
    return _YEARS.dump_json(dict(sorted(years.items())))


def plain(years: Years) -> dict[str, list[dict[str, object]]]:
    """Years as the ledger and a contract file write them."""
    dumped: dict[int, list[dict[str, object]]] = _YEARS.dump_python(years, mode="json", exclude_defaults=True)
    return {str(year): holidays for year, holidays in dumped.items()}


def years_of(text: bytes) -> Years:
    """The years in such a text."""
    return _YEARS.validate_json(text)


def _days(holidays: tuple[Holiday, ...]) -> tuple[frozenset[date], frozenset[date]]:
    off = frozenset(day for holiday in holidays for day in holiday.off)
    return off, frozenset(day for holiday in holidays for day in holiday.work)
