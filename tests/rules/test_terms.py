"""Terms: what a contract may write, and when that is due."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from rules import terms
from rules.calendar import WorkingCalendar, calendar_for
from rules.calendar_spec import CalendarSpec
from rules.explanation import in_chinese
from rules.grammar import EXAMPLES
from rules.statutory import publish
from rules.terms import Term, TermError, parse_term

FIRST_REPLY = {"in hours": "15 minutes", "outside": "09:30 on the next working day"}


def office(*windows: str) -> WorkingCalendar:
    spec = {"zone": "Asia/Shanghai", "hours": {"mon-fri": windows or ("09:00-18:00",)}, "statutory": "CN"}
    return calendar_for(publish(CalendarSpec.model_validate(spec), 2025, 2027))


LUNCH = ("09:00-12:00", "13:00-18:00")


def shanghai(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00")


def due(term: Any, start: str, *windows: str) -> str:
    return terms.due(parse_term(term), shanghai(start), office(*windows)).at.isoformat()[:-6]


@pytest.mark.parametrize(
    ("term", "start", "at"),
    [
        # on the clock
        ("15 minutes", "2026-11-20T17:50:00", "2026-11-20T18:05:00"),
        ("24 hours", "2026-11-21T03:00:00", "2026-11-22T03:00:00"),
        ("90 seconds", "2026-11-20T17:50:00", "2026-11-20T17:51:30"),
        ("at once", "2026-11-20T17:50:00", "2026-11-20T17:50:00"),
        # in working time
        ("15 working minutes", "2026-11-20T17:50:00", "2026-11-23T09:05:00"),
        ("10 working minutes", "2026-11-20T17:50:00", "2026-11-20T18:00:00"),
        ("2 working hours", "2026-09-30T17:00:00", "2026-10-08T10:00:00"),
        # working days: receipt is day 0, whether or not it works; make-up weekends work
        ("7 working days", "2026-09-30T10:00:00", "2026-10-15T18:00:00"),
        ("7 working days", "2026-02-14T10:00:00", "2026-03-03T18:00:00"),
        ("1 working day", "2026-11-21T10:00:00", "2026-11-23T18:00:00"),
        ("1 working day", "2026-11-20T00:00:00", "2026-11-23T18:00:00"),
        # dates end at 24:00
        ("30 days", "2026-11-20T17:50:00", "2026-12-21T00:00:00"),
        ("8 weeks", "2026-11-20T17:50:00", "2027-01-16T00:00:00"),
        ("6 months", "2026-08-31T17:50:00", "2027-03-01T00:00:00"),
        ("1 month", "2024-01-31T10:00:00", "2024-03-01T00:00:00"),
        ("12 months", "2026-12-15T10:00:00", "2027-12-16T00:00:00"),
        ("10 days, if holiday: after", "2026-09-21T10:00:00", "2026-10-09T00:00:00"),
        ("10 days, if holiday: before", "2026-09-21T10:00:00", "2026-10-01T00:00:00"),
        ("1 month, if holiday: after", "2026-09-01T10:00:00", "2026-10-09T00:00:00"),
        # the next working day: the same one before it opens
        ("09:30 on the next working day", "2026-11-20T18:00:00", "2026-11-23T09:30:00"),
        ("09:30 on the next working day", "2026-11-21T12:00:00", "2026-11-23T09:30:00"),
        ("09:30 on the next working day", "2026-11-23T07:00:00", "2026-11-23T09:30:00"),
        ("09:30 on the next working day", "2026-11-23T08:59:59", "2026-11-23T09:30:00"),
        ("09:30 on the next working day", "2026-11-23T09:00:00", "2026-11-24T09:30:00"),
        ("08:30 on the next working day", "2026-11-23T08:45:00", "2026-11-24T08:30:00"),
        ("09:30 on the next day", "2026-11-20T18:00:00", "2026-11-21T09:30:00"),
        ("09:30 on the next day, if holiday: after", "2026-11-20T18:00:00", "2026-11-23T09:30:00"),
        # dates that come again
        ("the 5th of the month", "2026-11-20T10:00:00", "2026-12-06T00:00:00"),
        ("the 5th of the month", "2026-12-05T23:59:59", "2026-12-06T00:00:00"),
        ("the 5th of the month", "2026-12-06T00:00:00", "2027-01-06T00:00:00"),
        ("the 5th of the month, if holiday: after", "2026-11-20T10:00:00", "2026-12-08T00:00:00"),
        ("the 5th of the month, if holiday: before", "2026-11-20T10:00:00", "2026-12-05T00:00:00"),
        ("the 5th of the month, if holiday: before", "2026-12-05T10:00:00", "2027-01-06T00:00:00"),
        ("the 31st of the month", "2027-02-03T10:00:00", "2027-03-01T00:00:00"),
        ("the 31st of the month, if holiday: after", "2026-11-01T10:00:00", "2026-11-03T00:00:00"),
        ("Friday 17:00", "2026-11-20T16:59:59", "2026-11-20T17:00:00"),
        ("Friday 17:00", "2026-11-20T17:00:00", "2026-11-27T17:00:00"),
        ("Friday 17:00", "2026-11-21T09:00:00", "2026-11-27T17:00:00"),
        ("Friday 17:00, if holiday: before", "2026-09-28T09:00:00", "2026-09-30T17:00:00"),
        ("Friday 17:00, if holiday: after", "2026-09-29T09:00:00", "2026-10-08T17:00:00"),
        ("Friday 17:00, if holiday: after", "2026-09-28T09:00:00", "2026-09-28T17:00:00"),  # of the Friday before
        # two terms
        (FIRST_REPLY, "2026-11-20T17:50:00", "2026-11-20T18:05:00"),
        (FIRST_REPLY, "2026-11-20T18:00:00", "2026-11-23T09:30:00"),
        (FIRST_REPLY, "2026-11-23T07:00:00", "2026-11-23T09:30:00"),
        (FIRST_REPLY, "2026-11-23T09:00:00", "2026-11-23T09:15:00"),
        (FIRST_REPLY, "2026-10-01T12:00:00", "2026-10-08T09:30:00"),
        (FIRST_REPLY, "2026-10-10T12:00:00", "2026-10-10T12:15:00"),
    ],
)
def test_due(term: Any, start: str, at: str) -> None:
    """Each term of the grammar is due when the contract means it to be."""
    assert due(term, start) == at


def test_a_break_is_no_night() -> None:
    """Who writes in the lunch break is answered 15 minutes after it, not the next morning; alone, 09:30 is tomorrow."""
    assert due(FIRST_REPLY, "2026-11-20T12:00:00", *LUNCH) == "2026-11-20T13:15:00"
    assert due(FIRST_REPLY, "2026-11-20T12:59:00", *LUNCH) == "2026-11-20T13:15:00"
    assert due("09:30 on the next working day", "2026-11-20T12:30:00", *LUNCH) == "2026-11-23T09:30:00"


@pytest.mark.parametrize(
    ("term", "start", "provisional"),
    [
        ("30 working days", "2026-11-20T10:00:00", True),
        ("30 working days", "2026-11-19T10:00:00", False),
        ("24 hours", "2026-12-31T10:00:00", False),
        ("6 months", "2026-11-20T10:00:00", False),
        ("6 months, if holiday: after", "2026-11-20T10:00:00", True),
        ("15 working minutes", "2027-01-04T10:00:00", True),
        (FIRST_REPLY, "2027-01-04T10:00:00", True),
        (FIRST_REPLY, "2026-12-31T10:00:00", False),
        (FIRST_REPLY, "2026-12-31T20:00:00", True),
    ],
)
def test_a_due_is_provisional_where_an_unpublished_holiday_could_move_it(
    term: Any, start: str, provisional: bool
) -> None:
    """Only what depends on holidays nobody has published is provisional, and it names the year (invariant 9)."""
    found = terms.due(parse_term(term), shanghai(start), office())
    assert found.provisional is provisional
    assert found.explanation.provisional == ((2027,) if provisional else ())


@pytest.mark.parametrize(
    ("term", "start", "percent", "at"),
    [
        ("09:30 on the next working day", "2026-11-20T18:00:00", 50, "2026-11-23T09:15:00"),
        (FIRST_REPLY, "2026-11-21T12:00:00", 50, "2026-11-23T09:15:00"),
        (FIRST_REPLY, "2026-11-20T17:50:00", 50, "2026-11-20T17:57:30"),
        (FIRST_REPLY, "2026-11-20T12:30:00", 80, "2026-11-20T13:12:00"),
        ("2 working hours", "2026-11-20T17:30:00", 50, "2026-11-23T09:30:00"),
        ("2 working hours", "2026-11-21T17:30:00", 50, "2026-11-23T10:00:00"),
        ("7 working days", "2026-09-30T10:00:00", 50, "2026-10-12T14:00:00"),
        ("2 working days", "2026-11-20T10:00:00", 50, "2026-11-23T18:00:00"),
        ("15 minutes", "2026-11-20T17:50:00", 80, "2026-11-20T18:02:00"),
        ("30 days", "2026-11-20T17:50:00", 50, "2026-12-06T00:00:00"),
        ("08:30 on the next working day", "2026-11-20T18:00:00", 50, "2026-11-23T08:30:00"),
        ("at once", "2026-11-20T17:50:00", 50, "2026-11-20T17:50:00"),
    ],
)
def test_a_percentage_is_of_the_budget_in_its_own_unit(term: Any, start: str, percent: int, at: str) -> None:
    """Half of `09:30 on the next working day` is 09:15 that day, not Sunday 01:45 (invariant 14)."""
    parsed, began, ours = parse_term(term), shanghai(start), office(*LUNCH)
    ends = terms.due(parsed, began, ours).at
    assert terms.point(parsed, began, ends, Decimal(percent) / 100, ours) == shanghai(at)
    assert terms.point(parsed, began, ends, Fraction(1), ours) == ends


@pytest.mark.parametrize(
    ("offset", "hours", "at"),
    [
        ("30 minutes", "any", "2026-11-20T18:30:00"),
        ("30 minutes", "working", "2026-11-23T09:00:00"),
        ("2 working hours", "any", "2026-11-23T11:00:00"),
        ("1 working day", "any", "2026-11-23T18:00:00"),
        ("1 working day", "working", "2026-11-24T09:00:00"),
    ],
)
def test_a_step_after_the_due(offset: str, hours: Any, at: str) -> None:
    """A ladder goes on behind the due by any term; `working` waits for the next opening."""
    assert terms.after(offset, shanghai("2026-11-20T18:00:00"), office(), hours) == shanghai(at)


@pytest.mark.parametrize(
    ("term", "start", "since", "until", "at"),
    [
        # 64 hours over a weekend cost the working minutes they cover
        ("15 working minutes", "11-20T17:45", "11-20T17:50", "11-23T09:50", "11-23T10:00"),
        ("15 working minutes", "11-20T17:55", "11-20T18:00", "11-23T09:00", "11-23T09:10"),
        ("15 minutes", "11-20T17:50", "11-20T18:00", "11-20T19:00", "11-20T19:05"),
        # after the due or before the start: no difference
        ("15 minutes", "11-20T17:50", "11-20T18:05", "11-20T19:00", "11-20T18:05"),
        ("15 minutes", "11-20T17:50", "11-20T16:05", "11-20T17:50", "11-20T18:05"),
        # a working day waited is a working day more; day 0 and weekends cost nothing
        ("7 working days", "11-20T10:00", "11-23T09:00", "11-23T18:00", "12-02T18:00"),
        ("7 working days", "11-20T10:00", "11-23T00:00", "11-24T00:00", "12-02T18:00"),
        ("7 working days", "11-20T10:00", "11-20T10:00", "11-23T09:00", "12-01T18:00"),
        ("1 working day", "11-20T10:00", "11-23T13:30", "11-23T18:00", "11-24T13:30"),
        ("30 days", "11-20T10:00", "11-25T00:00", "11-26T12:00", "12-22T12:00"),
        ("09:30 on the next working day", "11-20T20:00", "11-20T21:00", "11-23T09:10", "11-23T09:40"),
        ("08:30 on the next working day", "11-20T20:00", "11-20T21:00", "11-23T08:20", "11-23T08:30"),
        ("20:00 on the next working day", "11-20T20:00", "11-20T21:00", "11-21T08:20", "11-23T20:00"),
    ],
)
def test_a_wait_costs_what_it_covers(term: str, start: str, since: str, until: str, at: str) -> None:
    """A wait moves the due by what it covers of the budget, counted in the term's own unit (invariant 6)."""
    began, waits = shanghai(f"2026-{start}"), [(shanghai(f"2026-{since}"), shanghai(f"2026-{until}"))]
    moved = terms.due(parse_term(term), began, office(), waits)
    assert moved.at == shanghai(f"2026-{at}")
    assert moved.explanation.due == moved.at


