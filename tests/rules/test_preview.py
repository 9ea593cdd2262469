"""What a contract means for a date, against the core that judges complaints and against dates counted by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.calendar import calendar_for
from rules.commands import Complainant, OpenComplaint
from rules.contract_file import read
from rules.decide import open_complaint
from rules.law import InForce, law_of
from rules.ledger import Refused
from rules.preview import Asked, asked, later, outside_term, preview

CONTRACTS = Path(__file__).parents[2] / "contracts"
SHIPPED = sorted(file.stem for file in CONTRACTS.glob("*.yaml"))


@cache
def law(name: str) -> InForce:
    contract = read((CONTRACTS / f"{name}.yaml").read_text(), name).contract
    return InForce(contract, calendar_for(contract.calendar))


def dues(received: str, name: str = "maintenance-service", **classes: object) -> dict[str, str]:
    """Every clock at receipt with its due, without the year's zone."""
    question = asked({"received_at": received, **classes})
    return {clock.clock: clock.due.at.strftime("%Y-%m-%d %H:%M") for clock in preview(question, law(name))}


@st.composite
def questions(draw: st.DrawFn) -> tuple[str, Asked]:
    """Any complaint under any shipped contract, received at any moment of some years around its term."""
    name = draw(st.sampled_from(SHIPPED))
    contract = law(name).contract
    first, last = datetime(2010, 1, 1, tzinfo=UTC), datetime(2032, 1, 1, tzinfo=UTC)
    return name, Asked(
        received_at=first + draw(st.timedeltas(timedelta(), last - first)),
        kind=draw(st.sampled_from(contract.kinds)),
        category=draw(st.none() | st.sampled_from([*contract.categories])) if contract.categories else None,
        level=draw(st.none() | st.sampled_from([*contract.levels])) if contract.levels else None,
        grade=draw(st.none() | st.sampled_from([*contract.grades])) if contract.grades else None,
    )


@settings(max_examples=300, deadline=None)
@given(questions())
def test_the_preview_is_what_the_judge_will_say(drawn: tuple[str, Asked]) -> None:
    """Every clock that `ombud due` names is the one a complaint gets when it is opened, and no other."""
    name, question = drawn
    rules = law_of(law(name).contract.model_dump(mode="json", by_alias=True))
    start = OpenComplaint(
        contract=name,
        reference="R-1",
        kind=question.kind,
        category=question.category,
        level=question.level,
        channel="phone",
        received_at=question.received_at,
        content="It broke.",
        complainant=Complainant(grade=question.grade),
    )

    opened = open_complaint(start, rules, question.received_at, question.received_at)
    judged = [entry.data for entry in opened.entries if entry.type == "clock_started"]
    shown = preview(question, law(name))

    assert sorted(
        (clock.clock, clock.due.at.isoformat(), clock.due.provisional, clock.promise.clause) for clock in shown
    ) == sorted((data["obligation"], data["due_at"], data["provisional"], data["clause"]) for data in judged)
    flagged = "received outside the contract's term" in opened.entries[0].data.get("flags", [])
    assert bool(outside_term(question, law(name))) == flagged


WORKING_DAYS = [
    ("2025-12-31", "2026-01-12", "2026-01-22", "2026-02-12"),
    ("2026-02-13", "2026-03-02", "2026-03-12", "2026-04-02"),
    ("2026-02-14", "2026-03-03", "2026-03-13", "2026-04-03"),
    ("2026-04-30", "2026-05-13", "2026-05-25", "2026-06-15"),
    ("2026-09-24", "2026-10-12", "2026-10-22", "2026-11-12"),
    ("2026-09-30", "2026-10-15", "2026-10-27", "2026-11-17"),
    ("2026-11-19", "2026-11-30", "2026-12-10", "2026-12-31"),
]


@pytest.mark.parametrize(("received", "seven", "fifteen", "thirty"), WORKING_DAYS)
def test_working_days_of_the_shipped_contract(received: str, seven: str, fifteen: str, thirty: str) -> None:
    """Rules 40-43: 7, 15 and 30 working days from receipt, holidays and make-up days counted as published."""
    found = dues(f"{received}T10:00:00+08:00")

    assert found["investigation"] == f"{seven} 18:00"
    assert found["proposal"] == f"{fifteen} 18:00"
    assert found["resolution"] == f"{thirty} 18:00"


def test_a_due_in_a_year_nobody_has_published_is_provisional() -> None:
    """Invariant 9: 30 working days from 2026-11-20 end in 2027, and that is said."""
    shown = {clock.clock: clock.due for clock in preview(asked({"received_at": "2026-11-20T10:00:00+08:00"}), CN)}

    assert [name for name, due in shown.items() if due.provisional] == ["resolution"]
    assert "2027" in shown["resolution"].explanation.text("en")
    assert "2027" in shown["resolution"].explanation.text("zh-CN")


CN = law("maintenance-service")

FIRST_RESPONSES = [
    ("2026-11-20T17:50:00+08:00", "2026-11-20 18:05"),  # in hours: 15 minutes on the wall clock
    ("2026-11-20T17:59:59+08:00", "2026-11-20 18:14"),
    ("2026-11-20T18:00:00+08:00", "2026-11-23 09:30"),  # closed: a Friday evening waits for Monday
    ("2026-11-21T11:00:00+08:00", "2026-11-23 09:30"),
    ("2026-11-23T07:00:00+08:00", "2026-11-23 09:30"),  # before opening: the same day
    ("2026-11-23T09:00:00+08:00", "2026-11-23 09:15"),
    ("2026-10-10T17:00:00+08:00", "2026-10-10 17:15"),  # a make-up Saturday works
    ("2026-09-30T20:00:00+08:00", "2026-10-08 09:30"),  # National Day
    ("2026-11-20T09:50:00Z", "2026-11-20 18:05"),  # the same instant in another zone
]


