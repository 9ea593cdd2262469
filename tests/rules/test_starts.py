"""What sets a clock going, what keeps it quiet, and in which order judgements are put on record."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.story import SMALL, Story, at, law

REJECTED: dict[str, Any] = {
    "clause": "E 2.1.3",
    "title": {"en": "Second look"},
    "starts": "rejection",
    "due": "1 hour",
    "met by": "answer",
    "ladder": [{"at": "due", "tell": "handler.manager"}],
}
TOLD = REJECTED | {"starts": {"delivery of": "propose"}, "met by": "resolve"}


def with_obligation(name: str, promise: dict[str, Any]) -> Story:
    """A story under the small contract with one promise more."""
    return Story(law(obligations=SMALL["obligations"] | {name: promise}))


def test_both_times_of_an_act_are_kept() -> None:
    """Invariant 1: an act has the time at which it happened and the time at which we learned of it."""
    story = Story().open("2026-03-02 10:00", recorded="2026-03-02 10:02")
    (told, *_) = story.tell("respond", "2026-03-02 10:12", occurred="2026-03-02 10:05")
    assert (told.occurred_at, told.recorded_at) == (at("2026-03-02 10:05"), at("2026-03-02 10:12"))
    opened = story.entries[0]
    assert (opened.occurred_at, opened.recorded_at) == (at("2026-03-02 10:00"), at("2026-03-02 10:02"))


def test_a_first_assessment_starts_each_clock_where_it_says() -> None:
    """Invariant 3: assessed at 10:30, “level reached” runs from 10:30, while “receipt” runs from 10:00."""
    grave, ordinary = (Story().open("2026-03-02 10:00") for _ in range(2))
    grave.tell("reclassify", "2026-03-02 10:30", level="3", reason="first_assessment")
    assert grave.clock("closed_loop").started_at == at("2026-03-02 10:30")
    ordinary.tell("reclassify", "2026-03-02 10:30", level="2", reason="first_assessment")
    assert ordinary.clock("handover").started_at == at("2026-03-02 10:00")


def test_a_rejection_starts_a_clock() -> None:
    """Invariant 3: a promise that starts with a rejection has no clock before, and runs from the rejection."""
    story = with_obligation("second_look", REJECTED).open("2026-03-02 10:00")
    story.tell("answer", "2026-03-02 10:05")
    assert "second_look" not in {clock.obligation for clock in story.case.clocks}
    story.tell("reject", "2026-03-02 11:05", occurred="2026-03-02 11:00")
    assert story.clock("second_look").due_at == at("2026-03-02 12:00")


def test_the_delivery_of_a_notice_starts_a_clock() -> None:
    """Invariant 3: a promise that starts with a delivery runs from the server's acceptance, not from the act."""
    story = with_obligation("after_proposal", TOLD).open("2026-03-02 10:00", kind="complaint")
    story.tell("findings", "2026-03-02 11:00", cause="Worn out.")
    story.tell("propose", "2026-03-02 12:00")
    assert "after_proposal" not in {clock.obligation for clock in story.case.clocks}
    story.outcome(next(n.key for n in story.case.notices if n.of == "propose"), "2026-03-02 12:10")
    assert story.clock("after_proposal").started_at == at("2026-03-02 12:10")


@pytest.mark.parametrize("done", ["2026-03-02 10:10", "2026-03-02 10:20"], ids=["in time", "late"])
def test_a_ladder_stops_when_its_clock_is_done(done: str) -> None:
    """Invariant 5: once it is done, in time or late, no later rung is reached and nobody is told any more."""
    story = Story().open("2026-03-02 10:00")
    story.live(done)
    story.tell("respond", done)
    before = len(story.entries)
    story.live("2026-03-02 18:00")
    assert story.entries[before:] == []


@pytest.mark.parametrize("how", ["withdrawn", "taken back"])
def test_what_a_miss_set_going_is_on_record_though_nobody_looked_before_the_closing(how: str) -> None:
    """Invariants 1 and 11: an outage ends with the message that closes the case. The duty to explain began with the
    miss all the same, was missed and is told, and the ledger holds what it would hold without the outage."""
    watched, outage = (Story().open("2026-03-02 10:00", kind="complaint") for _ in range(2))
    watched.live("2026-05-20 10:00")
    for story in (watched, outage):
        story.tell("withdraw", "2026-05-20 10:01", by={"role": "complainant"}, occurred="2026-05-20 10:00")
        if how == "taken back":
            story.tell("take_back", "2026-05-20 12:00", by={"role": "complainant"})

    def said(story: Story) -> list[tuple[Any, ...]]:
        about = (e for e in story.entries if e.data.get("obligation") in ("resolution", "explanation"))
        return sorted((e.type, e.data["clock"], e.occurred_at, [n.key for n in e.notices]) for e in about)

    assert said(outage) == said(watched)
    assert any("explanation#1@due" in key for key in outage.notices())


def test_what_a_miss_behind_the_closing_would_have_set_going_never_begins() -> None:
    """A case that was closed before its resolution was due owes no explanation, whenever that is heard."""
    story = Story().open("2026-03-02 10:00", kind="complaint")
    story.tell("withdraw", "2026-05-20 10:01", by={"role": "complainant"}, occurred="2026-03-20 10:00")
    assert not any(clock.obligation == "explanation" for clock in story.case.clocks)


def test_judgements_are_recorded_in_the_order_of_their_moments() -> None:
    """Invariant 11: after an outage the rungs and misses of several clocks come in the order in which they fell."""
    story = Story().open("2026-03-02 10:00", level="2", kind="complaint")
    told = story.wait("2026-03-02 15:00")
    moments = [entry.occurred_at for entry in told]
    assert moments == sorted(moments)
    assert len({entry.data["clock"] for entry in told}) > 1
    assert story.wait("2026-03-02 15:00") == [], "and all of them at once"


def test_a_step_in_working_hours_waits_for_the_next_opening() -> None:
    """Invariant 14: a round-the-clock clock due on Saturday tells who has office hours on Monday morning."""
    promise = SMALL["obligations"]["closed_loop"] | {
        "ladder": [
            {"at": "due", "tell": "handler.manager", "hours": "working"},
            {"after": "2 working hours", "tell": "handler.director"},
        ]
    }
    story = with_obligation("closed_loop", promise).open("2026-02-27 12:00", level="3")
    assert story.clock("closed_loop").due_at == at("2026-02-28 12:00")
    story.live("2026-03-03 12:00")
    told = {
        e.data["rung"]: e.occurred_at
        for e in story.entries
        if e.type == "rung_reached" and e.data["clock"] == "closed_loop#1"
    }
    assert told == {"due": at("2026-03-02 09:00"), "+2 working hours": at("2026-03-02 11:00")}
