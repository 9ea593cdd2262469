"""The small grammar in which a contract says when something is due. Parsed once; a term is a value.

    15 minutes · 24 hours · 90 seconds      on the clock on the wall, day and night
    15 working minutes · 2 working hours    in working time only
    7 working days                          to the close of business of the 7th working day after the start's date
    30 days · 8 weeks · 6 months · 3 years  to the end of a date; the start's date is not counted
    09:30 on the next working day           before opening on a working day: the same day
    09:30 on the next day                   the calendar's next day, in the letter
    the 5th of the month                    to the end of the next 5th
    Friday 17:00                            the next one
    at once                                 due the moment it starts

A date that may fall on a day off says what then: `the 5th of the month, if holiday: before | after | same` (`same`
unless said). Two terms may share a promise: `{in hours: 15 minutes, outside: 09:30 on the next working day}`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from functools import lru_cache
from typing import Any, Literal

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from rules.hours import WEEKDAYS

IfHoliday = Literal["before", "after", "same"]
"""Where a due date on a day off goes: the working day before, the working day after, nowhere."""


class TermError(ValueError):
    """A text that is no term; says which one and what can be written instead."""


@dataclass(frozen=True)
class Term:
    """When something is due, counted from a start. In JSON it is the text, or the mapping, of the contract file."""

    text: str

    @property
    def source(self) -> str | dict[str, str]:
        """The term as the contract file writes it."""
        return self.text

    def __str__(self) -> str:
        return self.text

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            parse_term,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda term: term.source),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        text = {"type": "string", "examples": EXAMPLES}
        both = {
            "type": "object",
            "properties": {"in hours": text, "outside": text},
            "required": ["in hours", "outside"],
            "additionalProperties": False,
        }
        return {"anyOf": [text, both]}


@dataclass(frozen=True)
class ClockTime(Term):
    """An amount on the clock on the wall: 17:50 and `15 minutes` make 18:05, whatever the hours are."""

    amount: timedelta


@dataclass(frozen=True)
class WorkingTime(Term):
    """An amount of working time; one that ends exactly at closing ends at closing."""

    amount: timedelta


@dataclass(frozen=True)
class WorkingDays(Term):
    """Ends at the close of business of the n-th working day after the start's date."""

    days: int


@dataclass(frozen=True)
class Days(Term):
    """Ends with the n-th date after the start's date, at 24:00 local time."""

    days: int
    if_holiday: IfHoliday = "same"


@dataclass(frozen=True)
class Months(Term):
    """Ends with the same date n months later, or with that month's last date, at 24:00 local time."""

    months: int
    if_holiday: IfHoliday = "same"


@dataclass(frozen=True)
class NextDay(Term):
    """A time of day on the next day, or on the next working day.

    `working`: before opening on a working day the same day is meant, if the time is still to come.
    """

    at: time
    working: bool
    if_holiday: IfHoliday = "same"


@dataclass(frozen=True)
class DayOfMonth(Term):
    """Ends with the next such date, at 24:00 local time; a month too short ends with its last date."""

    day: int
    if_holiday: IfHoliday = "same"


@dataclass(frozen=True)
class Weekday(Term):
    """The next such weekday (Monday is 0) and time of day after the start."""

    weekday: int
    at: time
    if_holiday: IfHoliday = "same"


@dataclass(frozen=True)
class InHours(Term):
    """One term for a start in working hours, another for a start outside."""

    in_hours: Term
    outside: Term

    @property
    def source(self) -> dict[str, str]:
        return {"in hours": self.in_hours.text, "outside": self.outside.text}


EXAMPLES = [
    "15 minutes",
    "15 working minutes",
    "2 working hours",
    "24 hours",
    "7 working days",
    "30 days",
    "6 months",
    "3 years",
    "09:30 on the next working day",
    "the 5th of the month",
    "Friday 17:00",
    "at once",
]

