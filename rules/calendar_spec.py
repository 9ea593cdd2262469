"""The calendar of a contract as a value: what the file says, and the snapshot a complaint is pinned to (invariant 8).

Everything here is wall-clock time of one zone: which hours each date works, and why a date does not.
`rules.calendar` turns it into instants.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, NamedTuple, Self
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, field_validator, model_validator

from rules.hours import Hours, Week, Windows, parse_window, pattern
from rules.values import Value

WEEKEND = {"en": "weekend", "zh-CN": "周末"}
DAY_OFF = {"en": "day off", "zh-CN": "休息日"}
CLOCK_CHANGE = {"en": "change of the clocks", "zh-CN": "时钟调整"}
"""Of a date whose hours never came: the local clock left them out."""

Label = str | dict[str, str]
"""A name people read: one for everybody, or one a language (`en`, `zh-CN`)."""


def label(name: Label, language: str) -> str:
    """The name in this language, else in English, else in whatever there is."""
    if isinstance(name, str):
        return name
    return name.get(language) or name.get("en") or next(iter(name.values()), "")


class DayPlan(NamedTuple):
    """What one date works. The name says why it differs from the pattern, or why it is off."""

    hours: tuple[Hours, ...]
    name: Label | None = None


class _Section(Value):
    model_config = ConfigDict(populate_by_name=True, alias_generator=lambda name: name.replace("_", " "))


class Period(_Section):
    """Whole dates, the first and the last included. One date may be written `on: 2026-12-24`."""

    starts: date = Field(alias="from")
    ends: date = Field(alias="to")
    name: Label

    @model_validator(mode="before")
    @classmethod
    def _one_date(cls, value: Any) -> Any:
        if not isinstance(value, Mapping) or "on" not in value:
            return value
        if {"from", "to"} & value.keys():
            raise ValueError("give one date as `on`, or several as `from` and `to`, not both")
        kept = {key: said for key, said in value.items() if key != "on"}
        return {**kept, "from": value["on"], "to": value["on"]}

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.ends < self.starts:
            raise ValueError(f"reversed range: {self.starts} to {self.ends}")
        return self

    def __contains__(self, day: date) -> bool:
        return self.starts <= day <= self.ends

    def __iter__(self) -> Iterator[date]:  # type: ignore[override]  # a period is its days, not its fields
        return (self.starts + timedelta(days=n) for n in range((self.ends - self.starts).days + 1))


class Shift(Period):
    """Dates with a week of their own, such as summer hours."""

    hours: Week


class HalfDay(_Section):
    """A date that works exactly these hours."""

    on: date
    hours: Annotated[Windows, Field(min_length=1)]
    name: Label


class WorkingDay(_Section):
    """An extra working date. Without hours of its own it works those of an ordinary weekday."""

    on: date
    hours: Windows = ()
    name: Label


class Holiday(_Section):
    """A statutory holiday as published: the days off it gives, and the weekend days worked in return (调休)."""

    name: Label
    off: tuple[date, ...] = ()
    work: tuple[date, ...] = ()


class CalendarSpec(_Section):
    """The `calendar` section of a contract.

    A date follows the first of these that speaks of it: closures, half days and working days of the contract (none
    may contradict another), the published statutory calendar, a shift, the weekly hours.
    """

    zone: str
    """IANA time zone in which all hours and dates of this calendar are meant."""
    hours: Week
    statutory: str | None = None
    """Country whose public holidays apply (ISO 3166, such as CN); none unless named."""
    closures: tuple[Period, ...] = ()
    half_days: tuple[HalfDay, ...] = ()
    working_days: tuple[WorkingDay, ...] = ()
    shifts: tuple[Shift, ...] = ()
    years: dict[int, tuple[Holiday, ...]] = {}
    """Years that the contract's owner states, before the libraries have them or in their place."""
    published: dict[int, tuple[Holiday, ...]] = {}
    """Filled by `rules.statutory`, never by hand: the years whose calendar is known (invariant 9)."""

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (
            KeyError,
            OSError,
            ValueError,
        ) as missing:  # not found, a folder, a path that leaves the database
            raise ValueError(f"unknown time zone {zone!r}; use an IANA name such as Asia/Shanghai") from missing
        return zone

    @model_validator(mode="after")
    def _nothing_contradicts(self) -> Self:
        for closure in self.closures:
            if (closure.ends - closure.starts).days > 366:  # a mistyped year
                raise ValueError(f"closure {closure.name!r} lasts longer than a year")
        said: set[date] = set()
        for day in (
            *(day for closure in self.closures for day in closure),
            *(d.on for d in self._own_days()),
        ):
            if day in said:
                raise ValueError(f"{day} is named twice among closures, half days and working days")
            said.add(day)
        for earlier, later in pairwise(sorted(self.shifts, key=lambda shift: shift.starts)):
            if later.starts <= earlier.ends:
                raise ValueError(f"shifts {earlier.name!r} and {later.name!r} overlap on {later.starts}")
        return self

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:  # noqa: ARG002  all is immutable
        """A checked calendar of its own: what this one has derived from its fields does not come along."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self).model_validate(fields | dict(update or {}))

    def knows(self, year: int) -> bool:
        """Whether the holidays of this year are published; a calendar without statutory holidays knows all years."""
        return self.statutory is None or year in self.published

    def on(self, day: date) -> DayPlan:
        """What this date works, on the wall clock of the zone."""
        plan = self._dated.get(day)
        if plan is not None:
            return plan
        hours = self._week(day)[day.weekday()]
        return DayPlan(hours, None if hours else WEEKEND if day.weekday() >= 5 else DAY_OFF)

    @cached_property
    def key(self) -> str:
        """The calendar as JSON: equal calendars have equal keys."""
        return self.model_dump_json(by_alias=True, exclude_defaults=True)

    def _own_days(self) -> tuple[HalfDay | WorkingDay, ...]:
        return (*self.half_days, *self.working_days)

    def _week(self, day: date) -> tuple[tuple[Hours, ...], ...]:
        return next((week for shift, week in self._shift_weeks if day in shift), self._plain_week)

    def _ordinary(self, day: date) -> tuple[Hours, ...]:
        """Hours of a make-up day: its own on Monday to Friday, else those of the first weekday that works."""
        week = self._week(day)
        own = week[day.weekday()] if day.weekday() < 5 else ()
        return own or next(hours for hours in week if hours)

    @cached_property
    def _plain_week(self) -> tuple[tuple[Hours, ...], ...]:
        return pattern(self.hours)

    @cached_property
    def _shift_weeks(self) -> tuple[tuple[Shift, tuple[tuple[Hours, ...], ...]], ...]:
        return tuple((shift, pattern(shift.hours)) for shift in self.shifts)

    @cached_property
    def _dated(self) -> dict[date, DayPlan]:
        """Every date that does not follow the week; later entries outrank earlier ones."""
        plans: dict[date, DayPlan] = {}
        for holiday in (holiday for year in self.published.values() for holiday in year):
            plans |= {day: DayPlan((), holiday.name) for day in holiday.off}
            plans |= {day: DayPlan(self._ordinary(day), holiday.name) for day in holiday.work}
        for own in self._own_days():
            hours = tuple(sorted(parse_window(text) for text in own.hours)) or self._ordinary(own.on)
            plans[own.on] = DayPlan(hours, own.name)
        for closure in self.closures:
            plans |= {day: DayPlan((), closure.name) for day in closure}
        return plans
