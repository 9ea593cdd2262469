"""Writes batches of entries into Postgres, and pokes whatever tells people and backends of them once they are there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio import activity
from temporalio.client import Client

from activities.interface import Batch, Recorded
from activities.poke import Joined, poke, poke_webhook
from rules.duty import Nobody
from rules.events import event_type
from rules.ledger import Entry
from settings import Settings
from storage import recording, rounds, unclaimed, webhooks
from storage.content import Vault
from storage.database import questions
from telemetry import meters


@dataclass(slots=True)
class Written:
    """What became of one batch."""

    batch: Batch
    new: list[Entry]
    late: list[recording.Lateness]
    told: dict[str, str | Nobody]
    """By notice, of those that wait."""
    soon: set[str]
    """Who comes on duty next where nobody is now."""
    hooks: list[str]
    coming: set[str] = field(default_factory=set)
    """For whom a round comes by itself, so that only what is urgent pokes them."""


class Scribe:
    """`engine` and `client` are shared with whoever else runs in the process."""

    def __init__(self, engine: AsyncEngine, client: Client, settings: Settings) -> None:
        self._engine = engine
        self._client = client
        self._task_queue = settings.task_queue
        self._persons = Joined(self._poke)
        self.hooks = Joined(partial(poke_webhook, client, settings.task_queue))
        self._vault = Vault(settings.keyring)

    async def write(self, connection: AsyncConnection, batches: Sequence[Batch]) -> list[Written]:
        """A batch each of several complaints, in the caller's transaction: when many clocks end at one instant, they
        share its round trips and its wait for the disk. Raises what `recording.record` raises.
        """
        contracts = {batch.complaint: batch.complaint.partition("/")[0] for batch in batches}
        events: dict[str, set[str]] = {contract: set() for contract in contracts.values()}
        for batch in batches:
            events[contracts[batch.complaint]] |= set(filter(None, map(event_type, batch.entries)))
        keys = {batch.complaint: _planned(batch) for batch in batches}
        new = await recording.record(connection, self._vault, batches)
        late = await recording.lateness(connection, new)
        for complaint, waiting in (await recording.readdressed(connection, batches)).items():
            keys[complaint] = list(dict.fromkeys((*keys[complaint], *waiting)))
        now = datetime.now(UTC)
        told = await recording.addressees(connection, [key for of in keys.values() for key in of], now)
        off_duty = any(isinstance(person, Nobody) for person in told.values())
        soon = (await unclaimed.behind(connection, now)).heirs if off_duty else set()
        hooks = await webhooks.concerned(connection, events)
        return [
            Written(
                batch=batch,
                new=new[batch.complaint],
                late=late[batch.complaint],
                told={key: told[key] for key in keys[batch.complaint] if key in told},
                soon=soon if any(isinstance(told.get(key), Nobody) for key in keys[batch.complaint]) else set(),
                hooks=hooks[contracts[batch.complaint]],
            )
            for batch in batches
        ]

    async def look(self, written: Sequence[Written]) -> None:
        """After the commit: who need not be poked, since what gathers for them is looked at by itself. The last clock
        that was due wakes it.
        """
        of: dict[str, set[str]] = {}
        for one in written:
            for person in one.told.values():
                if isinstance(person, str):
                    of.setdefault(person, set()).add(one.batch.complaint.partition("/")[0])
        if not of:
            return
        now = datetime.now(UTC)
        async with questions(self._engine) as connection:
            if not (gathering := await rounds.gathering(connection, of, now)):
                return
            overdue = await rounds.overdue(connection, {one for person in gathering for one in of[person]}, now)
        coming = {person for person in gathering if of[person] & overdue}
        for one in written:
            one.coming = coming

    async def tell(self, one: Written) -> Recorded:
        """Poke everybody it concerns, and say behind which notices nobody stands."""
        meters.missed(one.late)
        for entry in one.new:
            if entry.type == "clock_missed":
                activity.logger.info("missed: %s, due %s", entry.data["clock"], entry.occurred_at.isoformat())
        urgent: dict[str, bool] = dict.fromkeys(one.soon, False)
        why: dict[str, str] = {}
        planned: Mapping[str, bool] = {n.key: n.urgent for entry in one.batch.entries for n in entry.notices}
        for key, person in one.told.items():
            if isinstance(person, Nobody):
                why[key] = person.reason
            else:
                at_once = planned.get(key, True)  # what was planned before has waited already
                urgent[person] = urgent.get(person, False) or at_once
        to_poke = [(who, at_once) for who, at_once in sorted(urgent.items()) if at_once or who not in one.coming]
        await asyncio.gather(
            *(self._persons.poke((person, at_once)) for person, at_once in to_poke),
            *(self.hooks.poke(hook) for hook in one.hooks),
        )
        return Recorded(nobody=tuple(why), why=why, at=datetime.now(UTC))

    async def _poke(self, whom: tuple[str, bool]) -> None:
        person, urgent = whom
        await poke(self._client, self._task_queue, person, urgent=urgent)


def _planned(batch: Batch) -> list[str]:
    return [notice.key for entry in batch.entries for notice in entry.notices]
