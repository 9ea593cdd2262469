"""Duplicates: one case goes on with the earlier receipt and the acts of both, and can be parted again."""

from __future__ import annotations

from typing import Any

import pytest

from rules import merging
from rules.commands import Merge, UndoMerge
from rules.decide import decide
from rules.fold import fold
from rules.ledger import Entry, Refused
from rules.values import Actor
from tests.support.story import Story, at, types

ANN = {"role": "handler.owner", "person": "p.ann"}


def merge(duplicate: Story, survivor: Story, when: str) -> list[Entry]:
    """As the workflow does it: the survivor is asked first, then the duplicate closes."""
    command = Merge(into=survivor.case.reference)
    _, asked = merging.asks(duplicate.case, duplicate.law.contract, command)
    taken = survivor.note(decide(survivor.case, survivor.law, asked, at(when), f"absorb {when}", "client"))
    duplicate.tell("merge", when, into=survivor.case.reference)
    return taken


def part(duplicate: Story, survivor: Story, when: str) -> list[Entry]:
    """The merge undone on both sides."""
    command = UndoMerge(text="Another kettle.")
    _, asked = merging.asks(duplicate.case, duplicate.law.contract, command)
    taken = survivor.note(decide(survivor.case, survivor.law, asked, at(when), f"release {when}", "client"))
    duplicate.tell("undo_merge", when)
    return taken


def pair(earlier: str = "2026-03-02 09:30", later: str = "2026-03-02 10:00", **fields: Any) -> tuple[Story, Story]:
    """A complaint and its duplicate, which came first."""
    survivor = Story().open(later, reference="K-1", **fields)
    return Story().open(earlier, reference="K-2", **fields), survivor


def test_the_earlier_receipt_of_both_counts() -> None:
    """The survivor's clocks run from when the duplicate was received, and say so; the later receipt changes nothing."""
    duplicate, survivor = pair()
    told = merge(duplicate, survivor, "2026-03-02 10:02")
    assert survivor.clock("first_response").due_at == at("2026-03-02 09:45")
    assert "clock_replanned" in types(told)
    duplicate, survivor = pair(earlier="2026-03-02 10:01")
    merge(duplicate, survivor, "2026-03-02 10:02")
    assert survivor.clock("first_response").due_at == at("2026-03-02 10:15")


def test_what_was_done_in_the_duplicate_counts_in_the_survivor() -> None:
    """The customer was answered there in time: the survivor's clock is met by it, and not bent into a miss."""
    duplicate, survivor = pair()
    duplicate.tell("respond", "2026-03-02 09:40")
    merge(duplicate, survivor, "2026-03-02 10:02")
    clock = survivor.clock("first_response")
    assert (clock.status, clock.done_at) == ("met", at("2026-03-02 09:40"))
    assert fold(survivor.entries) == survivor.case


def test_a_message_nobody_answered_is_answered_in_the_survivor() -> None:
    """Its clock goes on there from when the customer wrote."""
    duplicate, survivor = pair()
    duplicate.tell("customer_writes", "2026-03-02 09:55")
    merge(duplicate, survivor, "2026-03-02 10:02")
    assert survivor.clock("message_reply").due_at == at("2026-03-02 10:10")
    duplicate, survivor = pair()
    duplicate.tell("customer_writes", "2026-03-02 09:55")
    duplicate.tell("respond", "2026-03-02 09:56")
    merge(duplicate, survivor, "2026-03-02 10:02")
    assert "message_reply#1" not in [clock.id for clock in survivor.case.clocks]


def test_the_duplicate_closes_and_its_clocks_end_as_merged() -> None:
    """What is told to it afterwards is refused with the way to the other; a missed clock stays missed."""
    duplicate, survivor = pair(later="2026-03-02 10:30")
    merge(duplicate, survivor, "2026-03-02 10:40")
    assert duplicate.case.closed
    assert (duplicate.case.closed.reason, duplicate.case.closed.into) == ("merged", "K-1")
    assert duplicate.clock("first_response").status == "missed"
    for command in ("respond", "customer_writes"):
        with pytest.raises(Refused, match="merged into K-1; go on there"):
            duplicate.tell(command, "2026-03-02 10:41")