_FULL_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TIME = r"(?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d)"
LONGEST = timedelta(days=365 * 100)
"""Longer ones are slips, leave the calendar's end behind and take seconds to count."""
_ROUGHLY = {"second": timedelta(seconds=1), "minute": timedelta(minutes=1), "hour": timedelta(hours=1)} | {
    unit: timedelta(days=days) for unit, days in (("day", 1), ("week", 7), ("month", 30), ("year", 365))
}
"""What a unit takes, counted by the calendar."""

_AMOUNT = re.compile(r"(?P<n>\d{1,6}) (?P<working>working )?(?P<unit>second|minute|hour|day|week|month|year)s?")
_NEXT_DAY = re.compile(_TIME + r" on the next (?P<working>working )?day")
_DAY_OF_MONTH = re.compile(r"the (?P<day>[1-9]|[12]\d|3[01])(?:st|nd|rd|th) of the month")
_WEEKDAY = re.compile(rf"(?P<weekday>{'|'.join((*_FULL_NAMES, *WEEKDAYS))}) {_TIME}")
_IF_HOLIDAY = re.compile(r"(?P<term>.*?), if holiday: (?P<where>before|after|same)")


def parse_term(value: object) -> Term:
    """The term a contract writes as a text, or as `{in hours: …, outside: …}`. Raises TermError."""
    if isinstance(value, Term):
        return value
    if isinstance(value, str):
        return _parse_text(value)
    if not isinstance(value, Mapping):
        raise TermError(f"{value!r} is no term; write a text such as 15 minutes")
    if value.keys() == {"in hours", "outside"}:
        in_hours, outside = value["in hours"], value["outside"]
        if isinstance(in_hours, str) and isinstance(outside, str):
            one, other = _parse_text(in_hours), _parse_text(outside)
            return InHours(f"in hours {one.text}, outside {other.text}", one, other)
    raise TermError(f"{value!r} is no term; write a text such as 15 minutes, or {{in hours: …, outside: …}}")


@lru_cache(maxsize=1024)
def _parse_text(text: str) -> Term:
    words = " ".join(text.split()).lower()
    suffix = _IF_HOLIDAY.fullmatch(words)
    term = _parse_words(text, suffix["term"] if suffix else words, suffix["where"] if suffix else None)
    if term is None:
        raise TermError(f"{text!r} is no term; write one like {', '.join(EXAMPLES)}")
    return term


def _parse_words(text: str, words: str, where: Any) -> Term | None:
    if where is None and words == "at once":
        return ClockTime(text, timedelta())
    if match := _AMOUNT.fullmatch(words):
        return _amount(text, int(match["n"]), match["unit"], bool(match["working"]), where)
    if match := _NEXT_DAY.fullmatch(words):
        return NextDay(text, _time(match), bool(match["working"]), where or "same")
    if match := _DAY_OF_MONTH.fullmatch(words):
        return DayOfMonth(text, int(match["day"]), where or "same")
    if match := _WEEKDAY.fullmatch(words):
        return Weekday(text, WEEKDAYS.index(match["weekday"][:3]), _time(match), where or "same")
    return None


def _amount(text: str, n: int, unit: str, working: bool, where: Any) -> Term | None:
    if n == 0:
        raise TermError(f"{text!r} gives no time; write: at once")
    if n * _ROUGHLY[unit] * (1 if not working else 2.8 if unit == "day" else 8) > LONGEST:
        raise TermError(
            f"{text!r} is longer than anybody waits (100 years, or 50 of working time); look for a mistyped amount"
        )
    if unit in {"month", "year"} and not working:
        return Months(text, n * 12 if unit == "year" else n, where or "same")
    if unit in {"day", "week"} and not working:
        return Days(text, _days(n, unit), where or "same")
    if where is not None:
        raise TermError(f"{text!r} never ends on a day off by its date; leave out: if holiday")
    if working and unit == "day":
        return WorkingDays(text, n)
    if unit in {"week", "month", "year"}:
        raise TermError(f"{text!r} is not defined; count in working days")
    amount = timedelta(**{f"{unit}s": n})
    return WorkingTime(text, amount) if working else ClockTime(text, amount)


def _days(n: int, unit: str) -> int:
    return n * 7 if unit == "week" else n


def _time(match: re.Match[str]) -> time:
    return time(int(match["hour"]), int(match["minute"]))
