"""Public holidays as published, put into a calendar before it is pinned.

Reads libraries full of data, so it runs where a contract is loaded and never in a workflow.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import holidays
from chinese_calendar import Holiday as ChineseHoliday
from chinese_calendar import constants as china

from rules.calendar_spec import CalendarSpec, Holiday, Label

CHINA_KNOWN = range(min(china.holidays).year, max(china.holidays).year + 1)
"""Years whose notice by the State Council is known, make-up days included."""

_MAKE_UP: Label = {"en": "make-up day", "zh-CN": "调休"}


def publish(spec: CalendarSpec, first_year: int, last_year: int) -> CalendarSpec:
    """The calendar with the statutory holidays of these years, as far as they are known (invariant 9).

    Years nobody has published yet stay out, and whatever is counted there is provisional. A calendar that names no
    country is returned as it is. A year that the contract states itself is taken from there, whatever a library says.
    Raises ValueError for a country of which no holidays are known.
    """
    if spec.statutory is None:
        return spec
    years = range(first_year, last_year + 1)
    published = _china(years) if spec.statutory == "CN" else _elsewhere(spec.statutory, years)
    return spec.model_copy(update={"published": dict(sorted((published | spec.years).items())), "years": {}})


def _china(years: range) -> dict[int, tuple[Holiday, ...]]:
    names: dict[str, Label] = {day.value: {"en": day.value, "zh-CN": day.chinese} for day in ChineseHoliday}
    off = {day: names[name] for day, name in china.holidays.items()}
    work = {day: names[name] for day, name in china.workdays.items()}
    return {year: _by_name(year, off, work) for year in years if year in CHINA_KNOWN}


def _elsewhere(place: str, years: range) -> dict[int, tuple[Holiday, ...]]:
    country, _, region = place.partition("-")

    def read(language: str | None, span: range = years) -> holidays.HolidayBase:
        return holidays.country_holidays(country, subdiv=region or None, years=span, language=language)

    try:
        library = read(None, range(0))
    except NotImplementedError as missing:
        raise ValueError(
            f"no public holidays are known for {place!r}; name a country such as CN or US, or a region such as DE-BY"
        ) from missing
    english = read("en_US" if "en_US" in library.supported_languages else None)
    chinese = read("zh_CN") if "zh_CN" in library.supported_languages else english
    off: dict[date, Label] = {
        day: name if chinese[day] == name else {"en": name, "zh-CN": chinese[day]} for day, name in english.items()
    }
    work = dict.fromkeys(english.weekend_workdays, _MAKE_UP)
    return {year: _by_name(year, off, work) for year in years if _is_known(english, year)}


def _is_known(library: holidays.HolidayBase, year: int) -> bool:
    """Whether the library knows this year, rather than projects it.

    Dates that follow from a rule are known for every year. Dates marked as estimated are not; and where decrees move
    weekends, a year after the last decree read so far is not.
    """
    names = [name for day, name in library.items() if day.year == year]
    if not names or any("(estimated)" in name for name in names):
        return False
    return not library.has_substituted_holidays or any(day.year >= year for day in library.weekend_workdays)


def _by_name(year: int, off: Mapping[date, Label], work: Mapping[date, Label]) -> tuple[Holiday, ...]:
    """The days of one year in their order, those of one holiday together."""
    days = sorted(day for day in (*off, *work) if day.year == year)
    names: list[Label] = []
    for day in days:
        name = off.get(day) or work[day]
        if name not in names:
            names.append(name)
    return tuple(
        Holiday(
            name=name,
            off=tuple(day for day in days if off.get(day) == name),
            work=tuple(day for day in days if day not in off and work[day] == name),
        )
        for name in names
    )
