"""Facts are corrected by two people and never erased; what was judged is judged again (invariant 7)."""

from __future__ import annotations

from typing import Any

import pytest

from rules.commands import Correct
from rules.fold import fold
from rules.ledger import Entry, Refused
from tests.support.story import Story, at, types

ANN = {"role": "handler.owner", "person": "p.ann"}
BOB = {"role": "handler.manager", "person": "p.bob"}


def correct(story: Story, entry: int, when: str, happened: str = "") -> list[Entry]:
    """Ann corrects, Bob approves in the same minute; what followed from it."""
    right: dict[str, Any] = {"happened_at": at(happened)} if happened else {"void": True}
    (asked, *_) = story.tell("correct", when, entry=entry, by=ANN, **right)
    told = story.tell("approve_correction", when, entry=asked.seq, by=BOB)
    assert fold(story.entries) == story.case
    return told


def fact(story: Story, kind: str) -> int:
    return next(entry.seq for entry in story.entries if entry.type == kind)


def responded(occurred: str, when: str = "") -> Story:
    """An enquiry of 10:00, due 10:15, with one response."""
    story = Story().open("2026-03-02 10:00")
    story.tell("respond", when or occurred, occurred=occurred)
    return story


def test_nothing_changes_until_a_second_person_approves() -> None:
    """A correction alone counts for nothing; its approval moves the fact, and the entry it corrects stays as it was."""
    story = responded("2026-03-02 10:10")
    entry = fact(story, "responded")
    story.tell("correct", "2026-03-02 11:00", entry=entry, happened_at=at("2026-03-02 10:05"), by=ANN)
    assert story.clock("first_response").done_at == at("2026-03-02 10:10")
    story.tell("approve_correction", "2026-03-02 11:10", entry=story.entries[-1].seq, by=BOB)
    clock = story.clock("first_response")
    assert (clock.status, clock.done_at) == ("met", at("2026-03-02 10:05"))
    assert story.entries[entry - 1].occurred_at == at("2026-03-02 10:10")


def test_a_hit_whose_act_was_late_becomes_a_miss_found_by_correction_and_is_told() -> None:
    """Invariant 7: the response was at 10:40, not 10:10: unmet, missed, done late, and the manager hears of it."""
    story = responded("2026-03-02 10:10")
    told = correct(story, fact(story, "responded"), "2026-03-02 12:00", "2026-03-02 10:40")
    clock = story.clock("first_response")
    assert (clock.status, clock.done_at) == ("missed", at("2026-03-02 10:40"))
    missed = next(entry for entry in told if entry.type == "clock_missed")
    assert (missed.data["found_by"], missed.occurred_at) == ("correction", at("2026-03-02 10:15"))
    assert "first_response#1@due/handler.manager" in story.notices()
    assert [e.data["late_seconds"] for e in told if e.type == "clock_done"] == [25 * 60]


def test_a_hit_whose_act_never_happened_runs_or_is_missed() -> None:
    """Invariant 7: taken back before the due the clock runs on; after it, the miss is found."""
    for when, status in (("2026-03-02 10:12", "running"), ("2026-03-02 10:20", "missed")):
        story = responded("2026-03-02 10:10")
        told = correct(story, fact(story, "responded"), when)
        assert story.clock("first_response").status == status
        assert ("found_by" in str([entry.data for entry in told])) == (status == "missed")


def test_a_miss_that_would_be_on_record_anyway_was_not_found_by_the_correction() -> None:
    """After an outage the correction of a note brings a miss to light that has nothing to do with it."""
    story = Story().open("2026-03-02 10:00")
    story.tell("note", "2026-03-02 10:01")
    told = correct(story, fact(story, "noted"), "2026-03-02 11:00", "2026-03-02 10:00:30")
    assert "clock_missed" not in types(told)  # it came with the correction, before the approval
    assert "found_by" not in str([entry.data for entry in story.entries])


def test_a_miss_that_falls_away_is_refuted_and_stays() -> None:
    """Invariant 7: the late response was in time after all; the miss stays on record, refuted as a late report is."""
    story = Story().open("2026-03-02 10:00")
    story.live("2026-03-02 10:20")
    story.tell("respond", "2026-03-02 10:20")
    told = correct(story, fact(story, "responded"), "2026-03-02 12:00", "2026-03-02 10:14")
    clock = story.clock("first_response")
    assert (clock.status, clock.report, clock.done_at) == ("missed", "confirmed", at("2026-03-02 10:14"))
    assert types(told) == ["correction_approved", "clock_unmet", "miss_refuted"]


def test_a_later_receipt_plans_every_clock_again() -> None:
    """Invariant 7: received at 10:05, so due at 10:20; a rung that was reached stays, the others move, nobody is told
    twice."""
    story = Story().open("2026-03-02 10:00", level="2")
    story.live("2026-03-02 10:10")
    told = correct(story, 1, "2026-03-02 10:11", "2026-03-02 10:05")
    planned = {entry.data["obligation"]: entry.data for entry in told if entry.type == "clock_replanned"}
    assert planned["first_response"]["was_due_at"] == at("2026-03-02 10:15").isoformat()
    assert story.case.received_at == at("2026-03-02 10:05")
    assert story.clock("first_response").due_at == at("2026-03-02 10:20")
    assert story.clock("handover").due_at == at("2026-03-02 12:05")
    assert [rung.reached for rung in story.clock("first_response").rungs[:2]] == [True, False]
    story.live("2026-03-02 11:00")
    assert len(story.notices()) == len(set(story.notices()))