def test_an_undone_merge_leaves_both_as_if_it_had_never_been() -> None:
    """Receipts, acts and dues are each case's own again, and the mistake cost no clock any time."""
    duplicate, survivor = pair(kind="complaint", category="service")
    plain = Story().open("2026-03-02 09:30", reference="K-2", kind="complaint", category="service")
    duplicate.tell("respond", "2026-03-02 09:40")
    plain.tell("respond", "2026-03-02 09:40")
    merge(duplicate, survivor, "2026-03-02 10:02")
    part(duplicate, survivor, "2026-03-04 10:00")
    plain.live("2026-03-04 10:00")
    assert duplicate.case.closed is None
    assert [(c.id, c.due_at, c.status) for c in duplicate.case.clocks] == [
        (c.id, c.due_at, c.status) for c in plain.case.clocks
    ]
    assert survivor.case.received_at == at("2026-03-02 10:00")
    assert (survivor.case.absorbed, survivor.case.own_receipt, survivor.case.acts) == ((), None, ())
    assert survivor.clock("first_response").status == "missed"
    assert fold(survivor.entries) == survivor.case
    assert fold(duplicate.entries) == duplicate.case


def test_a_chain_of_merges_is_parted_from_its_end() -> None:
    """What was merged into a case that was merged itself comes free only after that."""
    first, second = pair()
    third = Story().open("2026-03-02 09:00", reference="K-3")
    merge(third, first, "2026-03-02 10:02")
    merge(first, second, "2026-03-02 10:03")
    assert second.case.received_at == at("2026-03-02 09:00")
    with pytest.raises(Refused, match="itself merged into K-1 since"):
        part(third, first, "2026-03-02 10:04")
    part(first, second, "2026-03-02 10:05")
    part(third, first, "2026-03-02 10:06")
    assert first.case.received_at == at("2026-03-02 09:30")


@pytest.mark.parametrize(
    ("command", "body", "reason"),
    [
        ("merge", {"into": "K-2"}, "into itself"),
        ("link", {"to": "K-2", "relation": "part_of"}, "to itself"),
        ("undo_merge", {}, "not merged into another"),
    ],
)
def test_what_makes_no_sense_is_refused(command: str, body: dict[str, Any], reason: str) -> None:
    """One clear refusal, and nothing is recorded."""
    duplicate, _ = pair()
    before = duplicate.case
    with pytest.raises(Refused, match=reason):
        duplicate.tell(command, "2026-03-02 10:02", **body)
    assert duplicate.case == before


def test_the_same_case_is_not_absorbed_twice_nor_by_a_closed_one() -> None:
    """Whatever two people do at once, a receipt counts once, and a closed case takes no more."""
    duplicate, survivor = pair()
    _, asked = merging.asks(duplicate.case, duplicate.law.contract, Merge(into="K-1"))
    survivor.note(decide(survivor.case, survivor.law, asked, at("2026-03-02 10:02"), "one", "client"))
    with pytest.raises(Refused, match="already"):
        decide(survivor.case, survivor.law, asked, at("2026-03-02 10:03"), "two", "client")
    survivor.tell("withdraw", "2026-03-02 10:04")
    with pytest.raises(Refused, match="closed"):
        decide(survivor.case, survivor.law, asked, at("2026-03-02 10:05"), "three", "client")


def test_nobody_but_ombud_absorbs_or_releases() -> None:
    """They are what complaints say to each other; a person who claims to send one is refused."""
    duplicate, survivor = pair()
    _, asked = merging.asks(duplicate.case, duplicate.law.contract, Merge(into="K-1"))
    forged = asked.model_copy(update={"by": Actor(role="handler.owner")})
    with pytest.raises(Refused, match="may not absorb"):
        decide(survivor.case, survivor.law, forged, at("2026-03-02 10:02"), "forged", "cli")


def test_a_merged_case_is_corrected_after_the_merge_is_undone() -> None:
    """Its facts count in the other one, so correcting them here alone would part the two accounts."""
    duplicate, survivor = pair()
    (told,) = [e for e in duplicate.tell("respond", "2026-03-02 09:40") if e.type == "responded"]
    merge(duplicate, survivor, "2026-03-02 10:02")
    with pytest.raises(Refused, match="undo_merge, correct it"):
        duplicate.tell("correct", "2026-03-02 10:03", entry=told.seq, void=True, by=ANN)
    absorbed = next(entry.seq for entry in survivor.entries if entry.type == "absorbed")
    with pytest.raises(Refused, match="merge of K-2"):
        survivor.tell("correct", "2026-03-02 10:03", entry=absorbed, void=True, by=ANN)
