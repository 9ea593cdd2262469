"""The survey after the result, in the contract's own questions (rules 34, 71). Sending it uses the link up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import ValidationError

from rules import survey
from rules.commands import AnswerSurvey
from rules.survey_section import Question
from starter.client import Ombud
from starter.pages.customer import Customer, customer_of
from starter.pages.ground import TEXT_LIMIT, Ground, form_of
from starter.pages.once import STATUS, Outcome, tell_once
from storage import used_links

FIELD = "q."
"""What the name of every answer begins with."""

LONGEST = {"fill_in": 200, "open": 4000}
"""Characters; a form of many questions stays below what a page takes."""


SHUT = {
    "survey_done": "used up",
    "survey_over": "after the time of the survey",
    "too_early": "before the time of the survey",
    "no_survey": "the contract has no survey",
}
"""Why a survey is not opened, as the record of accesses has it."""


class SurveyPage:
    """`/q/<token>`; the token stands for a complaint and its complainant."""

    def __init__(self, ground: Ground, ombud: Ombud) -> None:
        self._ground = ground
        self._ombud = ombud

    def mount(self, router: APIRouter) -> None:
        """Adds its addresses."""
        router.add_api_route("/q/{token}", self.show, methods=["GET", "HEAD"])
        router.add_api_route("/q/{token}", self.answer, methods=["POST"])

    async def show(self, token: str, request: Request) -> HTMLResponse:
        """The questions; or why there is nothing to answer."""
        customer, refusal = await self._customer(token)
        return await self._closed(request, customer, refusal) if refusal else self._form(customer)

    async def answer(self, token: str, request: Request) -> HTMLResponse:
        """Take the answers, once."""
        form = await form_of(request, TEXT_LIMIT)
        customer, refusal = await self._customer(token)
        if refusal:
            return await self._closed(request, customer, refusal, 409)
        try:
            command = _command(customer, form)
        except ValidationError:
            return self._form(customer, form, "nothing_answered", 422)
        outcome = await tell_once(self._ground, self._ombud, token, used_links.WHOLE, customer.complaint, command)
        return self._ground.page(
            "surveyed.html", customer.language, customer.zone, STATUS[outcome.became], customer=customer,
            outcome=outcome,
        )  # fmt: skip

    async def _customer(self, token: str) -> tuple[Customer, str]:
        """The customer, and the name of what stands against answering, if anything does."""
        async with self._ground.reading() as db:
            customer = await customer_of(self._ground, db, "survey", token)
            used = used_links.WHOLE in await used_links.used(db, token)
        return customer, "survey_done" if used else standing(customer, datetime.now(UTC))

    async def _closed(self, request: Request, customer: Customer, refusal: str, status: int = 200) -> HTMLResponse:
        await self._ground.turned_away(request, SHUT[refusal])
        outcome = Outcome("stands" if refusal == "survey_done" else "refused", refusal)
        status = 200 if refusal == "survey_done" else status
        return self._ground.page(
            "surveyed.html", customer.language, customer.zone, status, customer=customer, outcome=outcome
        )

    def _form(
        self, customer: Customer, form: Mapping[str, Sequence[str]] | None = None, problem: str = "", status: int = 200
    ) -> HTMLResponse:
        section = customer.law.contract.survey
        questions = section.questions if section else {}
        order = ("product", "service", "after_sales")
        by_part = sorted(questions.items(), key=lambda item: order.index(item[1].about))
        return self._ground.page(
            "survey.html",
            customer.language,
            customer.zone,
            status,
            customer=customer,
            parts=[(about, list(asked)) for about, asked in groupby(by_part, key=lambda item: item[1].about)],
            words=customer.law.contract.words,
            field=FIELD,
            given={name: values[0] for name, values in (form or {}).items() if values},
            longest=LONGEST,
            problem=problem,
            until=survey.until(customer.case, customer.law),
        )


def standing(customer: Customer, now: datetime) -> str:
    """The reason for which the survey cannot be answered now, by its stable name; empty when it can."""
    ends = survey.until(customer.case, customer.law)
    if customer.law.contract.survey is None:
        return "no_survey"
    if survey.answered_already(customer.case):
        return "survey_done"
    if ends is None:
        return "too_early"
    if now > ends:
        return "survey_over"
    return ""


def _command(customer: Customer, form: Mapping[str, Sequence[str]]) -> AnswerSurvey:
    """What was answered; what was left blank is left out. Raises ValidationError when nothing was."""
    section = customer.law.contract.survey
    questions: Mapping[str, Question] = section.questions if section else {}
    given = {name: form.get(f"{FIELD}{name}", [""])[0].strip() for name in questions}
    said = {name: answer for name, answer in given.items() if answer}
    return AnswerSurvey(
        by=customer.by,
        via="page",
        authenticated_as=f"link:survey/{customer.person}",
        answers={n: a for n, a in said.items() if questions[n].kind == "choice" and a in questions[n].options},
        words={n: a[: LONGEST[kind]] for n, a in said.items() if (kind := questions[n].kind) != "choice"},
    )
