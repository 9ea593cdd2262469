"""Why something is due when it is due (invariant 10): a small value that keeps, and tells it in words on demand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple

from rules.calendar import WorkingCalendar, dates
from rules.calendar_spec import DAY_OFF, WEEKEND, Label, label
from rules.grammar import (
    ClockTime,
    DayOfMonth,
    Days,
    InHours,
    Months,
    NextDay,
    Term,
    Weekday,
    WorkingDays,
    WorkingTime,
    parse_term,
)
from rules.values import Instant, Value

Branch = Literal["in hours", "break", "outside"]
"""Where the start of a two-part term lay: in working hours, in a break between them, outside."""


class NamedDays(Value):
    """Successive dates that share a reason."""

    first: date
    last: date
    name: Label

    def text(self, language: str) -> str:
        """The reason and the dates, such as `National Day 2026-10-01 to 2026-10-07`."""
        return f"{label(self.name, language)} {_range(self.first, self.last, language)}"


class Explanation(Value):
    """How a due time was found. All times are local to the calendar's zone."""

    start: Instant
    due: Instant
    zone: str
    term: str
    """The rule applied, in the contract's words; of a two-part term the part that applied."""
    branch: Branch | None = None
    counted_from: Instant | None = None
    """Where counting began, if not at the start."""
    counted: int = 0
    """Days counted one by one, from the first to the last."""
    first: date | None = None
    last: date | None = None
    skipped: tuple[NamedDays, ...] = ()
    """Dates that were not counted because of a holiday or closure."""
    weekend: int = 0
    """Further dates not counted: ordinary weekends and days off."""
    worked: tuple[NamedDays, ...] = ()
    """Dates that worked other than the week says, such as make-up days and half days."""
    waits: int = 0
    """How many waits stopped the clock on the way."""
    provisional: tuple[int, ...] = ()
    """Years touched whose holidays are not published (invariant 9)."""

    def text(self, language: str = "en") -> str:
        """One to four sentences in English or Chinese (`zh-CN`)."""
        return "".join(self._chinese()) if language == "zh-CN" else " ".join(self._english())

    def _english(self) -> Iterator[str]:
        if self.branch:
            where = {"in hours": "in working hours", "break": "in a break", "outside": "outside working hours"}
            yield f"Started {where[self.branch]}."
        since = f", counted from {self.counted_from:%Y-%m-%d %H:%M}" if self.counted_from else ""
        yield f"{self.term} from {_time(self.start)}{since} is {_due(self.due)} ({self.zone})."
        if self.first and self.last:
            yield f"Counted {_range(self.first, self.last, 'en')}, not the day it started."
        if left_out := self._left_out("en", f"{self.weekend} weekend day{'s' * (self.weekend != 1)}"):
            yield f"Not counted: {', '.join(left_out)}."
        if self.worked:
            yield f"Special hours: {', '.join(days.text('en') for days in self.worked)}."
        if self.waits:
            yield f"The clock stood still {self.waits} time{'s' * (self.waits != 1)}."
        if self.provisional:
            years = " and ".join(str(year) for year in self.provisional)
            yield f"Provisional: the holidays of {years} are not published yet."

    def _chinese(self) -> Iterator[str]:
        if self.branch:
            where = {"in hours": "工作时间内", "break": "工作间歇", "outside": "非工作时间"}
            yield f"起点在{where[self.branch]}。"
        since = f"（自{self.counted_from:%Y-%m-%d %H:%M}起计）" if self.counted_from else ""
        rule = in_chinese(parse_term(self.term))
        yield f"自{_time(self.start)}起{since}，期限为{rule}，到期时间{_due(self.due)}（{self.zone}）。"
        if self.first and self.last:
            yield f"计入{_range(self.first, self.last, 'zh-CN')}，起始当日不计。"
        if left_out := self._left_out("zh-CN", f"周末及休息日{self.weekend}天"):
            yield f"不计入：{'、'.join(left_out)}。"
        if self.worked:
            yield f"特殊安排的工作日：{'、'.join(days.text('zh-CN') for days in self.worked)}。"
        if self.waits:
            yield f"期间暂停计时{self.waits}次。"
        if self.provisional:
            yield f"暂定：{'、'.join(str(year) for year in self.provisional)}年的节假日安排尚未公布。"

    def _left_out(self, language: str, weekend: str) -> list[str]:
        return [days.text(language) for days in self.skipped] + ([weekend] if self.weekend else [])


