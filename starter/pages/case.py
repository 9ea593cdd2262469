"""The file of one case, to be read and printed: clocks, what happened, notices with their proof, evidence, words."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from activities.interface import complaint_id
from rules.sight import sight
from starter.casefile import Filing
from starter.pages.ground import Ground, PageError
from starter.pages.reader import reader_of
from storage.casefile import record
from templates.links import web_ui

LOGGER = logging.getLogger("ombud.pages")


class CasePage:
    """`/c/<token>`; the token stands for a complaint."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._filing = Filing(ground.vault, ground.settings.mail_from)

    def mount(self, router: APIRouter) -> None:
        """Adds its address."""
        router.add_api_route("/c/{token}", self.show, methods=["GET", "HEAD"])

    async def show(self, token: str) -> HTMLResponse:
        """The file as its reader may see it now; closed to the person complained about (rule 37)."""
        (complaint, id_), expires_at = self._ground.opened_until("case", token)
        now = datetime.now(UTC).replace(microsecond=0)
        async with self._ground.reading() as db:
            found = await record(db, complaint)
            if found is None or found.case["against"] == id_:
                raise PageError("not_yours", 403)
            contract = await self._ground.contract(db, found.case["version"])
            if contract is None:
                raise PageError("unreadable", 500)
            reader = await reader_of(self._ground, db, contract, id_, expires_at)
            seen = sight(reader.roles)
            try:
                case = await self._filing.file(db, found, contract, reader.language, seen, now)
            except (LookupError, ValueError, TypeError) as unknown:
                LOGGER.exception("the ledger of %s cannot be shown", complaint)
                raise PageError("unreadable", 500) from unknown
        ui_url = web_ui(
            self._ground.settings.temporal_ui_url, self._ground.namespace, complaint_id(*complaint.split("/", 1))
        )
        return self._ground.page(
            "case.html",
            reader.language,
            case.zone,
            case=case,
            reader=reader,
            ui_url=ui_url if seen.internal else "",
        )
