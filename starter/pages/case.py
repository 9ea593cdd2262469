"""The file of one case, to be read and printed: clocks, what happened, notices with their proof, evidence, words."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from rules.sight import sight
from starter.casefile import Filing
from starter.pages.accesses import address_of, record
from starter.pages.ground import COMPLAINED_ABOUT, Ground, PageError
from starter.pages.reader import Reader, reader_of
from storage.casefile import record as filed
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
        case, reader = await self._file(complaint, id_, address_of(request), expires_at)
        ui_url = self._ground.web_ui(complaint) if sight(*reader.held.values()).internal else ""
        return self._ground.page("case.html", reader.language, case.zone, case=case, reader=reader, ui_url=ui_url)

    async def _file(self, complaint: str, person: str, address: str, expires_at: datetime) -> tuple[CaseFile, Reader]:
        now = datetime.now(UTC).replace(microsecond=0)
        async with self._ground.reading() as db:
            found = await filed(db, complaint)
            if found is None or person in (found.case["against"] or "").split():
                raise PageError("not_yours", 403, COMPLAINED_ABOUT if found else "no case on record")
            contract = await self._ground.contract(db, found.case["version"])
            if contract is None:
                raise PageError("unreadable", 500)
            reader = await reader_of(self._ground, db, {contract.contract: contract}, person, expires_at)
            seen = sight(reader.held[contract.contract])
            try:
                case = await self._filing.file(db, found, contract, reader.language, seen, now)
            except (LookupError, ValueError, TypeError) as unknown:
                LOGGER.exception("the ledger of %s cannot be shown", complaint)
                raise PageError("unreadable", 500) from unknown
            if case.texts == "shown":  # in one transaction: no words without their record
                await record(db, "case", complaint, person, address)
        return case, reader
