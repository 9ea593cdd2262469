"""Public holidays: the library of China against a second one, other countries, and years nobody knows."""

from datetime import date, timedelta

import holidays
import pytest

from rules.calendar import calendar_for
from rules.calendar_spec import CalendarSpec
from rules.statutory import CHINA_KNOWN, publish

DIFFERENCES = {
    # A Saturday worked in return for 3 January 2006. Both libraries have that day off, the first lacks the Saturday.
    date(2005, 12, 31): "works in the second library only",
}


def statutory(country: str, first: int, last: int) -> CalendarSpec:
    spec = {"zone": "Asia/Shanghai", "hours": {"mon-fri": "09:00-18:00"}, "statutory": country}
    return publish(CalendarSpec.model_validate(spec), first, last)


def test_china_agrees_with_a_second_library_day_by_day() -> None:
    """Every day from 2004 to 2026 works in both libraries or in neither, but for the listed differences."""
    second = holidays.country_holidays("CN", years=CHINA_KNOWN)
    ours = calendar_for(statutory("CN", CHINA_KNOWN.start, CHINA_KNOWN.stop - 1))
    first, last = date(CHINA_KNOWN.start, 1, 1), date(CHINA_KNOWN.stop - 1, 12, 31)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    assert {day for day in days if ours.is_working_day(day) != second.is_working_day(day)} == set(DIFFERENCES)


def test_only_years_with_a_notice_are_known() -> None:
    """China is known from 2004 as far as the library has the notices, and not a year further (invariant 9)."""
    spec = statutory("CN", 2000, 2100)
    assert sorted(spec.published) == list(CHINA_KNOWN)
    assert not spec.knows(CHINA_KNOWN.stop)
    assert CHINA_KNOWN.start == 2004


def test_holidays_carry_their_names_in_both_languages() -> None:
    """National Day is named in English and Chinese, its days off and its make-up days together."""
    national = next(day for day in statutory("CN", 2026, 2026).published[2026] if "国庆节" in str(day.name))
    assert national.name == {"en": "National Day", "zh-CN": "国庆节"}
    assert national.off == tuple(date(2026, 10, n) for n in range(1, 8))
    assert national.work == (date(2026, 9, 20), date(2026, 10, 10))


@pytest.mark.parametrize(
    ("country", "holiday"),
    [("US", date(2026, 11, 26)), ("GB-ENG", date(2026, 8, 31)), ("DE-BY", date(2027, 1, 6)), ("JP", date(2026, 5, 4))],
)
def test_holidays_that_follow_from_a_rule_are_known(country: str, holiday: date) -> None:
    """Countries whose law fixes the dates are known this year and next, regions included."""
    spec = statutory(country, 2026, 2027)
    assert sorted(spec.published) == [2026, 2027]
    assert not spec.on(holiday).hours


def test_years_that_wait_for_a_decree_or_the_moon_are_unknown() -> None:
    """Hungary decrees its make-up days year by year, and the Emirates' feasts of 2027 are estimates: both unknown."""
    hungary = statutory("HU", 2024, 2090)
    assert {2024, 2025, 2026} <= hungary.published.keys()
    assert 2090 not in hungary.published
    assert hungary.on(date(2026, 8, 8)).hours
    assert 2090 not in statutory("AE", 2090, 2090).published


def test_an_unknown_country_is_refused() -> None:
    """A country or region without known holidays is refused by name, with an example of what to write."""
    with pytest.raises(ValueError, match="'XX'; name a country such as CN"):
        statutory("XX", 2026, 2026)
    with pytest.raises(ValueError, match="'US-ZZ'"):
        statutory("US-ZZ", 2026, 2026)


def test_without_a_country_nothing_is_published_and_all_is_known() -> None:
    """A contract that names no country has no public holidays, and no year of it is provisional."""
    spec = CalendarSpec.model_validate({"zone": "UTC", "hours": {"mon-sun": "00:00-24:00"}})
    assert publish(spec, 2026, 2027) == spec
    assert spec.knows(2090)
