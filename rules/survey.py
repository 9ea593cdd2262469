"""The answer to a survey: whether it may be given now, what it counts, and what follows (rules 33, 34, 71)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from rules import terms
from rules.closing import rejectable
from rules.commands import AnswerSurvey
from rules.complaint import Complaint
from rules.law import InForce
from rules.ledger import Refused
from rules.section import Names
from rules.stage import told_at
from rules.survey_section import Survey

Effect = Literal["reopen", "escalate", "record"]


def until(case: Complaint, law: InForce) -> datetime | None:
    """Up to when the survey about the result can be answered; nothing without a survey or before a result is told."""
    if law.contract.survey is None:
        return None
    told = told_at(case, law.contract) or case.last("resolve", "answer")
    return terms.due(law.contract.survey.open_for, told, law.calendar).at if told is not None else None


def answered_already(case: Complaint) -> bool:
    """Whether the survey about this result was answered; a rejection makes way for another result."""
    since = case.reopened[-1] if case.reopened else 0
    return any(act.seq > since and AnswerSurvey.name in act.names for act in case.acts)


def answered(case: Complaint, law: InForce, command: AnswerSurvey, now: datetime) -> dict[str, Any]:
    """What the ledger keeps besides the chosen options: what each counts, and what follows. Raises Refused."""
    survey, ends = law.contract.survey, until(case, law)
    if survey is None:
        raise Refused(f"The contract {law.contract.contract} has no survey.", "no_survey")
    if ends is None:
        raise Refused("No result was told yet that could be asked about.", "too_early")
    if answered_already(case):
        raise Refused("The survey about this result was answered already; one answer a result.", "survey_done")
    if (command.occurred_at or now) > ends:
        raise Refused(f"The survey could be answered until {ends.isoformat()}.", "survey_over")
    scored = {question: _scored(survey, question, option) for question, option in command.answers.items()}
    wrote = {question: _asked(survey, question) for question in command.words}
    dissatisfied = [question for question, answer in scored.items() if answer["dissatisfied"]]
    effect = _effect(case, law, survey, command.occurred_at or now) if dissatisfied else None
    return {"scored": scored, "wrote": wrote, "dissatisfied": dissatisfied} | ({"effect": effect} if effect else {})


def told_roles(survey: Survey | None, data: dict[str, Any]) -> Names:
    """Who is told of dissatisfaction that no reopening answers."""
    return survey.tell if survey is not None and data.get("effect") == "escalate" else ()


def _effect(case: Complaint, law: InForce, survey: Survey, at: datetime) -> Effect:
    """Where a rejection would not reopen the case any more, the survey does not either: its roles are told instead."""
    if survey.dissatisfied != "reopen":
        return survey.dissatisfied
    try:
        rejectable(case, law, at)
    except Refused:
        return "escalate"
    return "reopen"


def _scored(survey: Survey, name: str, option: str) -> dict[str, Any]:
    question = survey.questions.get(name)
    choices = {key: q.options for key, q in survey.questions.items() if q.kind == "choice"}
    if question is None or name not in choices:
        raise Refused(f"{name!r} is no question with options; those are {', '.join(choices) or 'none'}.")
    if option not in question.options:
        raise Refused(f"{name!r} has no option {option!r}; it has {', '.join(question.options)}.")
    chosen = question.options[option]
    return {"about": question.about, "score": str(chosen.score), "dissatisfied": chosen.dissatisfied}


def _asked(survey: Survey, name: str) -> str:
    question = survey.questions.get(name)
    if question is None or question.kind == "choice":
        free = ", ".join(key for key, q in survey.questions.items() if q.kind != "choice")
        raise Refused(f"{name!r} is no question for words; those are {free or 'none'}.")
    return question.about
