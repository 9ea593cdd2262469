"""Working time: what the hours of a contract make of instants, amounts and dates."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from rules.calendar import OutsideCalendarError, WorkingCalendar, calendar_for
from rules.calendar_spec import CalendarSpec, label
from rules.statutory import publish

FRIDAY = "2026-11-20"
MONDAY = "2026-11-23"


def calendar(zone: str = "Asia/Shanghai", hours: object = None, **more: Any) -> WorkingCalendar:
    week = hours or {"mon-fri": ["09:00-12:00", "13:00-18:00"]}
    return WorkingCalendar(CalendarSpec.model_validate({"zone": zone, "hours": week, **more}))


def china() -> WorkingCalendar:
    spec = {"zone": "Asia/Shanghai", "hours": {"mon-fri": "09:00-18:00"}, "statutory": "CN"}
    return calendar_for(publish(CalendarSpec.model_validate(spec), 2025, 2027))


def shanghai(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00")


def local(calendar: WorkingCalendar, text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=calendar.zone)


def minutes(n: float) -> timedelta:
    return timedelta(minutes=n)


@pytest.mark.parametrize(
    ("start", "amount", "end"),
    [
        (f"{FRIDAY}T17:50", 15, f"{MONDAY}T09:05"),
        (f"{FRIDAY}T17:50", 10, f"{FRIDAY}T18:00"),
        (f"{FRIDAY}T11:50", 20, f"{FRIDAY}T13:10"),
        (f"{FRIDAY}T12:30", 1, f"{FRIDAY}T13:01"),
        (f"{FRIDAY}T18:00", 1, f"{MONDAY}T09:01"),
        (f"{FRIDAY}T07:00", 480, f"{FRIDAY}T18:00"),
        ("2026-11-21T10:00", 60, f"{MONDAY}T10:00"),
        (f"{FRIDAY}T12:30", 0, f"{FRIDAY}T12:30"),
    ],
)
def test_add(start: str, amount: int, end: str) -> None:
    """Working time passes over breaks, nights and weekends, and what ends exactly at closing ends at closing."""
    assert calendar().add(shanghai(start), minutes(amount)) == shanghai(end)


@pytest.mark.parametrize(
    ("end", "amount", "start"),
    [
        (f"{MONDAY}T09:05", 15, f"{FRIDAY}T17:50"),
        (f"{FRIDAY}T13:10", 20, f"{FRIDAY}T11:50"),
        (f"{FRIDAY}T18:00", 480, f"{FRIDAY}T09:00"),
        (f"{MONDAY}T09:00", 1, f"{FRIDAY}T17:59"),
    ],
)
def test_subtract(end: str, amount: int, start: str) -> None:
    """Going back mirrors going forward: what ends exactly at opening ends at opening."""
    assert calendar().subtract(shanghai(end), minutes(amount)) == shanghai(start)
    assert calendar().add(shanghai(end), -minutes(amount)) == shanghai(start)


def test_windows_are_closed_at_the_start_and_open_at_the_end() -> None:
    """18:00:00 lies outside 09:00-18:00, a microsecond earlier lies inside."""
    ours = calendar()
    assert ours.is_open(shanghai(f"{FRIDAY}T09:00:00"))
    assert ours.is_open(shanghai(f"{FRIDAY}T17:59:59.999999"))
    assert not ours.is_open(shanghai(f"{FRIDAY}T18:00:00"))
    assert not ours.is_open(shanghai(f"{FRIDAY}T08:59:59.999999"))
    assert ours.next_opening(shanghai(f"{FRIDAY}T18:00:00")) == shanghai(f"{MONDAY}T09:00:00")
    assert ours.next_opening(shanghai(f"{FRIDAY}T10:00:01")) == shanghai(f"{FRIDAY}T10:00:01")


def test_any_offset_goes_in_and_the_zone_of_the_calendar_comes_out() -> None:
    """The same instant written with other offsets gives the same answer, in the calendar's zone."""
    answers = {
        calendar().add(datetime.fromisoformat(text), minutes(15)).isoformat()
        for text in (f"{FRIDAY}T17:50:00+08:00", f"{FRIDAY}T09:50:00+00:00", f"{FRIDAY}T04:50:00-05:00")
    }
    assert answers == {f"{MONDAY}T09:05:00+08:00"}


def test_hours_past_midnight_belong_to_the_day_they_start_on() -> None:
    """A night shift from Friday closes on Saturday, and Saturday is still no working day."""
    night = calendar(hours={"mon-fri": ["22:00-06:00"]})
    friday, saturday = date(2026, 11, 20), date(2026, 11, 21)
    assert night.close_of(friday) == shanghai("2026-11-21T06:00")
    assert night.is_open(shanghai("2026-11-21T05:59"))
    assert not night.is_working_day(saturday)
    assert night.working_day_of(shanghai("2026-11-21T03:00")) == friday
    assert night.add(shanghai("2026-11-21T05:00"), minutes(90)) == shanghai("2026-11-23T22:30")


