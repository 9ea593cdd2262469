"""The file of one case, to be read and printed: clocks, what happened, notices with their proof, evidence, words."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from http import HTTPStatus
from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from rules.sight import sight
from starter.casefile import Filing
from starter.pages.ground import Ground, PageError
from starter.pages.reader import Reader, reader_of
from storage import access_log
from storage.access_log import Access
from storage.casefile import record
from templates.casefile import CaseFile

LOGGER = logging.getLogger("ombud.pages")


class CasePage:
    """`/c/<token>`; the token stands for a complaint."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._filing = Filing(ground.vault, ground.settings.mail_from)

    def mount(self, router: APIRouter) -> None:
        """Adds its address."""
        router.add_api_route("/c/{token}", self.show, methods=["GET", "HEAD"])

    async def show(self, token: str, request: Request) -> HTMLResponse:
        """The file as its reader may see it now; closed to whom it is against (rule 37)."""
        (complaint, id_), expires_at = self._ground.opened_until("case", token)
        asked = Asked(complaint, id_, request.client.host if request.client else None)
        try:
            case, reader = await self._file(asked, expires_at)
        except PageError as refused:
            if refused.status == HTTPStatus.FORBIDDEN:
                async with self._ground.reading() as db:
                    await access_log.record(db, asked.access(allowed=False))
            raise
        ui_url = self._ground.web_ui(complaint) if sight(*reader.held.values()).internal else ""
        return self._ground.page("case.html", reader.language, case.zone, case=case, reader=reader, ui_url=ui_url)

    async def _file(self, asked: Asked, expires_at: datetime) -> tuple[CaseFile, Reader]:
        now = datetime.now(UTC).replace(microsecond=0)
        async with self._ground.reading() as db:
            found = await record(db, asked.complaint)
            if found is None or asked.person in (found.case["against"] or "").split():
                raise PageError("not_yours", 403)
            contract = await self._ground.contract(db, found.case["version"])
            if contract is None:
                raise PageError("unreadable", 500)
            reader = await reader_of(self._ground, db, {contract.contract: contract}, asked.person, expires_at)
            seen = sight(reader.held[contract.contract])
            try:
                case = await self._filing.file(db, found, contract, reader.language, seen, now)
            except (LookupError, ValueError, TypeError) as unknown:
                LOGGER.exception("the ledger of %s cannot be shown", asked.complaint)
                raise PageError("unreadable", 500) from unknown
            if case.texts == "shown":  # in one transaction: no words without their record
                await access_log.record(db, asked.access(allowed=True))
        return case, reader


class Asked(NamedTuple):
    """Which file somebody wants, and from where."""

    complaint: str
    person: str
    address: str | None

    def access(self, *, allowed: bool) -> Access:
        """What goes on record about it (rule 111)."""
        return Access(
            at=datetime.now(UTC),
            via="page",
            action="case:read",
            allowed=allowed,
            person=self.person,
            address=self.address,
            contract=self.complaint.partition("/")[0],
            complaint=self.complaint,
            reason=None if allowed else "complained about, or without an office of the contract",
        )
