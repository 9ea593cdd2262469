"""Working time against a brute-force oracle, for any calendar."""

from datetime import UTC, timedelta, timezone

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from rules.calendar import WorkingCalendar
from rules.calendar_spec import CalendarSpec
from tests.support.calendar_oracle import DAYS, MIDDLE, Minutes, months

slow = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
OFFSETS = st.sampled_from((UTC, timezone(timedelta(hours=-5)), timezone(timedelta(hours=10, minutes=30))))
MICROSECONDS = st.integers(0, 10**10).map(lambda n: timedelta(microseconds=n))


def compiled(month: Minutes) -> WorkingCalendar:
    return WorkingCalendar(CalendarSpec.model_validate(month.plan.file()))


@slow
@given(months(), MIDDLE, st.integers(1, 4000), OFFSETS)
def test_add_and_subtract_walk_the_open_minutes(month: Minutes, at: int, amount: int, zone: timezone) -> None:
    """Adding and subtracting land where a walk over every single minute lands."""
    ours, start = compiled(month), month.at(at).astimezone(zone)
    later, earlier = month.add(at, amount), month.subtract(at, amount)
    assume(later is not None or earlier is not None)
    if later is not None:
        assert ours.add(start, timedelta(minutes=amount)) == month.at(later)
    if earlier is not None:
        assert ours.subtract(start, timedelta(minutes=amount)) == month.at(earlier)


@slow
@given(months(), MIDDLE, MIDDLE)
def test_between_counts_the_open_minutes(month: Minutes, one: int, other: int) -> None:
    """Working time between two instants is the number of open minutes, negative backwards."""
    first, last = sorted((one, other))
    expected = timedelta(minutes=month.between(first, last))
    ours = compiled(month)
    assert ours.between(month.at(first), month.at(last)) == expected
    assert ours.between(month.at(last), month.at(first)) == -expected


@slow
@given(months(), st.lists(MIDDLE, min_size=20, max_size=20))
def test_open_is_what_the_minutes_say(month: Minutes, instants: list[int]) -> None:
    """Every minute is open or not, belongs to its working day, and leads to the next opening, as the oracle has it."""
    ours = compiled(month)
    for at in instants:
        assert ours.is_open(month.at(at)) == (month.owner[at] is not None)
        opening = next((n for n in range(at, DAYS * 1440) if month.owner[n]), None)
        if opening is not None:
            assert ours.next_opening(month.at(at)) == month.at(opening)
        if owner := month.owner[at]:
            assert ours.working_day_of(month.at(at)) == owner
            assert ours.open_of(owner) == month.at(month.owner.index(owner))
            assert ours.close_of(owner) == month.at(len(month.owner) - month.owner[::-1].index(owner))


@slow
@given(months(), st.integers(0, DAYS - 1), st.integers(-20, 20))
def test_working_days_are_counted_one_by_one(month: Minutes, start: int, n: int) -> None:
    """The n-th working day is found by walking the dates, counted back by `working_days`, and the rest is skipped."""
    ours = compiled(month)
    days = [month.plan.first + timedelta(days=k) for k in range(DAYS)]
    day = days[start]
    works = [d for d in days if month.works(d)]
    assert [d for d in days if ours.is_working_day(d)] == works
    ahead = [d for d in works if d > day] if n > 0 else [d for d in works if d < day][::-1]
    assume(n and len(ahead) >= abs(n))
    found = ours.nth_working_day(day, n)
    assert found == ahead[abs(n) - 1]
    assert ours.working_days(day, found) == n
    if n > 0:
        gone = [d for d in days if day < d <= found and d not in works]
        assert [skipped.day for skipped in ours.skipped(day, found)] == gone
        assert all(skipped.name for skipped in ours.skipped(day, found))


@slow
@given(months(), MIDDLE, MICROSECONDS, MICROSECONDS, MICROSECONDS)
def test_arithmetic_is_exact(month: Minutes, at: int, offset: timedelta, one: timedelta, other: timedelta) -> None:
    """To the microsecond: what is added is what lies between, in one step or in two, and never goes back."""
    ours, start = compiled(month), month.at(at) + offset
    end = ours.add(start, one)
    assert ours.between(start, end) == one
    assert ours.add(end, other) == ours.add(start, one + other)
    assert ours.between(ours.subtract(start, one), start) == one
    assert ours.add(start, one) <= ours.add(start + offset, one)
    assert start <= end <= ours.add(start, one + other)
    if ours.is_open(start):
        assert ours.subtract(end, one) == start


@settings(slow, max_examples=12)
@given(months(), MIDDLE, st.permutations([1995, 2011, 2026, 2040, 2055]))
def test_the_order_of_questions_does_not_matter(month: Minutes, at: int, years: list[int]) -> None:
    """A timetable grown in any direction answers as a fresh one does."""
    asked, start = compiled(month), month.at(at)
    for year in years:
        asked.is_open(start.replace(year=year, month=6, day=1))
    fresh = compiled(month)
    for amount in (timedelta(minutes=1), timedelta(hours=100), timedelta(hours=-100)):
        assert asked.add(start, amount) == fresh.add(start, amount)
    assert asked.nth_working_day(start.date(), 30) == fresh.nth_working_day(start.date(), 30)