def test_a_half_day_waited_is_a_whole_working_day_more() -> None:
    """Of working days each counts one: the three hours of a half day are as much of the promise as eight others."""
    spec = {
        "zone": "Asia/Shanghai",
        "hours": {"mon-fri": "09:00-17:00"},
        "half days": [{"on": "2026-12-31", "hours": "09:00-12:00", "name": "Eve"}],
    }
    ours, began = calendar_for(CalendarSpec.model_validate(spec)), shanghai("2026-12-29T10:00:00")
    waits = [(shanghai("2026-12-31T09:00:00"), shanghai("2026-12-31T12:00:00"))]
    term = parse_term("3 working days")
    assert terms.due(term, began, ours).at == shanghai("2027-01-01T17:00:00")
    assert terms.due(term, began, ours, waits).at == shanghai("2027-01-04T17:00:00")
    assert terms.consumed(term, began, shanghai("2026-12-31T10:30:00"), (), ours) == timedelta(days=1.5)


def test_a_night_shift_of_day_0_is_over_before_working_days_count() -> None:
    """Hours begun on the day of receipt belong to it past midnight: they use up nothing, and waits then are free."""
    spec = CalendarSpec.model_validate({"zone": "Asia/Shanghai", "hours": {"mon-fri": "22:00-06:00"}})
    ours, began, term = calendar_for(spec), shanghai("2026-11-18T23:00:00"), parse_term("2 working days")
    waits = [(shanghai("2026-11-19T01:00:00"), shanghai("2026-11-19T06:00:00"))]
    ends = shanghai("2026-11-21T06:00:00")
    assert terms.due(term, began, ours).at == terms.due(term, began, ours, waits).at == ends
    assert terms.point(term, began, ends, Fraction(1, 2), ours) == shanghai("2026-11-20T06:00:00")


