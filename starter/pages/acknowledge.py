"""The page behind the link of a mail: what the message said, and one small form to answer it.

Mail scanners open every link, so a GET changes nothing; only the form's POST acts. It works without JavaScript.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from rules.contract import Contract, Language
from starter.acknowledging import IncompleteError, chosen_lines, read_form, tell
from starter.client import Ombud
from starter.pages.ground import Ground, PageError, form_of
from storage import posts
from storage.directory import Person
from templates.letter import UTC as UTC_ZONE
from templates.letter import Letter
from templates.lines import gravest_first, line_of
from templates.words import zone_of


class AcknowledgePage:
    """`/a/<token>`; the token stands for a message."""

    def __init__(self, ground: Ground, ombud: Ombud) -> None:
        self._ground = ground
        self._ombud = ombud

    def mount(self, router: APIRouter) -> None:
        """Adds its addresses."""
        router.add_api_route("/a/{token}", self.show, methods=["GET", "HEAD"])
        router.add_api_route("/a/{token}", self.answer, methods=["POST"])

    async def show(self, token: str) -> HTMLResponse:
        """What the message said, and how each of its notices stands now."""
        letter, _, roles = await self._letter(token)
        return self._form(letter, roles)

    async def answer(self, token: str, request: Request) -> HTMLResponse:
        """Acknowledge, and say what was taken and what was not."""
        form = await form_of(request)
        letter, person, roles = await self._letter(token)
        try:
            answered = read_form(form, len(letter.lines), roles, letter.zone, datetime.now(UTC))
        except IncompleteError as incomplete:
            return self._form(letter, roles, form, str(incomplete), status=422)
        results = await tell(self._ombud, letter, person.id, answered)
        status = {"taken": 200, "refused": 409, "later": 503}
        best = next(s for became, s in status.items() if any(result.became == became for result in results))
        return self._ground.page(
            "acknowledged.html",
            letter.language,
            letter.zone,
            best,
            letter=letter,
            results=results,
            follow=answered.follow,
            until=answered.until,
            to=roles.get(answered.to or "", ""),
        )

    async def _letter(self, token: str) -> tuple[Letter, Person, dict[str, str]]:
        """The message as it stands now, whom it was sent to, and the roles it can be passed to. Raises PageError."""
        message, id_ = self._ground.opened("acknowledge", token)
        async with self._ground.reading() as db:
            if await posts.recipient(db, message) != id_:
                raise PageError("bad", 404)
            person = await self._ground.person(db, id_)
            told = await posts.told(db, message=message)
            versions = {row["case_version"]: await self._ground.contract(db, row["case_version"]) for row in told}
        lines = [line_of(row, versions[row["case_version"]], person.language) for row in told]
        letter = Letter(
            id=message,
            language=person.language,
            zone=zone_of(person.zone, next((line.zone for line in lines), UTC_ZONE)),
            name=person.name,
            lines=tuple(sorted(lines, key=gravest_first)),
            written_at=datetime.now(UTC),
        )
        return letter, person, _roles(versions, {line.role for line in lines}, person.language)

    def _form(
        self,
        letter: Letter,
        roles: Mapping[str, str],
        form: Mapping[str, list[str]] | None = None,
        problem: str = "",
        status: int = 200,
    ) -> HTMLResponse:
        given = form or {}
        return self._ground.page(
            "acknowledge.html",
            letter.language,
            letter.zone,
            status,
            letter=letter,
            roles=roles,
            problem=problem,
            chosen=None if form is None else chosen_lines(given, len(letter.lines)),
            follow=given.get("follow", ["noted"])[0],
            until=given.get("until", [""])[0],
            to=given.get("to", [""])[0],
        )


def _roles(versions: Mapping[Any, Contract | None], own: set[str], language: Language) -> dict[str, str]:
    """The roles that every contract of the message knows, with their titles, but for the recipient's only one."""
    known = [contract for contract in versions.values() if contract is not None]
    if not known:
        return {}
    common = set.intersection(*(set(contract.roles) for contract in known))
    without = own if len(own) == 1 else set()
    return {
        role: known[0].words(held.title, language) for role, held in known[0].roles.items() if role in common - without
    }