class DaysBetween(NamedTuple):
    """What is special about some dates: holidays and closures, how many ordinary days off, special working days."""

    holidays: tuple[NamedDays, ...]
    ordinary: int
    special: tuple[NamedDays, ...]


@lru_cache(maxsize=8192)  # the clocks of a day share their dates
def days_between(calendar: WorkingCalendar, after: date, last: date) -> DaysBetween:
    """What is special about the dates after the first up to the last."""
    off = calendar.skipped(after, last)
    named = [(day, name) for day, name in off if name not in (WEEKEND, DAY_OFF)]
    special = [(day, plan.name) for day in dates(after, last) if (plan := calendar.spec.on(day)).hours and plan.name]
    return DaysBetween(_folded(named), len(off) - len(named), _folded(special))


def _folded(days: Iterable[tuple[date, Label]]) -> tuple[NamedDays, ...]:
    folded: list[NamedDays] = []
    for day, name in days:
        if folded and folded[-1].name == name and day - folded[-1].last == timedelta(days=1):
            folded[-1] = NamedDays(first=folded[-1].first, last=day, name=name)
        else:
            folded.append(NamedDays(first=day, last=day, name=name))
    return tuple(folded)


def in_chinese(term: Term) -> str:  # noqa: PLR0911  one for each kind
    """The term in Chinese words."""
    match term:
        case ClockTime():
            return _amount(term.amount, "") if term.amount else "立即"
        case WorkingTime():
            return _amount(term.amount, "工作时间")
        case WorkingDays():
            return f"{term.days}个工作日"
        case Days():
            return f"{term.days}日" + _if_holiday(term.if_holiday)
        case Months():
            return f"{term.months}个月" + _if_holiday(term.if_holiday)
        case NextDay():
            return f"{'下一工作日' if term.working else '次日'}{term.at:%H:%M}" + _if_holiday(term.if_holiday)
        case DayOfMonth():
            return f"每月{term.day}日" + _if_holiday(term.if_holiday)
        case Weekday():
            return f"每周{'一二三四五六日'[term.weekday]}{term.at:%H:%M}" + _if_holiday(term.if_holiday)
        case InHours():
            return f"工作时间内{in_chinese(term.in_hours)}，非工作时间{in_chinese(term.outside)}"
    return term.text


def _amount(amount: timedelta, prefix: str) -> str:
    seconds = amount // timedelta(seconds=1)
    for unit, name in ((3600, "小时"), (60, "分钟"), (1, "秒")):
        if seconds % unit == 0:
            return f"{prefix}{seconds // unit}{name}"
    return ""


def _if_holiday(where: str) -> str:
    return {"before": "（遇休息日提前）", "after": "（遇休息日顺延）"}.get(where, "")


def _range(first: date, last: date, language: str) -> str:
    if first == last:
        return first.isoformat()
    return f"{first}至{last}" if language == "zh-CN" else f"{first} to {last}"


def _due(instant: Instant) -> str:
    """As `_time`; midnight as 24:00 of the date it ends, which is the last day to act."""
    if (instant.hour, instant.minute, instant.second) == (0, 0, 0):
        return f"{instant - timedelta(days=1):%Y-%m-%d} 24:00"
    return _time(instant)


def _time(instant: Instant) -> str:
    """To the minute, and to the second where it has any."""
    return f"{instant:%Y-%m-%d %H:%M:%S}" if instant.second else f"{instant:%Y-%m-%d %H:%M}"
