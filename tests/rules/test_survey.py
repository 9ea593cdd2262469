"""The survey after the result: when it can be answered, what it counts, and what dissatisfaction leads to."""

from __future__ import annotations

from typing import Any

import pytest

from rules.contract import Contract
from rules.contract_checks import check
from rules.ledger import Refused
from rules.survey import until
from tests.support.story import SMALL, TITLE, Story, at, law, types

SURVEY: dict[str, Any] = {
    "open for": "10 working days",
    "dissatisfied": "reopen",
    "tell": "handler.director",
    "questions": {
        "result": {
            "about": "service",
            "kind": "choice",
            "title": TITLE,
            "options": {
                "good": {"title": TITLE, "score": 5},
                "bad": {"title": TITLE, "score": 1, "dissatisfied": True},
            },
        },
        "days": {"about": "after_sales", "kind": "fill_in", "title": TITLE},
        "better": {"about": "product", "kind": "open", "title": TITLE},
    },
}


def resolved(**survey: Any) -> Story:
    """A complaint whose customer was told the result on Monday at 14:00; its survey with some parts replaced."""
    story = Story(law(survey=SURVEY | survey)).open("2026-03-02 10:00", kind="complaint", category="product", level="1")
    for command, more in (("findings", {"cause": "A valve."}), ("propose", {}), ("resolve", {"outcome": "upheld"})):
        story.tell(command, "2026-03-02 13:00", **more)
    story.tell("tell_result", "2026-03-02 14:00")
    return story


def test_answers_are_codes_and_words_lie_apart() -> None:
    """The ledger keeps the options and what they count; what was written is content, under its question."""
    story = resolved()
    (entry, *more) = story.tell(
        "answer_survey", "2026-03-03 09:00", answers={"result": "good"}, words={"better": "Call me first."}
    )
    assert more == []
    assert entry.data["answers"] == {"result": "good"}
    assert entry.data["scored"] == {"result": {"about": "service", "score": "5", "dissatisfied": False}}
    assert entry.data["wrote"] == {"better": "product"}
    assert "effect" not in entry.data
    assert story.texts[entry.seq] == {"words.better": "Call me first."}
    assert "Call me" not in entry.model_dump_json()


def test_it_comes_after_the_result_and_ends_with_its_time() -> None:
    """Before the result is told there is nothing to ask about; after the contract's time it is too late."""
    story = Story(law(survey=SURVEY)).open("2026-03-02 10:00", kind="complaint")
    with pytest.raises(Refused, match="comes after resolve"):
        story.tell("answer_survey", "2026-03-02 10:05", answers={"result": "good"})
    story = resolved()
    assert until(story.case, story.law) == at("2026-03-16 18:00")
    with pytest.raises(Refused, match="could be answered until") as refused:
        story.tell("answer_survey", "2026-03-16 18:01", answers={"result": "good"})
    assert refused.value.reason == "survey_over"


def test_it_sets_no_timer_of_its_own() -> None:
    """Silence closes the case at the very moment it does without a survey."""
    story, plain = resolved(), Story()
    story.live("2026-04-02 10:00")
    (closed,) = [entry for entry in story.entries if entry.type == "closed"]
    assert closed.data["reason"] == "silence"
    plain.law = law()
    plain.open("2026-03-02 10:00", kind="complaint", category="product", level="1")
    for command, more in (("findings", {"cause": "A valve."}), ("propose", {}), ("resolve", {"outcome": "upheld"})):
        plain.tell(command, "2026-03-02 13:00", **more)
    plain.tell("tell_result", "2026-03-02 14:00")
    plain.live("2026-04-02 10:00")
    assert [entry.occurred_at for entry in plain.entries if entry.type == "closed"] == [closed.occurred_at]


def test_one_answer_a_result() -> None:
    """A second answer is refused, under a reason that pages know."""
    story = resolved()
    story.tell("answer_survey", "2026-03-03 09:00", answers={"result": "good"})
    with pytest.raises(Refused, match="answered already") as refused:
        story.tell("answer_survey", "2026-03-03 09:01", answers={"result": "bad"})
    assert refused.value.reason == "survey_done"


def test_dissatisfaction_reopens_as_a_rejection_does() -> None:
    """The case goes back, in the customer's name, and the next result can be asked about again."""
    story = resolved()
    entries = story.tell("answer_survey", "2026-03-03 09:00", answers={"result": "bad"})
    assert types(entries)[:2] == ["survey_answered", "rejected"]
    assert entries[1].data["survey"] == entries[0].seq
    assert entries[1].by.role == "complainant"
    assert len(story.case.rejections) == 1
    story.tell("propose", "2026-03-03 10:00")
    story.tell("resolve", "2026-03-03 11:00", outcome="partly")
    story.tell("tell_result", "2026-03-03 12:00")
    entries = story.tell("answer_survey", "2026-03-03 13:00", answers={"result": "bad"})
    assert types(entries) == ["survey_answered"]  # the small contract reopens once
    assert [notice.role for notice in entries[0].notices] == ["handler.director"]
    assert entries[0].data["effect"] == "escalate"


