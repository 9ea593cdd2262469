"""Postgres as a complaint's workflow sees it: register, reject, record, load.

What is recorded is told: after the commit the Post of every person concerned is poked, and every webhook that hears of
it. A repetition of any of them does nothing twice, so each may be retried without end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
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
from activities.together import Together
from rules.duty import Nobody
from rules.events import event_type
from rules.ledger import Entry
from rules.notices import Outcome
from settings import Settings
from storage import ledger, posts, recording, registry, rounds, unclaimed, webhooks
from storage.content import MasterKeyError, Vault
from storage.database import PostgresUnreachableError, SchemaMissingError, Way, questions, transaction
from telemetry import meters

MOST = 50
"""Complaints whose records share a transaction."""


@dataclass(frozen=True, slots=True)
class _Done:
    """What became of one batch."""

    new: list[Entry]
    late: list[recording.Lateness]
    told: dict[str, str | Nobody]
    """By notice, of those that wait."""
    soon: set[str]
    """Who comes on duty next where nobody is now."""
    coming: set[str]
    """For whom a round comes by itself, so that only what is urgent pokes them."""
    hooks: list[str]


class Records:
    """The activities of a complaint. `engine` and `client` are shared with whoever else runs in the process."""

    def __init__(self, engine: AsyncEngine, client: Client, settings: Settings) -> None:
        self._engine = engine
        self._client = client
        self._task_queue = settings.task_queue
        self._persons = Joined(self._poke)
        self._hooks = Joined(partial(poke_webhook, client, settings.task_queue))
        self._together = Together(
            self._record,
            key=lambda batch: batch.complaint,
            most=MOST,
            everybody=(PostgresUnreachableError, SchemaMissingError),
        )
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
            standing=found.standing,
            message=found.message,
            version=found.version,
            contract=found.snapshot,
            answers_as_recorded=True,
        )

    @activity.defn(name=REJECT)
    async def reject(self, rejected: Rejected) -> None:
        """Put a start that cannot become a complaint among the rejects, and set its reference free."""
        async with self._connection() as connection:
            await registry.reject(connection, registry.Reject(**rejected.model_dump()))

    @activity.defn(name=RECORD)
    async def record(self, batch: Batch) -> Recorded:
        """Record entries, texts and projections at once, then poke whatever tells people and backends of them."""
        try:
            with self._clear_errors():
                done = await self._together.add(batch)
        except ledger.DivergedError as error:
            activity.logger.warning("%s; the workflow goes on from there", error)
            return Recorded(diverged=True)
        meters.missed(done.late)
        for entry in done.new:
            if entry.type == "clock_missed":
                activity.logger.info("missed: %s, due %s", entry.data["clock"], entry.occurred_at.isoformat())
        urgent: dict[str, bool] = dict.fromkeys(done.soon, False)
        why: dict[str, str] = {}
        planned = {notice.key: notice for entry in batch.entries for notice in entry.notices}
        for key, person in done.told.items():
            if isinstance(person, Nobody):
                why[key] = person.reason
            else:
                urgent[person] = urgent.get(person, False) or planned[key].urgent
        to_poke = [(one, at_once) for one, at_once in sorted(urgent.items()) if at_once or one not in done.coming]
        await asyncio.gather(
            *(self._persons.poke((person, at_once)) for person, at_once in to_poke),
            *(self._hooks.poke(hook) for hook in done.hooks),
        )
        return Recorded(nobody=tuple(why), why=why, at=datetime.now(UTC))

    async def _record(self, batches: Sequence[Batch]) -> list[_Done]:
        """Record a batch each of several complaints in one transaction: when many clocks end at one instant, they share
        its round trips and its wait for the disk.
        """
        contracts = {batch.complaint: batch.complaint.partition("/")[0] for batch in batches}
        events: dict[str, set[str]] = {contract: set() for contract in contracts.values()}
        for batch in batches:
            events[contracts[batch.complaint]] |= set(filter(None, map(event_type, batch.entries)))
        keys = {batch.complaint: [n.key for entry in batch.entries for n in entry.notices] for batch in batches}
        async with transaction(self._engine) as connection:
            new = await recording.record(connection, self._vault, batches)
            late = await recording.lateness(connection, new)
            now = datetime.now(UTC)
            told = await recording.addressees(connection, [key for of in keys.values() for key in of], now)
            off_duty = any(isinstance(person, Nobody) for person in told.values())
            soon = (await unclaimed.behind(connection, now)).heirs if off_duty else set()
            hooks = await webhooks.concerned(connection, events)
        coming = await self._coming(told, {key: contracts[one] for one, of in keys.items() for key in of})
        return [
            _Done(
                new=new[one],
                late=late[one],
                told={key: told[key] for key in keys[one] if key in told},
                soon=soon if any(isinstance(told.get(key), Nobody) for key in keys[one]) else set(),
                coming=coming,
                hooks=hooks[contracts[one]],
            )
            for one in contracts
        ]

    async def _coming(self, told: Mapping[str, str | Nobody], planned: Mapping[str, str]) -> set[str]:
        """Who need not be poked: what gathers for them is looked at by itself. The last clock that was due wakes it."""
        of: dict[str, set[str]] = {}
        for key, person in told.items():
            if isinstance(person, str):
                of.setdefault(person, set()).add(planned[key])
        if not of:
            return set()
        now = datetime.now(UTC)
        async with questions(self._engine) as connection:
            if not (gathering := await rounds.gathering(connection, of, now)):
                return set()
            overdue = await rounds.overdue(connection, {one for person in gathering for one in of[person]}, now)
        return {person for person in gathering if of[person] & overdue}

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
            behind = await unclaimed.behind(connection, now)
            waiting = await unclaimed.who_waits(connection, behind)
            unmanned = [
                one for one in await unclaimed.unmanned(connection, behind) if one.complaint == stream.complaint
            ]
            hooks = await webhooks.active(connection)
        await asyncio.gather(
            *(poke(self._client, self._task_queue, person) for person in waiting),
            *(self._hooks.poke(hook) for hook in hooks),
        )
        for one in unmanned:  # to the workflow that asks: it may have been lost before it heard of it
            nobody = Outcome(notice=one.notice, accepted=False, at=now, reason=one.reason)
            await report(self._client, one.complaint, nobody)
        return Registered(
            standing=found.standing,
            message=found.message,
            version=found.version,
            contract=found.snapshot,
            answers_as_recorded=True,
        )

    async def _poke(self, whom: tuple[str, bool]) -> None:
        person, urgent = whom
        await poke(self._client, self._task_queue, person, urgent=urgent)

    @asynccontextmanager
    async def _connection(self, way: Way = transaction) -> AsyncIterator[AsyncConnection]:
        """One transaction, unless another way is given; an outage is one clear line, and tried again."""
        with self._clear_errors():
            async with way(self._engine) as connection:
                yield connection

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except (PostgresUnreachableError, SchemaMissingError, MasterKeyError, ledger.LedgerGapError) as error:
            activity.logger.warning("%s", error)
            kind = type(error).__name__.removesuffix("Error")
            raise ApplicationError(str(error), type=kind, category=ApplicationErrorCategory.BENIGN) from None
