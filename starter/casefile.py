"""The file of one case, from Postgres: for the page behind a link, and for `ombud file`."""

from __future__ import annotations

from datetime import datetime
from email.utils import parseaddr

from sqlalchemy.ext.asyncio import AsyncConnection

from rules.contract import Contract, Language
from rules.sight import Sight
from storage.casefile import Record
from storage.content import ErasedError, MasterKeyError, Vault
from storage.ledger import stream_of
from templates.casefile import CaseFile, Texts
from templates.filing import OnRecord, file_of


class Filing:
    """Puts files together; the words of a case come out of the vault."""

    def __init__(self, vault: Vault, mail_from: str) -> None:
        self._vault = vault
        self._domain = parseaddr(mail_from)[1].rpartition("@")[2]

    async def file(
        self, db: AsyncConnection, found: Record, contract: Contract, language: Language, sight: Sight, now: datetime
    ) -> CaseFile:
        """The file as somebody with this sight may read it. Raises what folding an unknown ledger raises."""
        texts, texts_are = await self._words(db, found.case["id"], sight)
        told = OnRecord(
            found.case, found.clocks, found.notices, found.entries, found.people, found.related, texts, texts_are
        )
        return file_of(told, contract, language, sight, now, self._domain)

    async def _words(
        self, db: AsyncConnection, complaint: str, sight: Sight
    ) -> tuple[dict[int, dict[str, str]], Texts]:
        if not sight.content:
            return {}, "hidden"
        try:
            return await self._vault.read(db, stream_of(complaint)), "shown"
        except ErasedError:
            return {}, "erased"
        except MasterKeyError:
            return {}, "locked"
