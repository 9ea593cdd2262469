"""The page behind the link of a mail: what the message said, and one small form to answer it.

Mail scanners open every link, so a GET changes nothing; only the form's POST acts. It works without JavaScript.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from rules.contract import Contract, Language
from settings import Settings
from starter.acknowledging import IncompleteError, chosen_lines, read_form, tell
from starter.client import Ombud
from starter.crowd_answers import tell_crowds
from storage import contracts, crowds, posts
from storage.content import Vault
from storage.database import PostgresUnreachableError, SchemaMissingError, transaction
from storage.directory import Person
from storage.impartiality import concerns
from templates.letter import UTC as UTC_ZONE
from templates.letter import Answer, Letter
from templates.lines import gathered, line_of
from templates.links import BadLinkError, ExpiredLinkError, Links
from templates.rendering import Renderer
from templates.words import zone_of

FORM_LIMIT = 64 * 1024
"""Bytes; the fullest form has some two hundred numbers."""

POLICY = "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
"""What a page may load: nothing but its own style."""


class PageError(Exception):
    """There is no such page for this visitor: the name of the words that say why, and the HTTP status."""

    def __init__(self, problem: str, status: int) -> None:
        super().__init__(problem)
        self.problem = problem
        self.status = status


class Pages:
    """The pages of one server. `engine` and `ombud` are shared with whoever else runs in the process."""

    def __init__(self, engine: AsyncEngine, ombud: Ombud, settings: Settings) -> None:
        self._engine = engine
        self._ombud = ombud
        self._vault = Vault(settings.keyring)
        self._links = Links(settings.signing_key.get_secret_value(), settings.base_url)
        self._renderer = Renderer()
        self._contracts: dict[str, Contract] = {}

    @property
    def routes(self) -> APIRouter:
        """What a server mounts."""
        router = APIRouter()
        router.add_api_route("/a/{token}", self.show, methods=["GET", "HEAD"])
        router.add_api_route("/a/{token}", self.answer, methods=["POST"])
        return router

    async def show(self, token: str) -> HTMLResponse:
        """What the message said, and how each of its notices stands now."""
        letter, _, roles = await self._letter(token)
        return self._form(letter, roles)

    async def answer(self, token: str, request: Request) -> HTMLResponse:
        """Acknowledge, and say what was taken and what was not."""
        form = await _body(request)
        letter, person, roles = await self._letter(token)
        try:
            answered = read_form(form, _numbers(letter), roles, letter.zone, datetime.now(UTC))
        except IncompleteError as incomplete:
            return self._form(letter, roles, form, str(incomplete), status=422)
        results = await tell_crowds(self._engine, self._vault, self._ombud, letter, person.id, answered)
        results += await tell(self._ombud, letter, person.id, answered)
        status = {"taken": 200, "refused": 409, "later": 503}
        best = next(s for became, s in status.items() if any(result.became == became for result in results))
        return self._page(
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

    def problem(self, request: Request, error: Exception) -> HTMLResponse:
        """The page for who cannot be shown the one asked for, in the language the browser prefers."""
        assert isinstance(error, PageError)  # noqa: S101  registered for nothing else
        language: Language = "zh-CN" if request.headers.get("accept-language", "").startswith("zh") else "en"
        return self._page("problem.html", language, UTC_ZONE, error.status, problem=error.problem)

    async def _letter(self, token: str) -> tuple[Letter, Person, dict[str, str]]:
        """The message as it stands now, whom it was sent to, and the roles it can be passed to. Raises PageError."""
        try:
            message, id_ = self._links.read(token)
        except ExpiredLinkError:
            raise PageError("expired", 410) from None
        except BadLinkError:
            raise PageError("bad", 404) from None
        try:
            async with transaction(self._engine) as db:
                if await posts.recipient(db, message) != id_:
                    raise PageError("bad", 404)
                person = await posts.person(db, id_)
                if person is None:
                    raise PageError("gone", 410)
                told = await posts.told(db, message=message)
                versions = {row["case_version"]: await self._contract(db, row["case_version"]) for row in told}
                answers = await crowds.answers(db, message)
                about = {(row["case_contract"], row["case_incident"]) for row in told if row["notice_crowd"]}
                counted = await crowds.open_cases(db, about)
        except (PostgresUnreachableError, SchemaMissingError):
            raise PageError("unavailable", 503) from None
        lines = [line_of(row, versions[row["case_version"]], person.language) for row in told]
        letter = Letter(
            id=message,
            language=person.language,
            zone=zone_of(person.zone, next((line.zone for line in lines), UTC_ZONE)),
            name=person.name,
            lines=tuple(
                gathered(
                    lines,
                    {
                        crowd: Answer(said.answered_at, said.person, said.follow, said.until)
                        for crowd, said in answers.items()
                    },
                    counted,
                    hidden={row["notice_key"] for row in told if concerns(row, id_)},
                )
            ),
            written_at=datetime.now(UTC),
        )
        if not letter.lines:
            raise PageError("withheld", 403)
        return letter, person, _roles(versions, {line.role for line in letter.lines}, person.language)

    async def _contract(self, db: AsyncConnection, version: str | None) -> Contract | None:
        if version is None:
            return None
        if version not in self._contracts:
            try:
                self._contracts[version] = (await contracts.load(db, version)).parsed()
            except (LookupError, ValueError):  # of a shape this version does not know: the line says less
                return None
        return self._contracts[version]

    def _form(
        self,
        letter: Letter,
        roles: Mapping[str, str],
        form: Mapping[str, list[str]] | None = None,
        problem: str = "",
        status: int = 200,
    ) -> HTMLResponse:
        given = form or {}
        return self._page(
            "acknowledge.html",
            letter.language,
            letter.zone,
            status,
            letter=letter,
            roles=roles,
            problem=problem,
            chosen=None if form is None else chosen_lines(given, _numbers(letter)),
            which=given.get("which", ["all"])[0],
            follow=given.get("follow", ["noted"])[0],
            until=given.get("until", [""])[0],
            to=given.get("to", [""])[0],
        )

    def _page(self, name: str, language: Language, zone: ZoneInfo, status: int, **values: Any) -> HTMLResponse:
        nonce = base64.b64encode(secrets.token_bytes(16)).decode()
        page = self._renderer.page(name, language, zone, nonce=nonce, **values)
        policy = f"{POLICY}; style-src 'nonce-{nonce}'"
        return HTMLResponse(page, status, headers={"Content-Security-Policy": policy})


def _numbers(letter: Letter) -> list[int]:
    return [line.number for line in letter.lines]


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


async def _body(request: Request) -> dict[str, list[str]]:
    """The fields of a form. Raises PageError for what no form of ours sends."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_LIMIT:
            raise PageError("too_large", 413)
    return parse_qs(body.decode(errors="replace"), keep_blank_values=True)
