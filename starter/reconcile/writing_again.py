"""A ledger that Postgres has lost a part of, written again from what Temporal still knows."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio.client import Client

from activities.interface import Batch, complaint_id
from rules.fold import fold
from rules.law import law_of
from rules.ledger import Entry
from rules.stage import reached
from starter.reconcile.damage import Report
from starter.reconcile.replayed import Account, account
from storage import ledger, recording, standing
from storage.content import Vault
from storage.database import transaction

AT_ONCE = 200
"""Entries in one transaction."""


class UnableError(Exception):
    """It cannot be written again; the message says why and what to do."""


class OtherwiseError(Exception):
    """The ledger does not say what Temporal knows; the ledger is right, and its workflow has to take it over."""


class Scribe:
    """Writes what is missing. Raises RPCError, MasterKeyError and what `transaction` raises."""

    def __init__(self, client: Client, engine: AsyncEngine, vault: Vault, report: Report) -> None:
        self._client = client
        self._engine = engine
        self._vault = vault
        self._report = report

    async def write(self, complaint: str) -> str:
        """Write every entry behind the last one on record; what was done. Raises UnableError, OtherwiseError."""
        async with transaction(self._engine) as connection:
            end = await standing.ledger_ends(connection, complaint)
        # From the entry before, too, which shows whether both tell one story.
        known = await account(self._client, complaint_id(*complaint.split("/", 1)), max(end - 1, 0))
        missing = known.since(end)
        if not missing or known.registered is None or known.case is None:
            raise UnableError(known.unreadable or "Temporal no longer holds the history in which they were decided.")
        async with transaction(self._engine) as connection:
            await self._same(connection, complaint, end, known)
            version = await self._registered(connection, complaint, known)
        for start in range(0, len(missing), AT_ONCE):
            await self._record(complaint, version, known, missing[start : start + AT_ONCE])
        self._report.count("entries written again", len(missing))
        self._report.count("notices planned again", sum(len(entry.notices) for entry in missing))
        lost = sum(bool(entry.content) and entry.seq not in known.texts for entry in missing)
        if lost:
            self._report.count("entries whose words are lost", lost)
        last = missing[-1].seq
        if last < known.case.seq:
            raise UnableError(f"{last} entries stand; those from {last + 1} on are in no history that Temporal keeps.")
        words = f", {lost} without their words" if lost else ""
        return f"entries {end + 1}–{last} written again{words}"

    async def register(self, complaint: str) -> str:
        """Register a complaint again whose ledger stands. Raises UnableError."""
        known = await account(self._client, complaint_id(*complaint.split("/", 1)))
        async with transaction(self._engine) as connection:
            await self._registered(connection, complaint, known)
        return "registered again"

    async def _same(self, connection: AsyncConnection, complaint: str, end: int, known: Account) -> None:
        decided = known.entries.get(end)
        if decided is None:
            return
        stored = await ledger.read(connection, ledger.stream_of(complaint))
        if stored[end - 1] != ledger.storable(decided):
            raise OtherwiseError

    async def _registered(self, connection: AsyncConnection, complaint: str, known: Account) -> str:
        """The version that it is pinned to, registered again where that was lost."""
        if version := await standing.registered(connection, complaint):
            return version
        registered = known.registered
        if registered is None or known.start is None or known.started_at is None:
            raise UnableError("Its registration is lost, and with it what it was opened with; restore a later backup.")
        row = standing.Registration(
            contract=known.start.contract,
            reference=known.start.reference,
            digest=known.digest,
            first_run=known.first_run,
            version=registered.version,
            registered_at=known.started_at,
        )
        if not await standing.register_again(connection, row):
            raise UnableError(
                f"Its contract version {registered.version[:12]} of {row.contract} is not published here: publish that "
                "file again, in force from the same time, and run this again."
            )
        self._report.count("registrations written again")
        return registered.version

    async def _record(self, complaint: str, version: str, known: Account, entries: list[Entry]) -> None:
        law = law_of((known.registered and known.registered.contract) or {})
        async with transaction(self._engine) as connection:
            stored = await ledger.read(connection, ledger.stream_of(complaint))
            before = [entry for entry in stored if entry.seq < entries[0].seq]
            batch = Batch(
                complaint=complaint,
                version=version,
                stage=reached(fold([*before, *entries]), law.contract),
                entries=tuple(entries),
                texts={entry.seq: known.texts[entry.seq] for entry in entries if entry.seq in known.texts},
            )
            try:
                await recording.record(connection, self._vault, [batch])
            except ledger.DivergedError:
                raise OtherwiseError from None
