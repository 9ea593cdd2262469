"""How a complaint ends and what opens it again; no clock is bent by the time between."""

from __future__ import annotations

from typing import Any

import pytest

from rules.fold import fold
from rules.law import InForce
from rules.ledger import Refused
from tests.rules.test_provisional import CALENDAR
from tests.support.story import SMALL, Story, at, law, types

LETTER = [{"id": "mail-1", "sha256": "0" * 64}]
ANN = {"role": "handler.owner", "person": "p.ann"}
BOB = {"role": "handler.manager", "person": "p.bob"}


def lawful(**changes: Any) -> InForce:
    """The small contract, reopening for a month, with two attempts on two days before a customer is out of reach."""
    confirmation = SMALL["confirmation"] | {"unreachable": {"attempts": 2, "days": 2}}
    after = {"customer writes": "reopen", "within": "30 days", "take back": "10 working days"}
    return law(**{"confirmation": confirmation, "after closure": after} | changes)


def answered(in_force: InForce | None = None, **fields: Any) -> Story:
    """An enquiry of Monday 10:00, answered at 10:05."""
    story = Story(in_force or lawful()).open("2026-03-02 10:00", **fields)
    story.tell("answer", "2026-03-02 10:05")
    return story


def closed(in_force: InForce | None = None, **fields: Any) -> Story:
    """The same, closed by silence on the seventh working day."""
    story = answered(in_force, **fields)
    story.live("2026-03-12 09:00")
    assert story.case.closed
    return story


def test_a_customer_who_cannot_be_reached_is_tried_as_often_as_the_contract_asks() -> None:
    """Two attempts on one day are not two on two; each is on record before the case may close."""
    story = answered()
    for when in ("2026-03-02 11:00", "2026-03-02 15:00"):
        story.tell("contact", when, role="complainant", outcome="tried")
    with pytest.raises(Refused, match="2 attempts on 2 days to reach the customer; on record are 2 on 1"):
        story.tell("close", "2026-03-02 16:00", unreachable=True)
    story.tell("contact", "2026-03-03 10:00", role="complainant", outcome="tried")
    assert types(story.tell("close", "2026-03-03 10:01", unreachable=True))[0] == "closed"
    assert story.case.closed
    assert story.case.closed.reason == "unreachable"


def test_attempts_before_the_customer_was_heard_of_count_for_nothing() -> None:
    """Who writes or is reached was in reach: the attempts begin anew."""
    story = answered()
    story.tell("contact", "2026-03-02 11:00", role="complainant", outcome="tried")
    story.tell("customer_writes", "2026-03-02 12:00")
    story.tell("contact", "2026-03-03 11:00", role="complainant", outcome="tried")
    with pytest.raises(Refused, match="on record are 1 on 1"):
        story.tell("close", "2026-03-03 12:00", unreachable=True)


def test_a_contract_that_says_nothing_of_it_closes_nobody_as_unreachable() -> None:
    """No attempts suffice where the parties did not agree on it."""
    with pytest.raises(Refused, match="does not let"):
        answered(law()).tell("close", "2026-03-03 12:00", unreachable=True)


def test_trying_the_customer_is_no_contact_with_anybody_else() -> None:
    """A contract that asks for a contact means the role it names."""
    story = Story(lawful()).open("2026-03-02 10:00", kind="complaint", level="3")
    story.tell("contact", "2026-03-02 10:01", role="complainant", outcome="tried")
    assert story.case.acts[-1].names == ("contact.tried:complainant",)


def test_silence_waits_for_our_reply_when_the_customer_wrote() -> None:
    """Whoever waits for an answer is not silent; the time counts from the reply."""
    story = answered()
    story.tell("customer_writes", "2026-03-03 10:00")
    story.live("2026-03-20 10:00")
    assert story.case.closed is None
    story.tell("respond", "2026-03-20 10:01")
    story.live("2026-03-31 17:59")
    assert story.case.closed is None
    story.live("2026-03-31 18:00")
    assert story.case.closed is not None


