"""What holds for every term, start, calendar and set of waits."""

from datetime import timedelta
from fractions import Fraction
from itertools import pairwise

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from rules import terms
from rules.calendar import WorkingCalendar
from rules.calendar_spec import CalendarSpec
from rules.terms import Wait, parse_term
from tests.support.calendar_oracle import MIDDLE, Minutes, months

slow = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
BUDGETS = (
    "15 minutes",
    "24 hours",
    "40 working minutes",
    "9 working hours",
    "1 working day",
    "3 working days",
    "2 days",
)
DATES = ("09:30 on the next working day", "09:30 on the next day", "the 5th of the month", "Friday 17:00", "1 month")
WAITS = st.lists(st.tuples(st.integers(-2000, 5000), st.integers(1, 4000)), max_size=4)


def compiled(month: Minutes) -> WorkingCalendar:
    return WorkingCalendar(CalendarSpec.model_validate(month.plan.file()))


def placed(month: Minutes, at: int, waits: list[tuple[int, int]]) -> list[Wait]:
    return [(month.at(at + since), month.at(at + since + length)) for since, length in waits]


@slow
@given(months(), MIDDLE, st.sampled_from(BUDGETS), WAITS)
def test_the_whole_budget_is_used_up_at_the_due(
    month: Minutes, at: int, text: str, waits: list[tuple[int, int]]
) -> None:
    """With any waits the budget is used up at the due and not before; waits never bring a due forward."""
    ours, start, term = compiled(month), month.at(at), parse_term(text)
    stops = placed(month, at, waits)
    plain, moved = terms.due(term, start, ours).at, terms.due(term, start, ours, stops).at
    budget = terms.consumed(term, start, plain, (), ours)
    assert plain <= moved
    assert terms.consumed(term, start, moved - timedelta(minutes=1), stops, ours) < budget
    if "working day" not in text:
        assert terms.consumed(term, start, moved, stops, ours) == budget
    else:  # parts of a day are rounded to the microsecond
        tick = timedelta(microseconds=1)
        assert terms.consumed(term, start, moved - tick, stops, ours) <= budget + len(stops) * tick
        assert terms.consumed(term, start, moved + tick, stops, ours) >= budget - len(stops) * tick


@slow
@given(months(), MIDDLE, st.integers(1, 2000), WAITS)
def test_waits_in_working_time_are_walked_minute_by_minute(
    month: Minutes, at: int, amount: int, waits: list[tuple[int, int]]
) -> None:
    """A due in working time lies where a walk over the open minutes that nobody waited lands."""
    stood_still = frozenset(n for since, length in waits for n in range(at + since, at + since + length))
    end = month.add(at, amount, stood_still)
    assume(end is not None)
    assert end is not None
    term = parse_term(f"{amount} working minutes")
    assert terms.due(term, month.at(at), compiled(month), placed(month, at, waits)).at == month.at(end)


@slow
@given(months(), MIDDLE, st.sampled_from(BUDGETS + DATES), WAITS)
def test_rungs_come_in_their_order(month: Minutes, at: int, text: str, waits: list[tuple[int, int]]) -> None:
    """Shares of a budget come after the start, in order, and the whole is the due."""
    ours, start, term = compiled(month), month.at(at), parse_term(text)
    stops = placed(month, at, waits)
    due = terms.due(term, start, ours, stops).at
    rungs = [terms.point(term, start, due, Fraction(n, 10), ours, stops) for n in range(11)]
    slack = timedelta(microseconds=2)
    assert all(one <= other + slack for one, other in pairwise(rungs))
    assert start <= rungs[0]
    assert rungs[-1] <= due + slack


@slow
@given(months(), MIDDLE, st.integers(1, 6))
def test_a_working_day_waited_is_a_working_day_more(month: Minutes, at: int, n: int) -> None:
    """Waiting all hours of one working day moves the due to the next close of business, however long either day is."""
    ours, start = compiled(month), month.at(at)
    term, day0 = parse_term(f"{n} working days"), ours.local(start).date()
    waited = ours.nth_working_day(day0, 1)
    assume(ours.open_of(waited) > ours.local(start) and not ours.is_open(ours.at(waited)))
    moved = terms.due(term, start, ours, [(ours.open_of(waited), ours.close_of(waited))]).at
    assert moved == terms.due(parse_term(f"{n + 1} working days"), start, ours).at


@slow
@given(months(), MIDDLE, st.integers(0, 3000), st.sampled_from(BUDGETS + DATES))
def test_a_later_start_is_never_due_earlier(month: Minutes, at: int, later: int, text: str) -> None:
    """Dues keep the order of their starts, and none lies before its start."""
    ours, term = compiled(month), parse_term(text)
    one, other = (terms.due(term, month.at(n), ours).at for n in (at, at + later))
    assert month.at(at) <= one <= other