@pytest.mark.parametrize(("received", "due"), FIRST_RESPONSES)
def test_first_response_of_the_shipped_contract(received: str, due: str) -> None:
    """Rules 24 and 25: 15 minutes in hours, 09:30 of the next working day outside."""
    assert dues(received)["first_response"] == due


def test_the_levels_of_the_shipped_contract() -> None:
    """Rules 21-23: 30 working minutes; 2 working hours; 10 minutes, 30 minutes and 24 hours round the clock."""
    friday = "2026-11-20T17:50:00+08:00"

    assert dues(friday, level=1)["standard_answer"] == "2026-11-23 09:20"
    assert dues(friday, level=2)["department_handover"] == "2026-11-23 10:50"
    grave = dues(friday, level=3)
    assert grave["principal_contact"] == "2026-11-20 18:00"
    assert grave["preliminary_plan"] == "2026-11-20 18:20"
    assert grave["closed_loop"] == "2026-11-21 17:50"


def test_only_what_applies_is_shown() -> None:
    """An enquiry has no 7, 15 and 30 days (RULES 3.26), and no level brings no clock of a level."""
    assert [*dues("2026-11-20T10:00:00+08:00", kind="enquiry")] == ["first_response"]
    assert [*dues("2026-11-20T10:00:00+08:00", kind="enquiry", category="usage")] == [
        "first_response",
        "standard_answer",
    ]


def test_a_contract_without_levels_counts_in_its_own_hours() -> None:
    """The parties the other way round, a lunch break, no levels: the same engine."""
    name = "complaint-handling"

    assert [*dues("2026-11-20T10:00:00+08:00", name)] == ["investigation", "proposal", "resolution"]
    assert dues("2026-11-20T11:30:00+08:00", name, grade="key")["key_customer_reply"] == "2026-11-20 16:30"
    with pytest.raises(Refused, match="the contract has no levels at all"):
        dues("2026-11-20T10:00:00+08:00", name, level=1)


def test_calendar_days_of_a_lender() -> None:
    """15 and 60 days are calendar days across a change of the clock; each ends at midnight in New York."""
    shown = {
        clock.clock: clock.due.at.isoformat()
        for clock in preview(asked({"received_at": "2024-02-28T10:00:00-05:00"}), law("consumer-finance"))
    }

    assert shown == {"response": "2024-03-15T00:00:00-04:00", "final_response": "2024-04-29T00:00:00-04:00"}


def test_what_waits_for_something_to_happen_is_listed_apart() -> None:
    """Clocks that a customer or a miss sets going have no due at receipt, and are not forgotten."""
    waiting = [name for name, _ in later(asked({"received_at": "2026-11-20T10:00:00+08:00"}), CN)]

    assert waiting == ["message_reply", "explanation"]


@pytest.mark.parametrize(
    ("received", "outside"),
    [
        ("2025-12-31T23:59:59+08:00", True),
        ("2026-01-01T00:00:00+08:00", False),
        ("2028-12-31T23:59:59+08:00", False),
        ("2029-01-01T00:00:00+08:00", True),
    ],
)
def test_dates_outside_the_term_are_answered_and_said(received: str, outside: bool) -> None:
    """Rule 127: no complaint is refused for its date, so neither is the question."""
    question = asked({"received_at": received})

    assert bool(outside_term(question, CN)) == outside
    assert "investigation" in {clock.clock for clock in preview(question, CN)}


BAD = [
    ({}, "received_at: is missing"),
    ({"received_at": "2026-11-20T10:00:00"}, "received_at: has no offset"),
    ({"received_at": "yesterday"}, "received_at: is no time"),
    ({"received_at": 20261120}, "received_at: give a time as RFC 3339"),
    ({"received_at": "2026-11-20T10:00:00Z", "kind": "grievance"}, "kind: must be 'complaint'"),
    ({"received_at": "2026-11-20T10:00:00Z", "level": 9}, "Unknown level '9'; the contract has 1, 2, 3."),
    ({"received_at": "2026-11-20T10:00:00Z", "category": "x"}, "Unknown category 'x'; the contract has product_qual"),
    ({"received_at": "2026-11-20T10:00:00Z", "grade": "x"}, "Unknown grade 'x'; the contract has standard, key."),
    ({"received_at": "2026-11-20T10:00:00Z", "levle": 1}, "levle: unknown field"),
    ({"received_at": "9999-12-30T10:00:00Z"}, "No calendar holds what is due"),
    ({"received_at": "0001-01-01T00:00:00+14:00"}, "No calendar holds what is due"),
]


@pytest.mark.parametrize(("given", "message"), BAD)
def test_a_question_that_makes_no_sense_gets_one_clear_message(given: dict[str, object], message: str) -> None:
    """Whatever is wrong with a question is said in words that name the field or what there is."""
    with pytest.raises(Refused) as refused:
        preview(asked(given), CN)

    assert message in str(refused.value)


def test_the_json_of_a_clock() -> None:
    """Programs get the clock, its clause, its due with an offset, why in words and in parts."""
    question = asked({"received_at": "2026-09-30T20:00:00+08:00"})
    first = preview(question, CN)[1].json("en", outside_term=False)

    assert json.loads(json.dumps(first)) == first
    assert (first["clock"], first["clause"], first["provisional"]) == ("investigation", "B 8.1.1", False)
    due_at = datetime.fromisoformat(str(first["due_at"]))
    assert due_at.utcoffset() == timedelta(hours=8)
    assert "National Day" in str(first["explanation"])