def test_a_night_shift_of_new_years_eve_is_open_on_new_years_day() -> None:
    """Hours that begin in one year and end in the next belong to both, whichever year is asked first."""
    for year in (2020, 2026, 2030):  # before, at and behind the year a timetable begins with
        night = calendar(hours={"mon-sun": ["22:00-06:00"]})
        assert night.is_open(shanghai(f"{year}-01-01T03:00"))
        assert night.between(shanghai(f"{year - 1}-12-31T22:00"), shanghai(f"{year}-01-01T06:00")) == minutes(480)


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2026-03-28", 8), ("2026-03-29", 7), ("2026-10-24", 8), ("2026-10-25", 9)],
)
def test_a_window_over_a_change_of_the_clocks_has_its_real_length(day: str, hours: int) -> None:
    """Eight hours on the wall are seven when the clocks jump ahead and nine when they go back."""
    berlin = calendar("Europe/Berlin", {"mon-sun": ["00:00-08:00"]})
    opened = berlin.open_of(date.fromisoformat(day))
    assert berlin.close_of(date.fromisoformat(day)) - opened == timedelta(hours=hours)
    assert berlin.between(opened, opened + timedelta(hours=12)) == timedelta(hours=hours)


def test_a_skipped_local_time_is_the_moment_of_the_jump_and_a_repeated_one_its_first() -> None:
    """A window in the skipped hour is empty, one that ends in the repeated hour ends the first time."""
    spring = calendar("Europe/Berlin", {"sun": ["02:15-02:45"], "mon": ["09:00-10:00"]})
    assert not spring.is_working_day(date(2026, 3, 29))
    autumn = calendar("Europe/Berlin", {"sun": ["01:30-02:30"]})
    assert autumn.close_of(date(2026, 10, 25)).astimezone(UTC) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    jump = calendar("Europe/Berlin", {"sun": ["02:30-06:00"]}).open_of(date(2026, 3, 29))
    assert jump.astimezone(UTC) == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_results_compare_truly_in_the_repeated_hour() -> None:
    """Half past two comes twice; the answers around it keep their order and their distance."""
    berlin = calendar("Europe/Berlin", {"mon-sun": ["00:00-24:00"]})
    first = berlin.add(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), timedelta(microseconds=1))
    second = berlin.add(first, timedelta(hours=1))
    assert first < second
    assert second - first == timedelta(hours=1)
    assert first.isoformat()[:16] == second.isoformat()[:16]


def test_days_that_differ() -> None:
    """Closures, half days, extra working days and shifts each change what their dates work, and say why not."""
    differing: dict[str, Any] = {
        "half days": [{"on": "2026-12-31", "hours": ["09:00-12:00"], "name": "New Year's Eve"}],
        "working days": [
            {"on": "2026-10-10", "name": "make-up"},
            {"on": "2026-10-11", "name": "make-up", "hours": "10:00-11:00"},
        ],
    }
    ours = calendar(
        closures=[
            {"on": "2026-12-24", "name": "Stocktaking"},
            {"from": "2026-08-03", "to": "2026-08-05", "name": "Move"},
        ],
        **differing,
        shifts=[{"from": "2026-07-01", "to": "2026-08-31", "hours": {"mon-fri": "08:00-14:00"}, "name": "Summer"}],
    )
    assert not ours.is_working_day(date(2026, 12, 24))
    assert ours.close_of(date(2026, 12, 31)) == shanghai("2026-12-31T12:00")
    assert ours.close_of(date(2026, 10, 10)) == shanghai("2026-10-10T18:00")
    assert ours.open_of(date(2026, 10, 11)) == shanghai("2026-10-11T10:00")
    assert ours.close_of(date(2026, 7, 1)) == shanghai("2026-07-01T14:00")
    assert ours.open_of(date(2026, 9, 1)) == shanghai("2026-09-01T09:00")
    assert ours.skipped(date(2026, 7, 31), date(2026, 8, 5)) == [
        (date(2026, 8, 1), {"en": "weekend", "zh-CN": "周末"}),
        (date(2026, 8, 2), {"en": "weekend", "zh-CN": "周末"}),
        (date(2026, 8, 3), "Move"),
        (date(2026, 8, 4), "Move"),
        (date(2026, 8, 5), "Move"),
    ]


@pytest.mark.parametrize(
    ("received", "days"),
    [
        ("2025-12-31", ("2026-01-12", "2026-01-22", "2026-02-12")),
        ("2026-02-13", ("2026-03-02", "2026-03-12", "2026-04-02")),
        ("2026-02-14", ("2026-03-03", "2026-03-13", "2026-04-03")),
        ("2026-04-30", ("2026-05-13", "2026-05-25", "2026-06-15")),
        ("2026-09-24", ("2026-10-12", "2026-10-22", "2026-11-12")),
        ("2026-09-30", ("2026-10-15", "2026-10-27", "2026-11-17")),
        ("2026-11-19", ("2026-11-30", "2026-12-10", "2026-12-31")),
        ("2026-11-20", ("2026-12-01", "2026-12-11", "2027-01-01")),
    ],
)
def test_working_days_of_china(received: str, days: tuple[str, str, str]) -> None:
    """7, 15 and 30 working days in China, the day of receipt not counted, make-up weekends worked."""
    day = date.fromisoformat(received)
    assert tuple(str(china().nth_working_day(day, n)) for n in (7, 15, 30)) == days


