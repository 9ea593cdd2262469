"""The file of a case and the standard of a contract as pages without a server, to be kept, sent or printed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from rules.contract import Contract, Language
from rules.sight import HANDLER, PRINCIPAL, sight
from starter.casefile import Filing
from starter.cli_contract import contract_language
from starter.errors import Invalid, NotFound
from starter.linking import accessed
from starter.postgres import postgres, settings_in_force
from storage import access_log, contracts
from storage.casefile import record
from storage.content import Vault
from storage.database import transaction
from templates.letter import UTC as UTC_ZONE
from templates.promises import standard_of
from templates.rendering import Renderer

PARTIES = (HANDLER, PRINCIPAL, "third_party")


@dataclass(frozen=True, slots=True)
class Printer:
    """Who stands at the head of a page that nobody opened by a link."""

    offices: str
    name: str
    expires_at: datetime | None = None


async def page(complaint: str, language: str | None, party: str, by: str) -> str:
    """The file as HTML, with what this party may see. Raises Invalid, NotFound, Misconfigured, Unreachable."""
    if party not in PARTIES:
        raise Invalid(f"Unknown party {party!r}; use {', '.join(PARTIES)}.")
    settings = settings_in_force()
    filing = Filing(Vault(settings.keyring), settings.mail_from)
    now = datetime.now(UTC).replace(microsecond=0)
    async with postgres(settings) as engine, transaction(engine) as db:
        found = await record(db, complaint)
        if found is None:
            raise NotFound(f"Postgres has no complaint {complaint}; write it as contract/reference.")
        contract = (await contracts.load(db, found.case["version"])).parsed()
        spoken = contract_language(language, contract)
        case = await filing.file(db, found, contract, spoken, sight((party,)), now)
        if case.texts == "shown":
            await access_log.record(db, accessed("case:file", complaint, by))
    reader = Printer(contract.parties[party].name if party in contract.parties else party, by)
    return Renderer().page("case.html", spoken, case.zone, nonce="", case=case, reader=reader, ui_url="")


def standard(contract: Contract, language: Language) -> str:
    """The service standard of a contract as HTML."""
    said = standard_of(contract, language)
    return Renderer().page("standard.html", language, UTC_ZONE, nonce="", standard=said, reader=None)
