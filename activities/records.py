"""Postgres as a complaint's workflow sees it: register, reject, record, load.

What is recorded is told: after the commit the Post of every person concerned is poked, and every webhook that hears of
it. A repetition of any of them does nothing twice, so each may be retried without end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.interface import (
    LOAD,
    RECORD,
    REGISTER,
    REJECT,
    REVIVE,
    Batch,
    Ledger,
    Recorded,
    Registered,
    Registration,
    Rejected,
    Stream,
)
from activities.poke import Joined, poke, poke_webhook, report
from rules.duty import Nobody
from rules.events import event_type
from rules.notices import Outcome
from settings import Settings
from storage import ledger, posts, recording, registry, webhooks
from storage.content import MasterKeyError, Vault
from storage.database import PostgresUnreachableError, SchemaMissingError, questions, transaction
from telemetry import meters

Way = Callable[[AsyncEngine], AbstractAsyncContextManager[AsyncConnection]]


class Records:
    """The activities of a complaint. `engine` and `client` are shared with whoever else runs in the process."""

    def __init__(self, engine: AsyncEngine, client: Client, settings: Settings) -> None:
        self._engine = engine
        self._client = client
        self._task_queue = settings.task_queue
        self._hooks = Joined(partial(poke_webhook, client, settings.task_queue))
        self._vault = Vault(settings.keyring)

    @property
    def activities(self) -> list[Any]:
        """What a worker registers."""
        return [self.register, self.reject, self.record, self.load, self.revive]

    @activity.defn(name=REGISTER)
    async def register(self, asked: Registration) -> Registered:
        """Whether this is a new complaint, and what it is pinned to (invariants 8, 17)."""
        async with self._connection(questions) as connection:
            found = await registry.register(
                connection,
                registry.Claim(
                    contract=asked.start.contract,
                    reference=asked.start.reference,
                    digest=asked.digest,
                    first_run=asked.first_run,
                    received_at=asked.start.received_at,
                    registered_at=asked.recorded_at,
                ),
            )
        return Registered(
            standing=found.standing, message=found.message, version=found.version, contract=found.snapshot
        )

    @activity.defn(name=REJECT)
    async def reject(self, rejected: Rejected) -> None:
        """Put a start that cannot become a complaint among the rejects, and set its reference free."""
        async with self._connection() as connection:
            await registry.reject(connection, registry.Reject(**rejected.model_dump()))

    @activity.defn(name=RECORD)
    async def record(self, batch: Batch) -> Recorded:
        """Record entries, texts and projections at once, then poke whatever tells people and backends of them."""
        planned = {notice.key: notice for entry in batch.entries for notice in entry.notices}
        events = filter(None, map(event_type, batch.entries))
        try:
            async with self._connection() as connection:
                new = await recording.record(connection, self._vault, [batch])
                late = await recording.lateness(connection, batch.complaint, new)
                now = datetime.now(UTC)
                told = await recording.addressees(connection, list(planned), now)
                off_duty = any(isinstance(person, Nobody) for person in told.values())
                soon = (await posts.behind(connection, now)).heirs if off_duty else set()
                hooks = await webhooks.concerned(connection, batch.complaint.partition("/")[0], events)
        except ledger.DivergedError as error:
            activity.logger.warning("%s; the workflow goes on from there", error)
            return Recorded(diverged=True)
        meters.missed(late)
        for entry in new:
            if entry.type == "clock_missed":
                activity.logger.info("missed: %s, due %s", entry.data["clock"], entry.occurred_at.isoformat())
        urgent: dict[str, bool] = dict.fromkeys(soon, False)
        why: dict[str, str] = {}
        for key, person in told.items():
            if isinstance(person, Nobody):
                why[key] = person.reason
            else:
                urgent[person] = urgent.get(person, False) or planned[key].urgent
        await asyncio.gather(
            *(poke(self._client, self._task_queue, person, urgent=urgent[person]) for person in sorted(urgent)),
            *(self._hooks.poke(hook) for hook in hooks),
        )
        return Recorded(nobody=tuple(why), why=why)

    @activity.defn(name=LOAD)
    async def load(self, stream: Stream) -> Ledger:
        """Everything on record about a complaint."""
        async with self._connection() as connection:
            return Ledger(entries=tuple(await ledger.read(connection, ledger.stream_of(stream.complaint))))

    @activity.defn(name=REVIVE)
    async def revive(self, stream: Stream) -> Registered:
        """What a complaint that lost its run is pinned to; whoever may have to be told is poked."""
        now = datetime.now(UTC)
        async with self._connection() as connection:
            found = await registry.pinned(connection, stream.complaint)
            await posts.tell_again(connection, stream.complaint)
            behind = await posts.behind(connection, now)
            waiting = await posts.who_waits(connection, behind)
            unmanned = [one for one in await posts.unmanned(connection, behind) if one.complaint == stream.complaint]
            hooks = await webhooks.active(connection)
        await asyncio.gather(
            *(poke(self._client, self._task_queue, person) for person in waiting),
            *(self._hooks.poke(hook) for hook in hooks),
        )
        for one in unmanned:  # to the workflow that asks: it may have been lost before it heard of it
            nobody = Outcome(notice=one.notice, accepted=False, at=now, reason=one.reason)
            await report(self._client, one.complaint, nobody)
        return Registered(
            standing=found.standing, message=found.message, version=found.version, contract=found.snapshot
        )

    @asynccontextmanager
    async def _connection(self, way: Way = transaction) -> AsyncIterator[AsyncConnection]:
        """One transaction, unless another way is given; an outage is one clear line, and tried again."""
        try:
            async with way(self._engine) as connection:
                yield connection
        except (PostgresUnreachableError, SchemaMissingError, MasterKeyError, ledger.LedgerGapError) as error:
            activity.logger.warning("%s", error)
            kind = type(error).__name__.removesuffix("Error")
            raise ApplicationError(str(error), type=kind, category=ApplicationErrorCategory.BENIGN) from None
