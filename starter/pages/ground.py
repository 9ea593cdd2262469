"""What every page stands on: reading its link, Postgres, contracts and the language, and the answer as HTML."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.interface import complaint_id
from rules.contract import Contract, Language
from settings import Settings
from storage import contracts, directory
from storage.content import Vault
from storage.database import PostgresUnreachableError, SchemaMissingError, transaction
from storage.directory import Person
from templates.letter import UTC
from templates.links import Addressed, BadLinkError, ExpiredLinkError, Links, Purpose, web_ui
from templates.rendering import Renderer

FORM_LIMIT = 64 * 1024
"""Bytes; the fullest form has some two hundred numbers."""
TEXT_LIMIT = 512 * 1024
"""Bytes of a form with free text; a Chinese character takes nine of them on its way."""

ACTING = 5
"""Forms told to complaints at the same time. Each holds a connection meanwhile; the others stay free for reading."""

POLICY = "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
"""What a page may load: nothing but its own style."""


class PageError(Exception):
    """There is no such page for this visitor: the name of the words that say why, and the HTTP status."""

    def __init__(self, problem: str, status: int) -> None:
        super().__init__(problem)
        self.problem = problem
        self.status = status


class Ground:
    """Shared by the pages of one server. `namespace` is Temporal's, for the links to its Web UI."""

    def __init__(self, engine: AsyncEngine, settings: Settings, namespace: str) -> None:
        self.settings = settings
        self.namespace = namespace
        self.vault = Vault(settings.keyring)
        self.acting = asyncio.Semaphore(ACTING)
        """Held with the connection that waits for a complaint's answer."""
        self.engine = engine
        self._renderer = Renderer()
        self._contracts: dict[str, Contract] = {}

    def links(self, purpose: Purpose) -> Links:
        """The links of one purpose."""
        return Links(self.settings.signing_key.get_secret_value(), self.settings.base_url, purpose)

    def opened(self, purpose: Purpose, token: str) -> Addressed:
        """What the token of an address stands for. Raises PageError."""
        return self.opened_until(purpose, token)[0]

    def opened_until(self, purpose: Purpose, token: str) -> tuple[Addressed, datetime]:
        """What the token of an address stands for, and when it expires. Raises PageError."""
        try:
            return self.links(purpose).opened(token)
        except ExpiredLinkError:
            raise PageError("expired", 410) from None
        except BadLinkError:
            raise PageError("bad", 404) from None

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A transaction. Raises PageError while Postgres does not answer."""
        try:
            async with transaction(self.engine) as db:
                yield db
        except (PostgresUnreachableError, SchemaMissingError):
            raise PageError("unavailable", 503) from None

    async def person(self, db: AsyncConnection, id_: str) -> Person:
        """Whom a link was sent to. Raises PageError for one whom the directory does not know any more."""
        person = await directory.person(db, id_)
        if person is None:
            raise PageError("gone", 410)
        return person

    async def contract(self, db: AsyncConnection, version: str | None) -> Contract | None:
        """The contract version a complaint is pinned to; nothing when it is of a shape this version does not know."""
        if version is None:
            return None
        if version not in self._contracts:
            try:
                self._contracts[version] = (await contracts.load(db, version)).parsed()
            except (LookupError, ValueError):
                return None
        return self._contracts[version]

    def web_ui(self, complaint: str) -> str:
        """Where Temporal's Web UI shows a complaint; empty where its address is not set."""
        return web_ui(self.settings.temporal_ui_url, self.namespace, complaint_id(*complaint.split("/", 1)))

    def page(self, name: str, language: Language, zone: ZoneInfo, status: int = 200, **values: Any) -> HTMLResponse:
        """A template as an answer, with a policy that lets it load nothing but its own style."""
        nonce = base64.b64encode(secrets.token_bytes(16)).decode()
        page = self._renderer.page(name, language, zone, nonce=nonce, **values)
        policy = f"{POLICY}; style-src 'nonce-{nonce}'"
        return HTMLResponse(page, status, headers={"Content-Security-Policy": policy})

    def problem(self, request: Request, error: Exception) -> HTMLResponse:
        """The page for who cannot be shown the one asked for, in the language the browser prefers."""
        assert isinstance(error, PageError)  # noqa: S101  registered for nothing else
        language: Language = "zh-CN" if request.headers.get("accept-language", "").startswith("zh") else "en"
        return self.page("problem.html", language, UTC, error.status, problem=error.problem)


async def form_of(request: Request, limit: int = FORM_LIMIT) -> dict[str, list[str]]:
    """The fields of a form of at most `limit` bytes. Raises PageError for what no form of ours sends."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise PageError("too_large", 413)
    return parse_qs(body.decode(errors="replace"), keep_blank_values=True)