def test_a_miss_before_the_corrected_due_is_lifted_and_the_clock_runs_on() -> None:
    """Invariants 2 and 7: missed at 10:15 on record; received at 10:20, it is not due yet, and can be met."""
    story = Story().open("2026-03-02 10:00")
    story.live("2026-03-02 10:16")
    told = correct(story, 1, "2026-03-02 10:21", "2026-03-02 10:20")
    assert types(told) == ["correction_approved", "clock_replanned", "miss_refuted"]
    assert story.clock("first_response").status == "running"
    story.tell("respond", "2026-03-02 10:30")
    clock = story.clock("first_response")
    assert (clock.status, clock.done_at) == ("met", at("2026-03-02 10:30"))
    assert clock.missed is not None


def test_a_lifted_miss_can_be_missed_at_its_new_due() -> None:
    """The new due counts as the first one did: passed without an act, it is a miss of its own."""
    story = Story().open("2026-03-02 10:00")
    story.live("2026-03-02 10:16")
    correct(story, 1, "2026-03-02 10:21", "2026-03-02 10:20")
    story.live("2026-03-02 10:40")
    misses = [entry.occurred_at for entry in story.entries if entry.type == "clock_missed"]
    assert misses == [at("2026-03-02 10:15"), at("2026-03-02 10:35")]
    assert story.clock("first_response").cleared_at is None


def test_an_earlier_receipt_brings_a_miss_to_light() -> None:
    """Received at 9:30 and not at 10:00: the response of 10:10 was late."""
    story = responded("2026-03-02 10:10")
    correct(story, 1, "2026-03-02 12:00", "2026-03-02 09:30")
    clock = story.clock("first_response")
    assert (clock.status, clock.due_at) == ("missed", at("2026-03-02 09:45"))


def test_a_message_that_never_came_takes_its_clock_with_it() -> None:
    """A missed reply to nobody is refuted and ended; what the customer really wrote keeps its clock."""
    story = responded("2026-03-02 10:05")
    story.tell("customer_writes", "2026-03-02 10:10")
    story.live("2026-03-02 10:30")
    told = correct(story, fact(story, "customer_wrote"), "2026-03-02 10:31")
    assert types(told) == ["correction_approved", "miss_refuted", "clock_ended"]
    assert story.clock("message_reply").status == "ended"


def test_what_ended_a_clock_can_be_taken_back() -> None:
    """A reply was needed after all: the clock runs again from the message."""
    story = responded("2026-03-02 10:05")
    story.tell("customer_writes", "2026-03-02 10:10")
    story.tell("no_reply_needed", "2026-03-02 10:12")
    correct(story, fact(story, "no_reply_needed"), "2026-03-02 10:14")
    assert (story.clock("message_reply").status, story.clock("message_reply").due_at) == (
        "running",
        at("2026-03-02 10:25"),
    )


def test_new_facts_became_known_at_another_time() -> None:
    """The level's 24 hours run from when the facts became known, whoever wrote it down wrongly."""
    story = Story().open("2026-03-02 10:00", level="1")
    story.tell("reclassify", "2026-03-02 11:05", level="3", reason="new_facts")
    correct(story, fact(story, "reclassified"), "2026-03-02 12:00", "2026-03-02 10:50")
    assert story.clock("closed_loop").due_at == at("2026-03-03 10:50")


def test_a_corrected_story_ends_as_if_it_had_been_told_right() -> None:
    """Invariant 7: clocks are derived from the facts in the order they happened, not as they came to us."""
    wrong = Story().open("2026-03-02 10:00", level="2")
    wrong.live("2026-03-02 12:30")
    wrong.tell("hand_over", "2026-03-02 12:30", to="handler.manager")
    wrong.tell("update_customer", "2026-03-02 12:31")
    correct(wrong, fact(wrong, "handed_over"), "2026-03-02 13:00", "2026-03-02 10:30")
    correct(wrong, fact(wrong, "customer_updated"), "2026-03-02 13:01", "2026-03-02 10:50")
    right = Story().open("2026-03-02 10:00", level="2")
    right.tell("hand_over", "2026-03-02 10:30", to="handler.manager")
    right.tell("update_customer", "2026-03-02 10:50")
    for name in ("first_response", "handover"):
        assert wrong.clock(name).done_at == right.clock(name).done_at
        assert wrong.clock(name).due_at == right.clock(name).due_at
        assert (wrong.clock(name).cleared_at is not None) == (right.clock(name).status == "met")


def _waiting() -> tuple[Story, int]:
    story = responded("2026-03-02 10:10")
    (asked, *_) = story.tell(
        "correct", "2026-03-02 10:12", entry=fact(story, "responded"), happened_at=at("2026-03-02 10:09"), by=ANN
    )
    return story, asked.seq


