"""Waits for other parties: whose time it was, and what stops a clock (invariant 6; rules 16, 17, 56, 60)."""

from __future__ import annotations

from typing import Any

import pytest

from rules.fold import fold
from rules.judge import next_wake
from rules.law import InForce
from rules.ledger import Refused
from tests.support.story import SMALL, Story, at, law, types

PRINCIPAL = "principal.responsible_person"


def pausing(*parties: str) -> InForce:
    """The small contract, whose handover stands still while one of these parties is waited for."""
    obligations = SMALL["obligations"]
    return law(obligations=obligations | {"handover": obligations["handover"] | {"pauses for": list(parties)}})


def asked(in_force: InForce | None = None, of: str = PRINCIPAL) -> Story:
    """Level 2 of 10:00: handover due 12:00. Asked at 10:10, the other party has until 11:00."""
    story = Story(in_force or law()).open("2026-03-02 10:00", level="2")
    story.tell("respond", "2026-03-02 10:05")
    story.tell("request", "2026-03-02 10:10", of=of, due=at("2026-03-02 11:00"))
    return story


def request(story: Story) -> int:
    return next(entry.seq for entry in story.entries if entry.type == "requested")


def answer(story: Story, when: str, occurred: str = "", **fields: Any) -> None:
    story.live(occurred or when)
    story.tell("answer_request", when, occurred, request=request(story), **fields)
    assert fold(story.entries) == story.case


def done(story: Story, when: str) -> dict[str, int]:
    """Handed over and told at once; how the time of the clock is put down."""
    story.tell("hand_over", when, to="handler.manager")
    story.tell("update_customer", when)
    return story.clock("handover").time


def test_a_wait_is_attributed_and_stops_nothing_unless_the_contract_says_so() -> None:
    """Rules 56 and 60: thirty minutes were the principal's, and the clock was missed at 12:00 all the same."""
    story = asked()
    answer(story, "2026-03-02 11:30")
    assert story.clock("handover").due_at == at("2026-03-02 12:00")
    story.live("2026-03-02 12:01")
    clock = story.clock("handover")
    assert (clock.status, clock.time) == ("missed", {"gross": 7200, "net": 5400, "principal": 1800})
    assert done(story, "2026-03-02 12:30") == {"gross": 9000, "net": 7200, "principal": 1800}


def test_the_request_is_a_notice_to_the_role() -> None:
    """Rule 60: a wait is a request on record, mailed to the role that is asked."""
    story = asked()
    assert f"request#{request(story)}/{PRINCIPAL}" in story.notices()


def test_until_its_due_the_time_is_the_handlers() -> None:
    """Rule 60: answered in time, nobody was waited for."""
    story = asked(pausing("principal"))
    answer(story, "2026-03-02 10:50")
    assert story.clock("handover").waits == ()
    assert done(story, "2026-03-02 11:00") == {"gross": 3600, "net": 3600}


def test_an_open_wait_suspends_the_clock_and_its_ladder() -> None:
    """Invariant 6: from 11:00 the clock stands still: no rung, no miss; its end plans due and rungs anew."""
    story = asked(pausing("principal"))
    story.live("2026-03-02 11:00")
    assert story.entries[-1].type == "clock_paused"
    assert story.clock("handover").paused_at == at("2026-03-02 11:00")
    assert story.live("2026-03-02 17:00") == []
    wake = next_wake(story.case, story.law)
    assert wake is None
    answer(story, "2026-03-02 17:00")
    clock = story.clock("handover")
    assert (clock.due_at, clock.paused_at) == (at("2026-03-02 18:00"), None)
    story.live("2026-03-02 18:01")
    assert story.clock("handover").status == "missed"
    assert story.clock("handover").time == {"gross": 8 * 3600, "net": 7200, "principal": 6 * 3600}


def test_a_wait_over_the_weekend_costs_the_working_minutes_it_covered() -> None:
    """Invariant 6: from Friday 17:50 to Monday 09:00 are 63 hours and ten working minutes."""
    story = Story(pausing("principal")).open("2026-03-06 16:30", level="2")
    story.tell("respond", "2026-03-06 16:31")
    story.tell("request", "2026-03-06 16:40", of=PRINCIPAL, due=at("2026-03-06 17:50"))
    answer(story, "2026-03-09 09:00")
    assert story.clock("handover").due_at == at("2026-03-09 09:40")


def test_done_while_it_waits_is_in_time() -> None:
    """A clock that stands still cannot be missed: what is done at 15:00 of an open wait meets it."""
    story = asked(pausing("principal"))
    story.live("2026-03-02 15:00")
    assert done(story, "2026-03-02 15:00") == {"gross": 5 * 3600, "net": 3600, "principal": 4 * 3600}
    assert story.clock("handover").status == "met"


def test_a_clock_that_stands_still_ends_with_the_case() -> None:
    """Closed long after its first due while the principal still owed an answer: neither missed nor left running."""
    story = asked(pausing("principal"))
    story.live("2026-03-05 10:00")
    story.tell("withdraw", "2026-03-05 10:00")
    assert story.clock("handover").status == "ended"
    assert all(clock.status != "running" for clock in story.case.clocks)