def test_a_message_after_the_end_reopens_the_case_and_starts_its_clock() -> None:
    """Its reply is due as any other; the result must be told again before silence can close."""
    story = closed()
    told = story.tell("customer_writes", "2026-03-16 11:00")
    assert types(told) == ["customer_wrote", "reopened", "clock_started"]
    assert story.clock("message_reply").due_at == at("2026-03-16 11:15")
    story.tell("respond", "2026-03-16 11:05")
    story.live("2026-06-30 10:00")
    assert story.case.closed is None
    assert fold(story.entries) == story.case


def test_after_its_time_a_message_opens_a_case_that_follows() -> None:
    """A month later the old case stays closed, and the new one has the customer's words, grade and language."""
    story = closed(lawful(grades={"key": {"title": {"en": "Key"}}}), complainant={"id": "c-9", "grade": "key"})
    (wrote,) = story.tell("customer_writes", "2026-04-20 11:00", text="It broke again.", channel="phone")
    assert wrote.data["opens"] == "R-1.2"
    assert story.case.closed
    opened = story.opened[-1]
    assert (opened.reference, opened.follows, opened.content) == ("R-1.2", "R-1", "It broke again.")
    assert (opened.complainant.id, opened.complainant.grade) == ("c-9", "key")
    assert opened.received_at == at("2026-04-20 11:00")
    story.tell("customer_writes", "2026-04-21 11:00")
    assert story.opened[-1].reference == "R-1.3"


def test_what_was_reopened_as_often_as_allowed_is_followed() -> None:
    """The contract reopens once; the next message after the end gets a case of its own."""
    story = closed()
    story.tell("customer_writes", "2026-03-16 11:00")
    story.tell("answer", "2026-03-16 11:05")
    story.tell("accept", "2026-03-16 11:10")
    (wrote,) = story.tell("customer_writes", "2026-03-17 11:00")
    assert wrote.data["after"] == "followed"


def test_a_message_that_is_only_attached_is_told_to_the_owner() -> None:
    """No clock runs that would bring it before anybody's eyes, so a notice does."""
    story = closed(lawful(**{"after closure": {"customer writes": "attach"}}))
    (wrote,) = story.tell("customer_writes", "2026-03-16 11:00")
    assert wrote.data["after"] == "attached"
    assert [notice.role for notice in wrote.notices] == ["handler.owner"]
    assert story.case.closed


def test_a_rejection_after_the_end_reopens_within_the_contracts_time() -> None:
    """It counts as a rejection; where the contract only attaches, or the time is over, it is refused."""
    story = closed()
    assert types(story.tell("reject", "2026-03-16 11:00"))[:2] == ["rejected", "reopened"]
    assert len(story.case.rejections) == 1
    with pytest.raises(Refused, match="follows"):
        closed().tell("reject", "2026-04-20 11:00")
    with pytest.raises(Refused, match="follows"):
        closed(law()).tell("reject", "2026-03-16 11:00")


def test_a_withdrawal_taken_back_costs_no_clock_the_time_between() -> None:
    """Withdrawn on day 3 and taken back on day 9: six working days are nobody's, and every due moves by them."""
    story = Story(lawful()).open("2026-03-02 10:00", kind="complaint", category="service")
    due = story.clock("proposal").due_at
    story.tell("withdraw", "2026-03-05 09:00", by=ANN, evidence=LETTER)
    assert {clock.status for clock in story.case.clocks} <= {"ended", "missed"}
    told = story.tell("take_back", "2026-03-13 09:00", by=ANN, evidence=LETTER)
    assert types(told)[:2] == ["withdrawal_taken_back", "reopened"]
    clock = story.clock("proposal")
    assert (clock.status, due, clock.due_at) == ("running", at("2026-03-23 18:00"), at("2026-03-31 18:00"))
    story.tell("findings", "2026-03-13 10:00", cause="Wear.")
    story.tell("propose", "2026-03-31 17:58")
    story.outcome(f"{story.case.id}/propose#{story.case.seq}/principal.responsible_person", "2026-03-31 17:59")
    spent = story.clock("proposal").time
    assert spent["closed"] + spent["net"] == spent["gross"]
    assert fold(story.entries) == story.case


