"""Working time the slow way: every minute of three weeks, looked at one by one. Shares no code with the product."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

DAYS = 28
NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Span = tuple[int, int]
Week = tuple[tuple[Span, ...], ...]

# A month around a change of the clocks, whatever kind there is: by an hour, by half an hour, at midnight, a whole
# day left out, in China, none at all.
PLACES = (
    ("Europe/Berlin", date(2026, 3, 15)),
    ("Europe/Berlin", date(2026, 10, 11)),
    ("America/New_York", date(2026, 2, 22)),
    ("America/New_York", date(2026, 10, 18)),
    ("Australia/Lord_Howe", date(2026, 3, 22)),
    ("Australia/Lord_Howe", date(2026, 9, 20)),
    ("America/Sao_Paulo", date(2018, 10, 21)),
    ("America/Sao_Paulo", date(2018, 2, 4)),
    ("Pacific/Apia", date(2011, 12, 16)),
    ("Asia/Shanghai", date(1988, 4, 3)),
    ("Asia/Shanghai", date(2026, 9, 20)),
)


@dataclass
class Plan:
    """A calendar as plain numbers: minutes from midnight, dates."""

    zone: str
    first: date
    week: Week
    off: set[date] = field(default_factory=set)
    own: dict[date, tuple[Span, ...]] = field(default_factory=dict)
    shift: tuple[date, date, Week] | None = None

    def hours(self, day: date) -> tuple[Span, ...]:
        if day in self.off:
            return ()
        if day in self.own:
            return self.own[day]
        if self.shift and self.shift[0] <= day <= self.shift[1]:
            return self.shift[2][day.weekday()]
        return self.week[day.weekday()]

    def file(self) -> dict[str, Any]:
        """The calendar as a contract file would write it."""
        shifts = []
        if self.shift:
            since, until, week = self.shift
            shifts.append({"from": str(since), "to": str(until), "hours": _week(week), "name": "shift"})
        return {
            "zone": self.zone,
            "hours": _week(self.week),
            "closures": [{"on": str(day), "name": "closed"} for day in sorted(self.off)],
            "half days": [{"on": str(d), "hours": _day(h), "name": "half"} for d, h in sorted(self.own.items())],
            "shifts": shifts,
        }


def _day(spans: tuple[Span, ...]) -> list[str]:
    ends = [(start, end if end <= 1440 else end - 1440) for start, end in spans]
    return [f"{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for a, b in ends]


def _week(week: Week) -> dict[str, list[str]]:
    return {name: _day(spans) for name, spans in zip(NAMES, week, strict=True) if spans}


class Minutes:
    """The minutes of a plan, each open or not, and the date its window began on."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.start, self.shown = _clock(plan.zone, plan.first)
        self.owner: list[date | None] = [None for _ in range((DAYS + 1) * 1440)]
        for n in range(-1, DAYS + 1):
            day = plan.first + timedelta(days=n)
            for begin, end in sorted(plan.hours(day)):
                for at in range(self.index(day, begin), self.index(day, end)):
                    self.owner[at] = self.owner[at] or day

    def index(self, day: date, minutes: int) -> int:
        """The first minute at which the local clock shows that time or a later one."""
        for skipped in range(1500):
            local = datetime(day.year, day.month, day.day) + timedelta(minutes=minutes + skipped)  # noqa: DTZ001
            if local in self.shown:
                return self.shown[local]
        return 0 if local < min(self.shown) else len(self.owner)

    def at(self, index: int) -> datetime:
        return self.start + timedelta(minutes=index)

    def add(self, index: int, minutes: int, waits: frozenset[int] = frozenset()) -> int | None:
        while minutes:
            if index >= len(self.owner):
                return None
            minutes -= self.owner[index] is not None and index not in waits
            index += 1
        return index

    def subtract(self, index: int, minutes: int) -> int | None:
        while minutes:
            index -= 1
            if index < 0:
                return None
            minutes -= self.owner[index] is not None
        return index

    def between(self, first: int, last: int) -> int:
        return sum(owner is not None for owner in self.owner[first:last])

    def works(self, day: date) -> bool:
        return day in self.owner


@lru_cache(maxsize=32)
def _clock(zone: str, first: date) -> tuple[datetime, dict[datetime, int]]:
    """When a month begins, and the minute at which its local clock shows a time first."""
    start = datetime(first.year, first.month, first.day, tzinfo=UTC) - timedelta(hours=14)
    shown: dict[datetime, int] = {}
    for n in range((DAYS + 1) * 1440):
        shown.setdefault((start + timedelta(minutes=n)).astimezone(ZoneInfo(zone)).replace(tzinfo=None), n)
    return start, shown


@st.composite
def _spans(draw: st.DrawFn, night: bool) -> tuple[Span, ...]:
    """No hours or some, several windows a day; at night the last one may run to six in the morning."""
    low, high = (360, 1800) if night else (0, 1440)
    grid = draw(st.sampled_from((30, 30, 15, 7)))
    cuts = draw(st.lists(st.integers(low // grid + 1, high // grid - 1), max_size=6, unique=True))
    times = sorted(cut * grid for cut in cuts)
    windows = zip(times[::2], times[1::2], strict=False)
    return tuple((a, b) for a, b in windows if a < 1440 and b - a <= 1439)


@st.composite
def _weeks(draw: st.DrawFn, night: bool) -> Week:
    week = [draw(_spans(night)) for _ in range(7)]
    return tuple(week) if any(week) else ((((540, 1080),),) * 5 + ((), ()))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Any calendar: several windows a day, nights, closures, half days, extra working days, shifts, clock changes."""
    zone, first = draw(st.sampled_from(PLACES))
    night = draw(st.booleans())
    days = st.integers(0, DAYS - 1).map(lambda n: first + timedelta(days=n))
    off = draw(st.sets(days, max_size=3))
    own = draw(st.dictionaries(days, _spans(draw(st.booleans())).filter(bool), max_size=3))
    plan = Plan(zone, first, draw(_weeks(night)), off, {d: h for d, h in own.items() if d not in off})
    if draw(st.booleans()):
        since = draw(days)
        until = since + timedelta(days=draw(st.integers(0, 9)))
        plan.shift = (since, until, draw(_weeks(night)))
    return plan


@st.composite
def months(draw: st.DrawFn) -> Minutes:
    """A calendar laid out minute by minute."""
    return Minutes(draw(plans()))


MIDDLE = st.integers(8 * 1440, (DAYS - 8) * 1440)
"""A minute far enough from both ends of the month."""