def test_a_rung_moves_with_its_clock() -> None:
    """Half the budget is half of what is left for work: a wait moves the rungs behind it and no other."""
    term, began, ours = parse_term("2 working hours"), shanghai("2026-11-20T10:00:00"), office()
    waits = [(shanghai("2026-11-20T11:30:00"), shanghai("2026-11-20T13:30:00"))]
    ends = terms.due(term, began, ours, waits).at
    assert ends == shanghai("2026-11-20T14:00:00")
    assert terms.point(term, began, ends, Decimal("0.5"), ours, waits) == shanghai("2026-11-20T11:00:00")
    assert terms.point(term, began, ends, Decimal("0.8"), ours, waits) == shanghai("2026-11-20T13:36:00")


@pytest.mark.parametrize(
    "text", [*EXAMPLES, "the 1st of the month, if holiday: before", "30 Days", " 2  working   hours "]
)
def test_a_term_keeps_its_text(text: str) -> None:
    """A term goes to JSON as it was written and comes back equal."""
    adapter = TypeAdapter(Term)
    term = adapter.validate_python(text)
    assert adapter.dump_python(term) == text
    assert adapter.validate_json(adapter.dump_json(term)) == term
    assert in_chinese(term) != text


def test_a_two_part_term_keeps_its_mapping() -> None:
    """The form with two terms is the same mapping in YAML, JSON and the published schema."""

    class Promise(BaseModel):
        due: Term

    promise = Promise.model_validate({"due": FIRST_REPLY})
    assert promise.model_dump(mode="json") == {"due": FIRST_REPLY}
    assert Promise.model_validate_json(promise.model_dump_json()) == promise
    assert "in hours" in str(Promise.model_json_schema())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("soon", "'soon' is no term; write one like 15 minutes"),
        ("7 workdays", "'7 workdays' is no term"),
        ("-7 days", "'-7 days' is no term"),
        ("999999 months", "is longer than anybody waits (100 years, or 50 of working time)"),
        ("101 years", "is longer than anybody waits"),
        ("13100 working days", "is longer than anybody waits"),
        ("876000 working hours", "is longer than anybody waits"),
        ("1.5 hours", "'1.5 hours' is no term"),
        ("9:30 on the next working day", "is no term"),
        ("24:00 on the next day", "is no term"),
        ("the 32nd of the month", "is no term"),
        ("Freitag 17:00", "is no term"),
        ("0 minutes", "write: at once"),
        ("2 working weeks", "count in working days"),
        ("7 working days, if holiday: after", "never ends on a day off"),
        ("15 minutes, if holiday: never", "is no term"),
        ({"in hours": "15 minutes"}, "is no term; write a text such as 15 minutes, or {in hours"),
        ({"in hours": "15 minutes", "outside": "later"}, "'later' is no term"),
        ({"in hours": "15 minutes", "outside": FIRST_REPLY}, "is no term"),
        (15, "15 is no term"),
        (None, "None is no term"),
    ],
)
def test_what_is_no_term_is_named(wrong: Any, said: str) -> None:
    """A text that is no term is refused with the text and with what may be written instead (invariant 20)."""
    with pytest.raises(TermError) as refused:
        parse_term(wrong)
    assert said in str(refused.value)
    with pytest.raises(ValidationError):
        TypeAdapter(Term).validate_python(wrong)