@pytest.mark.parametrize(
    ("entry", "right", "by", "why"),
    [
        (99, {"void": True}, ANN, "has no entry 99"),
        (2, {"void": True}, ANN, "is a judgement"),
        (1, {"void": True}, ANN, "use withdraw"),
        (1, {"happened_at": at("2026-03-02 10:11")}, ANN, "dealt with at"),
        (3, {"happened_at": at("2026-03-02 09:59")}, ANN, "before the receipt"),
        (3, {"happened_at": at("2026-03-02 10:59")}, ANN, "in the future"),
        (3, {"void": True}, {"role": "handler.owner"}, "two people"),
        (6, {"void": True}, ANN, "is itself a correction"),
    ],
)
def test_what_cannot_be_corrected_is_refused(entry: int, right: dict[str, Any], by: dict[str, str], why: str) -> None:
    """Unknown and judged entries, corrections, times out of bounds and nameless people: each has its own answer."""
    story, asked = _waiting()
    assert (fact(story, "responded"), asked) == (3, 6)
    before = story.case
    with pytest.raises(Refused, match=why):
        story.tell("correct", "2026-03-02 10:20", entry=entry, by=by, **right)
    assert story.case == before


def test_an_approval_needs_another_person_and_a_correction_that_waits() -> None:
    """Invariant 7: nobody approves a correction of their own, twice, or of something that is none."""
    story, asked = _waiting()
    with pytest.raises(Refused, match="second person"):
        story.tell("approve_correction", "2026-03-02 10:13", entry=asked, by=ANN | {"role": "handler.manager"})
    with pytest.raises(Refused, match="two people"):
        story.tell("approve_correction", "2026-03-02 10:13", entry=asked, by={"role": "handler.manager"})
    with pytest.raises(Refused, match="those that do: 6"):
        story.tell("approve_correction", "2026-03-02 10:13", entry=3, by=BOB)
    story.tell("approve_correction", "2026-03-02 10:13", entry=asked, by=BOB)
    with pytest.raises(Refused, match="those that do: none"):
        story.tell("approve_correction", "2026-03-02 10:14", entry=asked, by=BOB)


def test_a_closed_case_is_corrected_and_stays_closed() -> None:
    """Facts outlive the end: an answer that was late after all makes a miss found by correction."""
    story = Story().open("2026-03-02 10:00")
    story.tell("answer", "2026-03-02 10:10")
    story.tell("accept", "2026-03-02 11:00")
    told = correct(story, fact(story, "answered"), "2026-03-03 10:00", "2026-03-02 10:20")
    missed = next(entry for entry in told if entry.type == "clock_missed")
    assert (missed.data["clock"], missed.data["found_by"]) == ("first_response#1", "correction")
    assert story.case.closed


def test_what_has_a_better_way_is_not_taken_back() -> None:
    """A classification is classified again, an assignment assigned again; the refusal says so."""
    story = Story().open("2026-03-02 10:00", level="1")
    story.tell("reclassify", "2026-03-02 10:01", level="2", reason="new_facts")
    story.tell("assign", "2026-03-02 10:02", person="p.cy")
    with pytest.raises(Refused, match="with reclassify"):
        story.tell("correct", "2026-03-02 10:03", entry=fact(story, "reclassified"), void=True, by=ANN)
    with pytest.raises(Refused, match="to whom it belongs"):
        story.tell("correct", "2026-03-02 10:03", entry=fact(story, "assigned"), void=True, by=ANN)


def test_what_others_depend_on_is_not_taken_back_before_them() -> None:
    """A request that was answered stands until its answer is corrected, and the answer does not come before it."""
    story = Story().open("2026-03-02 10:00")
    (asked, *_) = story.tell("request", "2026-03-02 10:10", of="third_party", due=at("2026-03-02 11:00"))
    (answer, *_) = story.tell("answer_request", "2026-03-02 12:00", request=asked.seq)
    for right in ({"void": True}, {"happened_at": at("2026-03-02 12:30")}):
        with pytest.raises(Refused, match=f"answered at .* by entry {answer.seq}; correct that first"):
            story.tell("correct", "2026-03-02 13:00", entry=asked.seq, by=ANN, **right)
    with pytest.raises(Refused, match=f"answers entry {asked.seq}"):
        story.tell("correct", "2026-03-02 13:00", entry=answer.seq, happened_at=at("2026-03-02 10:05"), by=ANN)
    correct(story, answer.seq, "2026-03-02 13:10")
    correct(story, asked.seq, "2026-03-02 13:20")


def test_the_shells_true_is_true() -> None:
    """`ombud tell … correct entry=2 void=true` says it in letters, as every flag there; nothing else passes for it."""
    taken = Correct.model_validate({"entry": "2", "void": "true", "text": "x"})
    assert taken.void is True
    for wrong in ("false", "yes", 1.5, False):
        with pytest.raises(ValueError, match="void"):
            Correct.model_validate({"entry": 2, "void": wrong, "text": "x"})