def test_it_can_be_answered_after_closing() -> None:
    """Closed by silence, the case still takes the answer within its time; where no rejection would reopen it any more,
    the roles of the contract are told.
    """
    story = resolved()
    story.live("2026-03-12 10:00")
    assert story.case.closed is not None
    (entry,) = story.tell("answer_survey", "2026-03-13 09:00", answers={"result": "bad"})
    assert (entry.data["effect"], [notice.role for notice in entry.notices]) == ("escalate", ["handler.director"])
    assert story.case.closed is not None


def test_dissatisfaction_after_closing_reopens_where_a_rejection_would() -> None:
    """Where the contract reopens for a customer who comes back, the survey opens the case again."""
    story = Story(law(survey=SURVEY, **{"after closure": {"customer writes": "reopen", "within": "10 working days"}}))
    story.open("2026-03-02 10:00", kind="enquiry", level="1")
    story.tell("answer", "2026-03-02 10:05")
    story.tell("accept", "2026-03-02 10:30")
    entries = story.tell("answer_survey", "2026-03-03 09:00", answers={"result": "bad"})
    assert types(entries)[:3] == ["survey_answered", "rejected", "reopened"]
    assert story.case.closed is None


def test_dissatisfaction_escalates_where_the_contract_says_so() -> None:
    """The roles it names are told; the case stays where it is."""
    story = resolved(dissatisfied="escalate", tell=["handler.manager", "handler.director"])
    (entry,) = story.tell("answer_survey", "2026-03-03 09:00", answers={"result": "bad"})
    assert [notice.role for notice in entry.notices] == ["handler.manager", "handler.director"]
    assert story.case.rejections == ()


def test_dissatisfaction_is_only_recorded_where_the_contract_says_no_more() -> None:
    """It stands in the figures and tells nobody."""
    story = resolved(dissatisfied="record", tell=[])
    (entry,) = story.tell("answer_survey", "2026-03-03 09:00", answers={"result": "bad"})
    assert (entry.notices, entry.data["dissatisfied"]) == ((), ["result"])


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"answers": {"colour": "red"}}, "'colour' is no question with options; those are result"),
        ({"answers": {"result": "great"}}, "'result' has no option 'great'; it has good, bad"),
        ({"answers": {"days": "3"}}, "'days' is no question with options"),
        ({"words": {"result": "Fine."}}, "'result' is no question for words; those are days, better"),
    ],
)
def test_what_was_not_asked_is_refused(answer: dict[str, Any], said: str) -> None:
    """A question or option that the contract does not have is named, with those it has."""
    with pytest.raises(Refused, match=said):
        resolved().tell("answer_survey", "2026-03-03 09:00", **answer)


def test_without_a_survey_there_is_nothing_to_answer() -> None:
    """A contract without the section takes none."""
    story = resolved()
    story.law = law()
    with pytest.raises(Refused, match="has no survey"):
        story.tell("answer_survey", "2026-03-03 09:00", answers={"result": "good"})


def wrong(**survey: Any) -> list[tuple[tuple[str | int, ...], str]]:
    """What the check of a contract finds fatal about its survey."""
    contract = Contract.model_validate(SMALL | {"survey": SURVEY | survey})
    return [(found.path, found.reason) for found in check(contract) if found.fatal and found.path[0] == "survey"]


def test_a_survey_that_asks_or_leads_nowhere_is_refused_at_load() -> None:
    """Each mistake is said with its place: nothing asked, one option, options of an open question, nobody told."""
    assert wrong() == []
    assert [reason for _, reason in wrong(questions={}, dissatisfied="record", tell=[])] == [
        "asks nothing; name a question, or remove the survey"
    ]
    choice = {"about": "service", "kind": "choice", "title": TITLE, "options": {"a": {"title": TITLE, "score": 1}}}
    ((path, reason),) = wrong(questions={"q": choice}, dissatisfied="record", tell=[])
    assert (path, reason) == (("survey", "questions", "q"), "a choice needs two options at least")
    open_ = choice | {"kind": "open"}
    ((path, reason),) = wrong(questions={"q": open_}, dissatisfied="record", tell=[])
    assert (path[-1], reason) == ("options", "only a choice has options; this question is open")
    ((_, reason),) = wrong(dissatisfied="escalate", tell=[])
    assert reason == "tells nobody; name roles under `tell`"
    ((path, reason),) = wrong(dissatisfied="record")
    assert reason.startswith("is never told")
    ((path, reason),) = wrong(tell="handler.nobody")
    assert (path, reason[:14]) == (("survey", "tell", 0), "unknown role '")
    satisfied = {"q": choice | {"options": {n: {"title": TITLE, "score": 1} for n in "ab"}}}
    ((_, reason),) = wrong(questions=satisfied, tell=[])
    assert reason.startswith("never comes to reopen")