def test_a_year_of_china_has_248_working_days() -> None:
    """2026 counts 248 working days, its six make-up weekends among them."""
    assert china().working_days(date(2025, 12, 31), date(2026, 12, 31)) == 248
    worked = ("01-04", "02-14", "02-28", "05-09", "09-20", "10-10")
    assert all(china().is_working_day(date.fromisoformat(f"2026-{day}")) for day in worked)


def test_unpublished_years_are_named() -> None:
    """30 working days from 20 November 2026 end in 2027, which nobody has published; a day earlier they do not."""
    ours = china()
    assert ours.unknown_years(date(2026, 11, 20), ours.nth_working_day(date(2026, 11, 20), 30)) == [2027]
    assert ours.unknown_years(date(2026, 11, 19), ours.nth_working_day(date(2026, 11, 19), 30)) == []
    assert calendar().unknown_years(date(2026, 1, 1), date(2050, 1, 1)) == []


def test_the_nth_working_day_backwards_and_zero() -> None:
    """The day itself is day 0, whether or not it works, and the days before it count the same way."""
    ours, saturday = calendar(), date(2026, 11, 21)
    assert ours.nth_working_day(saturday, 0) == saturday
    assert ours.nth_working_day(saturday, -1) == date(2026, 11, 20)
    assert ours.nth_working_day(date(2026, 11, 23), -1) == date(2026, 11, 20)
    assert ours.working_days(date(2026, 11, 23), saturday) == 0
    assert ours.working_days(date(2026, 11, 23), date(2026, 11, 20)) == -1


def test_a_date_that_the_clock_left_out_is_skipped_with_its_reason() -> None:
    """Invariant 10: Samoa had no 30 December 2011, a Friday; a due counted over it says why that day is missing."""
    samoa = calendar("Pacific/Apia")
    assert samoa.nth_working_day(date(2011, 12, 29), 1) == date(2012, 1, 2)
    skipped = {day: label(name, "en") for day, name in samoa.skipped(date(2011, 12, 29), date(2012, 1, 2))}
    assert skipped[date(2011, 12, 30)] == "change of the clocks"


def test_nothing_is_capped() -> None:
    """A hundred thousand working hours, or ten thousand working days, are counted to the end."""
    ours = calendar()
    start = shanghai(f"{MONDAY}T09:00")
    assert ours.between(start, ours.add(start, timedelta(hours=100_000))) == timedelta(hours=100_000)
    assert ours.working_days(date(2026, 11, 23), ours.nth_working_day(date(2026, 11, 23), 10_000)) == 10_000


def test_a_year_far_away_is_answered_and_not_carried_along() -> None:
    """A mistyped year gets its right answer, and the calendar everybody shares does not grow by centuries for it."""
    ours = calendar()
    for year in ("0206", "3026"):
        friday = next(day for day in (date(int(year), 11, n) for n in range(1, 8)) if day.weekday() == 4)
        start = shanghai(f"{friday}T17:50") if year == "3026" else local(ours, f"{friday}T17:50")
        assert ours.local(ours.add(start, minutes(15))).isoformat()[:16] == f"{friday + timedelta(days=3)}T09:05"
        assert ours.nth_working_day(friday, 1) == friday + timedelta(days=3)
    assert ours._table.first_year >= 2000
    assert ours._table.last_year <= 2050


def test_an_instant_without_offset_is_refused() -> None:
    """A time that names no instant is refused, instead of being read in the zone of the machine."""
    with pytest.raises(ValueError, match="has no offset"):
        calendar().is_open(datetime(2026, 11, 20, 9))  # noqa: DTZ001


def test_the_end_of_time_is_an_error_of_its_own() -> None:
    """Beyond what a date can hold, one clear message is raised, not a wrong answer."""
    year = calendar(hours={"mon": ["00:00-00:01"]})
    with pytest.raises(OutsideCalendarError, match="mistyped year"):
        year.is_working_day(date(9999, 12, 31))
    with pytest.raises(OutsideCalendarError):
        year.is_open(datetime(1, 1, 1, tzinfo=UTC))


def test_equal_calendars_share_one_timetable() -> None:
    """Thousands of complaints under one contract hold one compiled calendar, also after a trip through JSON."""
    spec = china().spec
    again = CalendarSpec.model_validate_json(spec.model_dump_json())
    assert again == spec
    assert calendar_for(again) is calendar_for(spec)
    assert calendar_for(spec.model_copy(update={"zone": "Asia/Tokyo"})) is not calendar_for(spec)
