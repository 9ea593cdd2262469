"""What the principal demands after a miss, tracked to an answer (rule 46)."""

from __future__ import annotations

import pytest

from rules.demands import waiting
from rules.fold import fold
from rules.ledger import Refused
from tests.support.story import SMALL, TITLE, Story, at, law

PRINCIPAL = {"role": "principal.responsible_person", "person": "p.pia"}
TOLD = {"demand": "handler.manager", "answer_demand": "principal.responsible_person"}


def missed() -> Story:
    """A complaint whose first response was missed at 10:15."""
    story = Story(law(notices=TOLD)).open("2026-03-02 10:00", kind="complaint")
    story.live("2026-03-02 10:20")
    return story


def test_nothing_can_be_demanded_before_a_miss() -> None:
    """Rule 46 follows a promise that was not kept: before that a demand is refused, under a reason pages know."""
    story = Story().open("2026-03-02 10:00", kind="complaint")
    with pytest.raises(Refused, match="No promise was missed") as refused:
        story.tell("demand", "2026-03-02 10:05", wants="detail", by=PRINCIPAL)
    assert refused.value.reason == "nothing_missed"
    story.live("2026-03-02 10:20")
    with pytest.raises(Refused, match="missed were first_response#1"):
        story.tell("demand", "2026-03-02 10:21", wants="detail", clock="resolution#1", by=PRINCIPAL)


def test_a_demand_waits_for_its_answer_and_each_side_is_told() -> None:
    """The handler's manager is told of the demand, the principal of the answer; answered once it waits no more."""
    story = missed()
    (demand, *_) = story.tell("demand", "2026-03-02 10:21", wants="remedy", clock="first_response#1", by=PRINCIPAL)
    assert (demand.type, demand.data["wants"], demand.by.person) == ("demanded", "remedy", "p.pia")
    assert [notice.role for notice in demand.notices] == ["handler.manager"]
    assert [one.seq for one in waiting(story.case)] == [demand.seq]
    with pytest.raises(Refused, match=f"those that do: {demand.seq}"):
        story.tell("answer_demand", "2026-03-02 10:22", demand=1)
    (answer, *_) = story.tell("answer_demand", "2026-03-02 10:23", demand=demand.seq)
    assert [notice.role for notice in answer.notices] == ["principal.responsible_person"]
    assert waiting(story.case) == []
    with pytest.raises(Refused, match="no demand that waits") as refused:
        story.tell("answer_demand", "2026-03-02 10:24", demand=demand.seq)
    assert refused.value.reason == "no_demand"
    assert fold(story.entries) == story.case


def test_an_answer_can_have_a_clock() -> None:
    """A contract that promises an answer to a demand says so as to any other notice: the clock starts when the demand
    reached its addressee, and the answer meets it.
    """
    promised = {
        "clause": "B 8.2.2",
        "title": TITLE,
        "starts": {"delivery of": "demand"},
        "due": "2 hours",
        "met by": "answer_demand",
        "ladder": [{"at": "due", "tell": "handler.manager"}],
    }
    story = Story(law(notices=TOLD, obligations={**SMALL["obligations"], "demand": promised}))
    story.open("2026-03-02 10:00", kind="complaint")
    story.live("2026-03-02 10:20")
    (demand, *_) = story.tell("demand", "2026-03-02 10:21", wants="remedy", by=PRINCIPAL)
    story.outcome(demand.notices[0].key, "2026-03-02 10:30")
    assert story.clock("demand").due_at == at("2026-03-02 12:30")
    story.tell("answer_demand", "2026-03-02 11:00", demand=demand.seq)
    assert story.clock("demand").status == "met"


def test_only_the_principal_demands_and_only_the_handler_answers() -> None:
    """Neither side can speak for the other."""
    story = missed()
    with pytest.raises(Refused, match=r"handler\.manager may not demand"):
        story.tell("demand", "2026-03-02 10:21", wants="detail", by={"role": "handler.manager"})
    (demand, *_) = story.tell("demand", "2026-03-02 10:21", wants="detail", by=PRINCIPAL)
    with pytest.raises(Refused, match="may not answer_demand"):
        story.tell("answer_demand", "2026-03-02 10:22", demand=demand.seq, by=PRINCIPAL)


def test_an_answer_that_was_taken_back_is_owed_again() -> None:
    """Facts can be corrected: without its answer a demand waits as before."""
    story = missed()
    (demand, *_) = story.tell("demand", "2026-03-02 10:21", wants="detail", by=PRINCIPAL)
    (answer, *_) = story.tell("answer_demand", "2026-03-02 10:23", demand=demand.seq)
    by = [{"role": "handler.owner", "person": person} for person in ("p.ann", "p.bob")]
    (asked, *_) = story.tell("correct", "2026-03-02 10:30", entry=answer.seq, void=True, by=by[0])
    story.tell("approve_correction", "2026-03-02 10:31", entry=asked.seq, by=by[1])
    assert [one.seq for one in waiting(story.case)] == [demand.seq]
    story.tell("answer_demand", "2026-03-02 10:32", demand=demand.seq)
    assert waiting(story.case) == []
    assert at("2026-03-02 10:32") == story.entries[-1].occurred_at
