"""Hours of a day and of a week on the wall clock, as a contract writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BeforeValidator

DAY = 24 * 60
"""Minutes of a day on the wall clock."""

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Hours(NamedTuple):
    """A window on the wall clock, in minutes from midnight of the day it starts on; the end may be a day later."""

    start: int
    end: int


_WINDOW = re.compile(r"(\d\d):([0-5]\d)\s*-\s*(\d\d):([0-5]\d)")


def parse_window(text: str) -> Hours:
    match = _WINDOW.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no window; write it as 09:00-18:00")
    h1, m1, h2, m2 = (int(part) for part in match.groups())
    start, end = h1 * 60 + m1, h2 * 60 + m2
    if start >= DAY or end > DAY:
        raise ValueError(f"{text!r} has a time that no clock shows; the latest end is 24:00")
    if start == end:
        raise ValueError(f"{text!r} is empty; the whole day is 00:00-24:00")
    return Hours(start, end if end > start else end + DAY)


def _parse_days(text: str) -> tuple[int, ...]:
    """Weekdays, Monday is 0, of `mon-fri`, `sat` or `mon, wed-thu`."""
    days: list[int] = []
    for part in text.lower().split(","):
        ends = [end.strip() for end in part.split("-")]
        if len(ends) > 2 or any(end not in WEEKDAYS for end in ends):
            raise ValueError(f"{text!r} names no weekdays; use {', '.join(WEEKDAYS)} and ranges such as mon-fri")
        first, last = WEEKDAYS.index(ends[0]), WEEKDAYS.index(ends[-1])
        days += [day % 7 for day in range(first, last + 1 + (7 if last < first else 0))]
    return tuple(days)


def _window_text(text: str) -> str:
    parse_window(text)
    return text


def _days_text(text: str) -> str:
    _parse_days(text)
    return text


def _refuse_overlap(windows: Iterable[Hours]) -> None:
    for earlier, later in pairwise(sorted(windows)):
        if later.start < earlier.end:
            raise ValueError(f"overlapping hours: {_show(earlier)} and {_show(later)}")


def _show(window: Hours) -> str:
    day = WEEKDAYS[window.start // DAY % 7] + " " if window.start >= DAY or window.end > 2 * DAY else ""
    start, end = window.start % DAY, (window.end - 1) % DAY + 1
    return f"{day}{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"


def _disjoint(windows: tuple[str, ...]) -> tuple[str, ...]:
    _refuse_overlap(parse_window(text) for text in windows)
    return windows


def _one_or_many(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Window = Annotated[str, AfterValidator(_window_text)]
Windows = Annotated[tuple[Window, ...], BeforeValidator(_one_or_many), AfterValidator(_disjoint)]
"""Hours of one day, such as `["09:00-12:00", "13:00-18:00"]`; `22:00-06:00` runs past midnight."""


def pattern(hours: Mapping[str, tuple[str, ...]]) -> tuple[tuple[Hours, ...], ...]:
    """The windows of the seven weekdays."""
    week: list[tuple[Hours, ...]] = [()] * 7
    for days, windows in hours.items():
        for day in _parse_days(days):
            week[day] = tuple(sorted(parse_window(text) for text in windows))
    return tuple(week)


def _sound_week(hours: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    named = [day for days in hours for day in _parse_days(days)]
    for day in named:
        if named.count(day) > 1:
            raise ValueError(f"{WEEKDAYS[day]} is named twice")
    if not any(hours.values()):
        raise ValueError("empty calendar: no weekday has any hours")
    # Eight days: what runs past midnight on Sunday meets Monday.
    week = pattern(hours)
    _refuse_overlap(
        Hours(window.start + day * DAY, window.end + day * DAY) for day in range(8) for window in week[day % 7]
    )
    return hours


Week = Annotated[dict[Annotated[str, AfterValidator(_days_text)], Windows], AfterValidator(_sound_week)]
"""Hours by weekday, such as `{mon-fri: ["09:00-18:00"]}`; a weekday not named is off."""