def test_a_contested_request_leaves_the_time_to_the_handler() -> None:
    """Rule 60: contested at 13:00, the clock was due at 12:00 after all, and its miss is on record."""
    story = asked(pausing("principal"))
    story.live("2026-03-02 13:00")
    told = story.tell("contest_request", "2026-03-02 13:00", request=request(story))
    judged = [kind for kind in types(told) if kind != "rung_reached"]
    assert judged == ["request_contested", "clock_replanned", "clock_missed"]
    assert story.clock("handover").due_at == at("2026-03-02 12:00")
    assert story.clock("handover").time == {"gross": 7200, "net": 7200}


def test_a_contest_after_the_clock_was_over_corrects_whose_time_it_was() -> None:
    """The minutes put down to the principal go back to the handler, on record."""
    story = asked()
    answer(story, "2026-03-02 11:30")
    done(story, "2026-03-02 11:45")
    told = story.tell("contest_request", "2026-03-02 11:50", request=request(story))
    assert types(told) == ["request_contested", "clock_attributed"]
    assert story.clock("handover").time == {"gross": 6300, "net": 6300}


def test_overlapping_waits_give_each_minute_one_owner() -> None:
    """Third party from 11:00, principal from 11:20 to 11:40: twenty minutes go to the principal, first in order."""
    story = asked(of="third_party")
    story.tell("request", "2026-03-02 10:12", of=PRINCIPAL, due=at("2026-03-02 11:20"))
    both = [entry.seq for entry in story.entries if entry.type == "requested"]
    story.tell("answer_request", "2026-03-02 11:40", request=both[1])
    story.tell("answer_request", "2026-03-02 11:50", request=both[0])
    assert done(story, "2026-03-02 12:00") == {"gross": 7200, "net": 4200, "third_party": 1800, "principal": 1200}


def test_a_clock_stands_still_only_for_the_parties_it_names() -> None:
    """Invariant 6: a wait for a third party does not stop a clock that pauses for the principal."""
    story = asked(pausing("principal"), of="third_party")
    story.live("2026-03-02 12:01")
    assert story.clock("handover").status == "missed"


def test_a_late_reported_answer_ends_the_wait_when_it_came() -> None:
    """Invariant 1: answered at 11:30 and entered at 14:00: the due is 12:30, and its miss is found."""
    story = asked(pausing("principal"))
    story.live("2026-03-02 14:00")
    story.tell("answer_request", "2026-03-02 14:00", "2026-03-02 11:30", request=request(story))
    clock = story.clock("handover")
    assert (clock.due_at, clock.status) == (at("2026-03-02 12:30"), "missed")


def test_a_corrected_answer_moves_the_wait() -> None:
    """Invariant 7: the answer came at 12:00 and not at 11:30, so the clock is due half an hour later."""
    story = asked(pausing("principal"))
    answer(story, "2026-03-02 12:05", "2026-03-02 11:30")
    entry = next(e.seq for e in story.entries if e.type == "request_answered")
    people = [{"role": "handler.owner", "person": person} for person in ("p.ann", "p.bob")]
    right: dict[str, Any] = {"entry": entry, "happened_at": at("2026-03-02 12:00")}
    (said, *_) = story.tell("correct", "2026-03-02 12:10", by=people[0], **right)
    story.tell("approve_correction", "2026-03-02 12:11", entry=said.seq, by=people[1])
    assert story.clock("handover").due_at == at("2026-03-02 13:00")


def test_waits_that_are_none_are_refused() -> None:
    """A wait that ends before it begins, one never asked, and one answered by the wrong party: each is said."""
    story = asked()
    entry = request(story)
    with pytest.raises(Refused, match="before it was made"):
        story.tell("request", "2026-03-02 10:20", of=PRINCIPAL, due=at("2026-03-02 10:20"))
    with pytest.raises(Refused, match="handler's own time"):
        story.tell("request", "2026-03-02 10:20", of="handler.manager", due=at("2026-03-02 11:00"))
    with pytest.raises(Refused, match="Unknown role"):
        story.tell("request", "2026-03-02 10:20", of="principal.boss", due=at("2026-03-02 11:00"))
    with pytest.raises(Refused, match=f"Entry 1 is no request; those that wait: {entry}"):
        story.tell("answer_request", "2026-03-02 10:20", request=1)
    with pytest.raises(Refused, match="before that"):
        story.tell("answer_request", "2026-03-02 10:20", "2026-03-02 10:09", request=entry)
    with pytest.raises(Refused, match="went to"):
        story.tell("contest_request", "2026-03-02 10:20", request=entry, by={"role": "third_party"})
    answer(story, "2026-03-02 10:30")
    with pytest.raises(Refused, match="those that wait: none"):
        story.tell("answer_request", "2026-03-02 10:31", request=entry)
