"""The customer's page: where the case stands in plain words, what was promised, and what the customer can do.

No clause, no name of staff. A GET shows; each form acts by POST alone, once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.commands import Accept, Command, CustomerWrites, Reject, TakeBack, Withdraw
from starter.client import Ombud
from starter.pages.accesses import address_of, record
from starter.pages.customer import Customer, customer_of
from starter.pages.ground import TEXT_LIMIT, Ground, form_of
from starter.pages.once import STATUS, IncompleteError, mark_of, new_mark, tell_once
from starter.pages.standing import Standing, standing_of
from starter.pages.survey import standing as survey_standing
from storage.content import ErasedError, MasterKeyError
from storage.ledger import stream_of
from templates.links import Addressed

LONGEST = 5000
"""Characters of one message."""

Form = Mapping[str, Sequence[str]]


class StatusPage:
    """`/s/<token>`; the token stands for a complaint and its complainant."""

    def __init__(self, ground: Ground, ombud: Ombud) -> None:
        self._ground = ground
        self._ombud = ombud

    def mount(self, router: APIRouter) -> None:
        """Adds its addresses."""
        router.add_api_route("/s/{token}", self.show, methods=["GET", "HEAD"])
        router.add_api_route("/s/{token}", self.act, methods=["POST"])

    async def show(self, token: str, request: Request) -> HTMLResponse:
        """Where the case stands."""
        return await self._page(token, address_of(request))

    async def act(self, token: str, request: Request) -> HTMLResponse:
        """Add a message, accept or reject the result, withdraw, or take that back."""
        form = await form_of(request, TEXT_LIMIT)
        async with self._ground.reading() as db:
            customer = await customer_of(self._ground, db, "status", token)
        try:
            mark, command = mark_of(form), _command(customer, form)
        except IncompleteError as incomplete:
            return await self._page(token, address_of(request), form, str(incomplete), 422)
        outcome = await tell_once(self._ground, self._ombud, token, mark, customer.complaint, command)
        return self._ground.page(
            "status_done.html",
            customer.language,
            customer.zone,
            STATUS[outcome.became],
            customer=customer,
            outcome=outcome,
            done=form["do"][0],
        )

    async def _page(
        self, token: str, address: str | None, form: Form | None = None, problem: str = "", status: int = 200
    ) -> HTMLResponse:
        now = datetime.now(UTC)
        async with self._ground.reading() as db:
            customer = await customer_of(self._ground, db, "status", token)
            standing = standing_of(customer.case, customer.law, customer.entries, now)
            told = await self._told(db, customer, standing, address)
        survey = ""
        if not survey_standing(customer, now):
            to = Addressed(customer.complaint, customer.person)
            survey = f"/q/{self._ground.links('survey').onward(to, customer.expires_at)}"
        return self._ground.page(
            "status.html",
            customer.language,
            customer.zone,
            status,
            customer=customer,
            standing=standing,
            told=told,
            survey=survey,
            mark=new_mark(),
            given={name: values[0] for name, values in (form or {}).items() if values},
            problem=problem,
            longest=LONGEST,
        )

    async def _told(self, db: AsyncConnection, customer: Customer, standing: Standing, address: str | None) -> str:
        """The words of the result as they were told to the customer; nothing once they were erased."""
        if standing.told is None:
            return ""
        try:
            texts = await self._ground.vault.read(db, stream_of(customer.complaint))
            await record(db, "status", customer.complaint, customer.person, address)
        except (ErasedError, MasterKeyError):
            return ""
        return texts.get(standing.told, {}).get("text", "")


def _command(customer: Customer, form: Form) -> Command:
    """The form as sent. Raises IncompleteError."""
    who = {"by": customer.by, "via": "page", "authenticated_as": f"link:status/{customer.person}"}
    text = form.get("text", [""])[0].strip()[:LONGEST] or None
    match form.get("do", [""])[0]:
        case "accept":
            return Accept.model_validate(who)
        case "withdraw":
            if form.get("sure", [""])[0] != "yes":
                raise IncompleteError("sure_missing")
            return Withdraw.model_validate(who | {"text": text})
        case "take_back":
            return TakeBack.model_validate(who | {"text": text})
        case "message" | "reject" as do:
            if text is None:
                raise IncompleteError("text_missing")
            kind = CustomerWrites if do == "message" else Reject
            return kind.model_validate(who | {"text": text})
    raise IncompleteError("again")