def test_an_explanation_tells_days_and_holidays_by_name() -> None:
    """A due says what was counted, what was skipped and why, in both languages (invariant 10)."""
    told = terms.due(parse_term("7 working days"), shanghai("2026-09-30T10:00:00"), office()).explanation
    assert (told.counted, told.first, told.last) == (7, date(2026, 10, 8), date(2026, 10, 15))
    english, chinese = told.text(), told.text("zh-CN")
    for part in (
        "2026-10-15 18:00",
        "National Day 2026-10-01 to 2026-10-07",
        "1 weekend day",
        "National Day 2026-10-10",
    ):
        assert part in english
    for part in ("7个工作日", "国庆节 2026-10-01至2026-10-07", "2026-10-15 18:00"):
        assert part in chinese
    late = terms.due(parse_term("30 working days"), shanghai("2026-11-20T10:00:00"), office()).explanation
    assert "Provisional: the holidays of 2027" in late.text()
    assert "2027年的节假日安排尚未公布" in late.text("zh-CN")
    assert (
        "2026-12-20 24:00"
        in terms.due(parse_term("30 days"), shanghai("2026-11-20T10:00:00"), office()).explanation.text()
    )


def test_an_explanation_is_small_and_survives_json() -> None:
    """An explanation stays under a kilobyte and comes back equal from JSON without its defaults."""
    told = terms.due(parse_term("30 working days"), shanghai("2026-09-20T10:00:00"), office()).explanation
    text = told.model_dump_json(exclude_defaults=True)
    assert len(text) < 1024
    assert terms.Explanation.model_validate_json(text) == told
