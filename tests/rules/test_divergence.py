"""Going on from a ledger that a dead run wrote: nothing is lost, and nothing is taken twice."""

from __future__ import annotations

from rules.divergence import go_on
from rules.fold import fold
from rules.ledger import Entry
from tests.support.story import SMALL, Story, at, law, types

PROOF = [{"id": "letter-1", "sha256": "0" * 64}]


def test_what_a_closed_complaint_takes_is_taken_behind_a_closing_on_record() -> None:
    """A run that died had recorded the withdrawal alone; taken back in the next one, the complaint goes on."""
    recorded, again = opened(), opened()
    withdraw(recorded, "10:02")
    pending = withdraw(again, "10:03")
    pending += again.tell("take_back", "2026-03-02 10:03", evidence=PROOF, key="b")
    pending += again.tell("respond", "2026-03-02 10:04", key="c")
    decision = go_on(recorded.entries, pending, {}, again.law, at("2026-03-02 10:05"))
    assert "refused" not in types(decision.entries)
    assert [kind for kind in types(decision.entries) if not kind.startswith("clock")] == [
        "withdrawal_taken_back",
        "reopened",
        "responded",
    ]
    assert decision.case.closed is None
    assert fold([*recorded.entries, *decision.entries]) == decision.case


def test_a_closing_that_stands_elsewhere_is_the_same_closing() -> None:
    """Decided again behind a note, the withdrawal had another number; nobody sees a second closing refused."""
    recorded, again = opened(), opened()
    withdraw(recorded, "10:02")
    pending = again.tell("note", "2026-03-02 10:03", key="n")
    pending += withdraw(again, "10:03")
    decision = go_on(recorded.entries, pending, {}, again.law, at("2026-03-02 10:05"))
    assert types(decision.entries) == ["noted"], "a note is taken after the closing too, and the rest is on record"


def test_an_act_that_came_too_late_is_refused_with_what_follows_from_it() -> None:
    """The ledger ends with an acceptance; a withdrawal decided elsewhere is one refusal in the queue, no closing."""
    recorded, again = opened(), opened()
    for story in (recorded, again):
        story.tell("answer", "2026-03-02 10:01", key="a")
    accepted = recorded.tell("accept", "2026-03-02 10:02", key="b")
    pending = withdraw(again, "10:02")
    decision = go_on(recorded.entries, pending, {}, again.law, at("2026-03-02 10:05"))
    assert [(entry.type, entry.data.get("command")) for entry in decision.entries] == [("refused", "withdraw")]
    assert decision.case.closed is not None
    assert decision.case.closed.act == accepted[0].seq


def test_the_word_of_a_mail_server_is_nothing_to_refuse() -> None:
    """What became of a notice concerns no closed complaint, and puts nothing into the queue of people."""
    story = opened()
    story.live("2026-03-02 10:09")
    key = next(notice.key for entry in story.entries for notice in entry.notices)
    recorded = Story(story.law)
    recorded.case, recorded.entries = story.case, list(story.entries)
    withdraw(recorded, "10:10")
    pending = story.outcome(key, "2026-03-02 10:10", accepted=False)
    assert types(pending)[0] == "notice_undeliverable"
    assert go_on(recorded.entries, pending, {}, story.law, at("2026-03-02 10:11")).entries == []


def test_an_acknowledgement_stays_behind_what_it_answers() -> None:
    """A run judged a rung and heard its recipient; the ledger holds a note of a run before it. Put down in front of the
    rung, the acknowledgement would answer nothing, and whoever gave it would be taken for silent (invariant 13)."""
    recorded, again = opened(), opened()
    recorded.tell("note", "2026-03-02 10:01", key="n")
    begun = len(again.entries)
    again.live("2026-03-02 10:08")
    again.tell("acknowledge", "2026-03-02 10:09", by={"role": "handler.owner"}, key="k")
    decision = go_on(recorded.entries, again.entries[begun:], {}, again.law, at("2026-03-02 10:10"))
    assert types(decision.entries) == ["rung_reached", "acknowledged"]
    assert decision.entries[0].recorded_at == at("2026-03-02 10:07:30")
    (told,) = [notice for notice in decision.case.notices if notice.role == "handler.owner"]
    assert told.acknowledged
    assert fold([*recorded.entries, *decision.entries]) == decision.case


def opened() -> Story:
    """An enquiry whose withdrawal can be taken back."""
    after = {"customer writes": "attach", "take back": "5 days"}
    return Story(law(**{"after closure": after, "confirmation": SMALL["confirmation"]})).open("2026-03-02 10:00")


def withdraw(story: Story, when: str) -> list[Entry]:
    """The withdrawal and what follows from it."""
    return story.tell("withdraw", f"2026-03-02 {when}", evidence=PROOF, key="a-withdrawal")
