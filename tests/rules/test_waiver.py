"""A promise waived by the principal, in writing (invariant 5)."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from rules.fold import fold
from rules.judge import next_wake
from rules.ledger import Refused
from tests.support.story import Story, types

LETTER: list[dict[str, Any]] = [{"id": "letter-3", "sha256": "0" * 64}]


def test_a_waived_clock_ends_and_its_ladder_stops() -> None:
    """Waived before its due it is neither met nor missed, and nobody is told of it any more."""
    story = Story().open("2026-03-02 10:00")
    told = story.tell("waive", "2026-03-02 10:05", clock="first_response#1", evidence=LETTER)
    assert types(told) == ["waived", "clock_ended"]
    assert told[-1].data["reason"] == "waived"
    story.live("2026-03-02 15:00")
    assert story.clock("first_response").status == "ended"
    assert story.notices() == []
    assert fold(story.entries) == story.case


def test_a_miss_on_record_is_not_waived_away() -> None:
    """Invariant 2: a waiver of 10:30 does not undo the miss of 10:15; the refusal names what runs."""
    story = Story().open("2026-03-02 10:00")
    story.live("2026-03-02 10:20")
    with pytest.raises(Refused, match="those that do: none"):
        story.tell("waive", "2026-03-02 10:30", clock="first_response#1", evidence=LETTER)


def test_a_waiver_that_comes_while_nobody_looked_stops_what_is_left_of_the_ladder() -> None:
    """After an outage the miss of 10:15 is recorded with the waiver of 11:11; no timer is set for steps behind it."""
    story = Story().open("2026-03-02 10:00")
    story.tell("waive", "2026-03-02 11:44", occurred="2026-03-02 11:11", clock="first_response#1", evidence=LETTER)
    assert story.clock("first_response").status == "missed"
    assert next_wake(story.case, story.law) is None


def test_only_the_principal_waives_and_in_writing() -> None:
    """A waiver by the wrong party, without a letter, or of no clock is refused."""
    story = Story().open("2026-03-02 10:00")
    by = {"role": "handler.manager"}
    with pytest.raises(Refused, match="may not waive; principal may"):
        story.tell("waive", "2026-03-02 10:05", clock="first_response#1", evidence=LETTER, by=by)
    with pytest.raises(ValidationError, match="in writing"):
        story.tell("waive", "2026-03-02 10:05", clock="first_response#1")
    with pytest.raises(Refused, match="those that do: first_response#1"):
        story.tell("waive", "2026-03-02 10:05", clock="proposal#1", evidence=LETTER)


def test_a_waiver_that_never_was_is_taken_back() -> None:
    """Invariant 7: the letter was about another case, so the clock runs again to its old due."""
    story = Story().open("2026-03-02 10:00")
    (waived, *_) = story.tell("waive", "2026-03-02 10:05", clock="first_response#1", evidence=LETTER)
    people = [{"role": "handler.owner", "person": person} for person in ("p.ann", "p.bob")]
    (asked, *_) = story.tell("correct", "2026-03-02 10:06", entry=waived.seq, void=True, by=people[0])
    told = story.tell("approve_correction", "2026-03-02 10:07", entry=asked.seq, by=people[1])
    assert types(told) == ["correction_approved", "clock_resumed"]
    assert story.clock("first_response").status == "running"
