"""Whether the survey of a contract asks something that can be answered, and whether dissatisfaction leads somewhere."""

from __future__ import annotations

from collections.abc import Iterator

from rules.contract import Contract
from rules.document import Path
from rules.survey_section import Question, Survey

Found = tuple[Path, str]
"""Where, and what is wrong."""

_PLACE: Path = ("survey",)


def check_survey(contract: Contract) -> Iterator[Found]:
    """What is wrong with the survey; the roles it tells are checked with all others (invariant 20)."""
    survey = contract.survey
    if survey is None:
        return
    if not survey.questions:
        yield (*_PLACE, "questions"), "asks nothing; name a question, or remove the survey"
    for name, question in survey.questions.items():
        yield from _question((*_PLACE, "questions", name), question)
    yield from _consequence(contract, survey)


def _question(path: Path, question: Question) -> Iterator[Found]:
    if question.kind == "choice" and len(question.options) < 2:
        yield path, "a choice needs two options at least"
    if question.kind != "choice" and question.options:
        yield (*path, "options"), f"only a choice has options; this question is {question.kind}"


def _consequence(contract: Contract, survey: Survey) -> Iterator[Found]:
    path: Path = (*_PLACE, "dissatisfied")
    options = (option for question in survey.questions.values() for option in question.options.values())
    if survey.dissatisfied != "record" and not any(option.dissatisfied for option in options):
        yield path, f"never comes to {survey.dissatisfied}: no option says `dissatisfied: true`"
    if survey.dissatisfied == "reopen" and not contract.confirmation.reopenings:
        yield path, "nothing is ever reopened: `confirmation`, `reopenings` is 0"
    if survey.dissatisfied == "escalate" and not survey.tell:
        yield path, "tells nobody; name roles under `tell`"
    if survey.dissatisfied == "record" and survey.tell:
        yield (*_PLACE, "tell"), "is never told: `dissatisfied` is record; say escalate or reopen"
