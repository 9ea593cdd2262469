"""Puts claimed notices into one mail: lines in the words of each contract, the links, the bytes that will be sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity

from activities.interface import complaint_id
from activities.mailer import compose
from rules.contract import Contract
from rules.sight import PRINCIPAL, sight
from settings import Settings
from storage import contracts, crowds, posts
from storage.content import ErasedError, Vault
from storage.directory import Person
from storage.ledger import stream_of
from templates.letter import UTC, Letter, Line, Onward
from templates.lines import Urls, gathered, line_of
from templates.links import Addressed, Links, web_ui
from templates.rendering import Renderer
from templates.words import one_line, zone_of

EXCERPT = 600
"""Characters of the customer's words in a mail, where the contract lets them in (rule 112)."""


class Writer:
    """Writes the mails of one sender. `namespace` is Temporal's, for the links to its Web UI."""

    def __init__(self, settings: Settings, vault: Vault, namespace: str, renderer: Renderer | None = None) -> None:
        self._sender = settings.mail_from
        self._ui_url = settings.temporal_ui_url
        self._namespace = namespace
        self._links = Links(settings.signing_key.get_secret_value(), settings.base_url)
        self._principals = Links(settings.signing_key.get_secret_value(), settings.base_url, "principal")
        self._files = Links(settings.signing_key.get_secret_value(), settings.base_url, "case")
        self._vault = vault
        self._renderer = renderer or Renderer()
        self._contracts: dict[str, Contract] = {}

    async def write(
        self, db: AsyncConnection, who: Person, message: str, keys: Sequence[str], now: datetime
    ) -> tuple[bytes, str]:
        """The mail that carries these notices, and what was wrong with its template, if anything."""
        told = await posts.told(db, keys=keys)
        lines = [await self._line(db, one, who) for one in told]
        about = {(one["case_contract"], one["case_incident"]) for one in told if one["notice_crowd"]}
        counted = await crowds.open_cases(db, about)
        zone = zone_of(who.zone, next((line.zone for line in lines), UTC))
        letter = Letter(
            id=message,
            language=who.language,
            zone=zone,
            name=who.name,
            lines=tuple(gathered(lines, open_cases=counted)),
            written_at=now,
            acknowledge_url=self._links.url(Addressed(message, who.id)),
            principal_urls=self._principal_urls(lines, who.id),
        )
        words = self._renderer.mail(letter)
        mail = compose(
            message_id=message,
            to=(who.name, who.email),
            written_at=now.astimezone(zone),
            language=who.language,
            words=words,
            sender=self._sender,
        )
        return mail, words.problem

    async def _line(self, db: AsyncConnection, told: posts.Told, who: Person) -> Line:
        contract = await self.contract(db, told["case_version"])
        content = ""
        if contract and contract.privacy.content_in_mail:
            content = await self._excerpt(db, told["notice_complaint"])
        return line_of(told, contract, who.language, urls=self._urls(told, who.id), content=content)

    def _principal_urls(self, lines: Sequence[Line], person: str) -> tuple[Onward, ...]:
        """The pages of the contracts in whose principal's name the recipient is told."""
        titles = {
            line.complaint.partition("/")[0]: line.contract_title
            for line in lines
            if line.role.partition(".")[0] == PRINCIPAL
        }
        urls = ((name, title, self._principals.url(Addressed(name, person))) for name, title in titles.items())
        return tuple(Onward(title or name, url) for name, title, url in urls if url)

    async def contract(self, db: AsyncConnection, version: str | None) -> Contract | None:
        """The contract version a complaint is pinned to; nothing when it cannot be read any more."""
        if version is None:
            return None
        if version not in self._contracts:
            try:
                self._contracts[version] = (await contracts.load(db, version)).parsed()
            except (LookupError, ValueError) as error:
                activity.logger.warning("contract version %s cannot be read: %s", version[:12], error)
                return None
        return self._contracts[version]

    async def _excerpt(self, db: AsyncConnection, complaint: str) -> str:
        try:
            texts = await self._vault.read(db, stream_of(complaint))
        except ErasedError:
            return ""
        said = one_line(texts.get(1, {}).get("content", ""))
        return said if len(said) <= EXCERPT else said[: EXCERPT - 1] + "…"

    def case_url(self, complaint: str) -> str:
        """Where the Web UI shows a complaint; nothing when nobody said where that is."""
        return web_ui(self._ui_url, self._namespace, complaint_id(*complaint.split("/", 1)))

    def _urls(self, told: posts.Told, person: str) -> Urls:
        """The file of the case for everybody; Temporal's Web UI only for whom it shows nothing that is not theirs."""
        complaint = told["notice_complaint"]
        ui = self.case_url(complaint) if sight([told["notice_role"]]).internal else ""
        return Urls(ui, self._files.url(Addressed(complaint, person)))
