"""The service standard of a contract (rule 85) with its flow chart (rule 39), for whoever holds an office of it."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from starter.pages.ground import Ground
from starter.pages.reader import readable
from templates.letter import UTC
from templates.promises import standard_of
from templates.words import zone_of


class StandardPage:
    """`/standard/<token>`; the token stands for a contract, shown as the version in force now promises."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def mount(self, router: APIRouter) -> None:
        """Adds its address."""
        router.add_api_route("/standard/{token}", self.show, methods=["GET", "HEAD"])

    async def show(self, token: str) -> HTMLResponse:
        """The standard in the language of its reader."""
        (subject, id_), expires_at = self._ground.opened_until("standard", token)
        async with self._ground.reading() as db:
            reader, contracts = await readable(self._ground, db, subject, id_, expires_at)
        standard = standard_of(contracts[subject], reader.language)
        zone = zone_of(reader.zone, UTC)
        return self._ground.page("standard.html", reader.language, zone, standard=standard, reader=reader)