def test_a_withdrawal_is_taken_back_within_its_time_by_the_customer() -> None:
    """Too late, never withdrawn, or told by the handler without the customer's word: one clear refusal each."""
    story = Story(lawful()).open("2026-03-02 10:00")
    with pytest.raises(Refused, match="no withdrawal"):
        story.tell("take_back", "2026-03-05 09:00")
    story.tell("withdraw", "2026-03-05 09:00")
    with pytest.raises(ValueError, match="needs evidence"):
        story.tell("take_back", "2026-03-06 09:00", by=ANN)
    with pytest.raises(Refused, match="within 10 working days"):
        story.tell("take_back", "2026-03-30 09:00")


def test_a_closing_that_was_a_mistake_never_was() -> None:
    """Two people take back an acceptance entered wrongly: the case goes on, and no clock gains the time between."""
    story = answered(kind="complaint", category="service")
    story.tell("findings", "2026-03-02 11:00", cause="Wear.")
    story.tell("propose", "2026-03-02 11:30")
    story.tell("resolve", "2026-03-02 12:00", outcome="upheld")
    due = story.clock("proposal").due_at
    (accepted, *_) = story.tell("accept", "2026-03-02 13:00")
    (asked, *_) = story.tell("correct", "2026-03-09 10:00", entry=accepted.seq, void=True, by=ANN)
    told = story.tell("approve_correction", "2026-03-09 11:00", entry=asked.seq, by=BOB)
    assert types(told)[:2] == ["correction_approved", "reopened"]
    assert story.clock("proposal").due_at == due
    assert fold(story.entries) == story.case


def test_who_is_recused_may_not_own_or_act_and_is_named_with_the_others() -> None:
    """Rule 37 for somebody found out about later: the ownership falls back to the role."""
    story = Story(lawful()).open("2026-03-02 10:00", against="p.li")
    story.tell("assign", "2026-03-02 10:01", person="p.ann")
    story.tell("recuse", "2026-03-02 10:02", person="p.ann")
    assert (story.case.owner, story.case.against) == (None, ("p.li", "p.ann"))
    for again in ({"command": "assign", "person": "p.ann"}, {"command": "respond", "by": ANN}):
        with pytest.raises(Refused, match="rule 37"):
            story.tell(again.pop("command"), "2026-03-02 10:03", **again)  # type: ignore[arg-type]
    with pytest.raises(Refused, match="already"):
        story.tell("recuse", "2026-03-02 10:04", person="p.ann")
    (asked, *_) = story.tell("correct", "2026-03-02 10:05", entry=story.entries[-1].seq, void=True, by=BOB)
    story.tell(
        "approve_correction", "2026-03-02 10:06", entry=asked.seq, by={"role": "handler.director", "person": "d"}
    )
    assert story.case.against == ("p.li",)


def test_a_category_named_later_brings_its_level() -> None:
    """A missing level takes the default of the category that the complaint gets."""
    story = Story().open("2026-03-02 10:00")
    story.tell("reclassify", "2026-03-02 10:05", category="product", reason="first_assessment")
    assert story.case.now_is.level == "2"
    assert "handover#1" in [clock.id for clock in story.case.clocks]


def test_a_withdrawal_is_taken_back_by_the_days_known_now() -> None:
    """The contract's time for it counts by the re-planned calendar, as every due of the case does."""
    contract = lawful(calendar={**CALENDAR, "published": {"2026": []}})
    story = Story(contract).open("2026-12-28 10:00")
    days = [{"name": "x", "off": [f"2027-01-{day:02}" for day in range(1, 8)], "work": []}]
    story.tell("replan", "2026-12-28 10:01", years={"2027": days}, by=ANN)
    story.tell("withdraw", "2026-12-28 10:02")
    story.tell("take_back", "2027-01-15 10:00")
    assert story.case.closed is None
