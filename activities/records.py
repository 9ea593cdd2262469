"""Postgres as a complaint's workflow sees it: open, reject, record, load, revive.

What is recorded is told: after the commit the Post of every person concerned is poked, and every webhook that hears of
it. A repetition of any of them does nothing twice, so each may be retried without end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.interface import (
    LOAD,
    OPEN,
    RECORD,
    REJECT,
    REVIVE,
    Batch,
    Ledger,
    Opened,
    Opening,
    Recorded,
    Registered,
    Rejected,
    Stream,
)
from activities.poke import poke, report
from activities.scribe import Scribe, Written
from activities.together import Together
from rules.decide import open_complaint
from rules.fold import fold
from rules.law import InForce
from rules.ledger import Refused
from rules.notices import Outcome
from rules.stage import reached
from settings import Settings
from storage import erasure, ledger, posts, registry, unclaimed, webhooks
from storage.content import MasterKeyError, Vault
from storage.database import PostgresUnreachableError, SchemaMissingError, transaction

MOST = 50
"""Complaints whose records share a transaction."""

TAKEN_OVER = (
    "The ledger of {complaint} holds another opening, whose registration is lost. Run `ombud reconcile --apply`, which "
    "registers it again; give a new complaint a reference of its own."
)


@dataclass(frozen=True, slots=True)
class _Begun:
    """What became of one opening; nothing was written for one that is not new."""

    registered: Registered
    written: Written | None = None


class Records:
    """The activities of a complaint. `engine` and `client` are shared with whoever else runs in the process."""

    def __init__(self, engine: AsyncEngine, client: Client, settings: Settings) -> None:
        self._engine = engine
        self._client = client
        self._task_queue = settings.task_queue
        self._scribe = Scribe(engine, client, settings)
        self._vault = Vault(settings.keyring)
        everybody = (PostgresUnreachableError, SchemaMissingError)
        self._records = Together(self._record, key=lambda batch: batch.complaint, most=MOST, everybody=everybody)
        self._openings = Together(self._open, key=lambda asked: asked.start.complaint, most=MOST, everybody=everybody)

    @property
    def activities(self) -> list[Any]:
        """What a worker registers."""
        return [self.open, self.reject, self.record, self.load, self.revive]

    @activity.defn(name=OPEN)
    async def open(self, asked: Opening) -> Opened:
        """Register a complaint, unless it is not a new one, and record how it begins: all of it or nothing (invariants
        8, 17)."""
        try:
            with self._clear_errors():
                begun = await self._openings.add(asked)
        except Refused as refusal:
            return Opened(registered=Registered(standing="refused", message=str(refusal)))
        except ledger.DivergedError:
            message = TAKEN_OVER.format(complaint=asked.start.complaint)
            begun = _Begun(Registered(standing="conflict", message=message))
        if begun.written is None:
            async with self._connection() as connection:
                await erasure.remember(connection, self._vault, asked.start.complaint, datetime.now(UTC))
            return Opened(registered=begun.registered)
        recorded = await self._scribe.tell(begun.written)
        return Opened(registered=begun.registered, entries=begun.written.batch.entries, recorded=recorded)

    async def _open(self, group: Sequence[Opening]) -> list[_Begun]:
        """Open several complaints in one transaction."""
        async with transaction(self._engine) as connection:
            found = await registry.register(connection, [_claim(asked) for asked in group])
            batches = {
                asked.start.complaint: await _beginning(connection, asked, standing, standing.law)
                for asked, standing in zip(group, found, strict=True)
                if standing.law is not None
            }
            written = {one.batch.complaint: one for one in await self._scribe.write(connection, list(batches.values()))}
        await self._scribe.look(list(written.values()))
        return [
            _Begun(_registered(standing), written.get(asked.start.complaint))
            for asked, standing in zip(group, found, strict=True)
        ]

    @activity.defn(name=REJECT)
    async def reject(self, rejected: Rejected) -> None:
        """Put a start that cannot become a complaint among the rejects, and set its reference free."""
        async with self._connection() as connection:
            await registry.reject(connection, registry.Reject(**rejected.model_dump()))
            # By the id of its run, since what it says of itself may be anything.
            complaint = rejected.workflow_id.removeprefix(ledger.stream_of("")).replace("\x00", "\ufffd")
            await erasure.remember(connection, self._vault, complaint, datetime.now(UTC))

    @activity.defn(name=RECORD)
    async def record(self, batch: Batch) -> Recorded:
        """Record entries, texts and projections at once, then poke whatever tells people and backends of them."""
        try:
            with self._clear_errors():
                written = await self._records.add(batch)
        except ledger.DivergedError as error:
            activity.logger.warning("%s; the workflow goes on from there", error)
            return Recorded(diverged=True)
        return await self._scribe.tell(written)

    async def _record(self, batches: Sequence[Batch]) -> list[Written]:
        """Record a batch each of several complaints in one transaction."""
        async with transaction(self._engine) as connection:
            written = await self._scribe.write(connection, batches)
        await self._scribe.look(written)
        return written

    @activity.defn(name=LOAD)
    async def load(self, stream: Stream) -> Ledger:
        """Everything on record about a complaint."""
        async with self._connection() as connection:
            return Ledger(entries=tuple(await ledger.read(connection, ledger.stream_of(stream.complaint))))

    @activity.defn(name=REVIVE)
    async def revive(self, stream: Stream) -> Opened:
        """What a complaint that lost its run is pinned to, and its ledger; whoever may have to be told is poked."""
        now = datetime.now(UTC)
        async with self._connection() as connection:
            found = await registry.pinned(connection, stream.complaint)
            await erasure.remember(connection, self._vault, stream.complaint, now)
            entries = await ledger.read(connection, ledger.stream_of(stream.complaint))
            await posts.tell_again(connection, stream.complaint)
            behind = await unclaimed.behind(connection, now)
            waiting = await unclaimed.who_waits(connection, behind)
            unmanned = [
                one for one in await unclaimed.unmanned(connection, behind) if one.complaint == stream.complaint
            ]
            hooks = await webhooks.active(connection)
        await asyncio.gather(
            *(poke(self._client, self._task_queue, person) for person in waiting),
            *(self._scribe.hooks.poke(hook) for hook in hooks),
        )
        for one in unmanned:  # to the workflow that asks: it may have been lost before it heard of it
            nobody = Outcome(notice=one.notice, accepted=False, at=now, reason=one.reason)
            await report(self._client, one.complaint, nobody)
        return Opened(registered=_registered(found), entries=tuple(entries))

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        """One transaction; an outage is one clear line, and tried again."""
        with self._clear_errors():
            async with transaction(self._engine) as connection:
                yield connection

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except (PostgresUnreachableError, SchemaMissingError, MasterKeyError, ledger.LedgerGapError) as error:
            activity.logger.warning("%s", error)
            kind = type(error).__name__.removesuffix("Error")
            raise ApplicationError(str(error), type=kind, category=ApplicationErrorCategory.BENIGN) from None


def _claim(asked: Opening) -> registry.Claim:
    return registry.Claim(
        contract=asked.start.contract,
        reference=asked.start.reference,
        digest=asked.digest,
        first_run=asked.first_run,
        received_at=asked.start.received_at,
        registered_at=asked.recorded_at,
    )


def _registered(found: registry.Standing) -> Registered:
    contract = found.law.snapshot if found.law else None
    return Registered(standing=found.standing, message=found.message, version=found.version, contract=contract)


async def _beginning(connection: AsyncConnection, asked: Opening, standing: registry.Standing, law: InForce) -> Batch:
    """What its ledger begins with: the opening and its clocks.

    An attempt before this one, or a run before a reset, may have recorded them; then they are what stands there. What
    came behind them the run meets when it records something itself, and knows by then what it has heard again.
    """
    complaint = asked.start.complaint
    decision = open_complaint(asked.start, law, asked.recorded_at, asked.recorded_at)
    case, entries = decision.case, decision.entries
    if standing.before and (on_record := await ledger.read(connection, ledger.stream_of(complaint))):
        entries = on_record[: len(entries)]
        case = fold(entries)
    return Batch(
        complaint=complaint,
        version=standing.version,
        stage=reached(case, law.contract),
        entries=tuple(entries),
        texts=decision.texts,
    )
