"""What is given up counts as undeliverable at once, and is on record with who and why (invariants 13, 15)."""

from __future__ import annotations

import pytest

from rules.fold import fold
from rules.ledger import Refused
from tests.support.story import Story

MANAGER = "first_response#1@due/handler.manager"
BY = {"role": "handler.director", "person": "p.dee"}


def test_a_notice_that_is_given_up_lets_the_ladder_go_on() -> None:
    """The manager's mail is given up at 10:20: the director hears at once, not at 10:45; the ledger folds to it."""
    story = Story().open("2026-03-02 10:00")
    story.live("2026-03-02 10:15:01")
    key = f"{story.case.id}/{MANAGER}"
    told = story.tell("give_up", "2026-03-02 10:20", notices=[key], by=BY, text="Told on the phone.")
    assert [entry.type for entry in told] == ["given_up", "rung_reached"]
    assert told[0].data["notices"] == [key]
    assert told[0].by.person == "p.dee"
    assert [ref.field for ref in told[0].content] == ["text"], "why is no part of the ledger"
    assert [entry.data["rung"] for entry in told[1:]] == ["+30 minutes"]
    assert fold(story.entries) == story.case


def test_only_what_reached_nobody_is_given_up() -> None:
    """What was acknowledged or accepted arrived; what this complaint does not have is named."""
    story = Story().open("2026-03-02 10:00")
    story.live("2026-03-02 10:15:01")
    story.tell("acknowledge", "2026-03-02 10:16", by={"role": "handler.manager"})
    with pytest.raises(Refused, match="arrived"):
        story.tell("give_up", "2026-03-02 10:20", notices=[f"{story.case.id}/{MANAGER}"], text="x")
    with pytest.raises(Refused, match="Unknown notice"):
        story.tell("give_up", "2026-03-02 10:20", notices=["small/R-1/nothing"], text="x")
    with pytest.raises(Refused, match="no entry 9999"):
        story.tell("give_up", "2026-03-02 10:20", refused=9999, text="x")


def test_it_can_be_given_up_after_the_end() -> None:
    """What a closed complaint could not tell stands in the queue, too; no clock moves for it."""
    story = Story().open("2026-03-02 10:00")
    story.live("2026-03-02 10:15:01")
    story.tell("withdraw", "2026-03-02 10:18", by={"role": "complainant"})
    told = story.tell("give_up", "2026-03-02 10:20", notices=[f"{story.case.id}/{MANAGER}"], text="x")
    assert [entry.type for entry in told] == ["given_up"]
