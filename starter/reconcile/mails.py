"""Mails whose record Postgres has lost, written again from what their Posts said at the time: else they leave again.

The result of every round of delivery holds the entries of its message. It is asked of those alone who may have been
mailed what waits now.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.service import RPCError, RPCStatusCode

from activities.interface import DELIVER, Delivered, post_id
from starter.errors import Misconfigured
from starter.reconcile.around import Heal
from starter.reconcile.complaints import each
from starter.reconcile.damage import Damage, Report
from starter.temporal_errors import SEALED
from storage import recording, standing, unclaimed
from storage.content import Vault
from storage.database import transaction
from storage.directory import stored
from storage.ledger import DivergedError
from workflows.unreadable import sealed


class Mails:
    """Finds them and writes them again. Raises RPCError, MasterKeyError and what `transaction` raises."""

    def __init__(self, client: Client, engine: AsyncEngine, vault: Vault, report: Report) -> None:
        self._client = client
        self._engine = engine
        self._vault = vault
        self._report = report

    async def look(self) -> list[tuple[Damage, Heal | None]]:
        """Messages that left, say their Posts, and of which Postgres knows less."""
        since = await self._waits_since()
        told = await each(sorted(since), lambda person: self._told(person, since[person]))
        rounds = {one.message: one for of_person in told for one in of_person}
        if not rounds:
            return []
        async with transaction(self._engine) as connection:
            ends = await standing.message_ends(connection, rounds)
            lost = [
                one
                for one in rounds.values()
                if ends.get(one.message, 0) < len(one.entries)
                and await standing.unclaimed(connection, one.entries[0].data["notices"], one.message)
            ]
        return [
            (
                Damage("mail unrecorded", one.message, f"{one.entries[-1].type} for {one.entries[0].data['person']}"),
                partial(self._write, one),
            )
            for one in lost
        ]

    async def _waits_since(self) -> dict[str, datetime]:
        """Everybody who may have been mailed what waits now, and since when the oldest of it waits."""
        found: dict[str, datetime] = {}
        async with transaction(self._engine) as connection:
            behind = await unclaimed.behind(connection, datetime.now(UTC))
            directory = await stored(connection)
            claimed = await standing.claimed_since(connection)
        groups = [*(group for of in behind.persons.values() for group in of), *behind.nobody]
        reach = {person: directory.reach(person) for person in directory.people} if directory and groups else {}
        for group in groups:
            for person in (person for person, roles in reach.items() if group.role in roles):
                found[person] = min(found.get(person, group.since), group.since)
        for person, groups_ in behind.persons.items():
            oldest = min(group.since for group in groups_)
            found[person] = min(found.get(person, oldest), oldest)
        for person, at in claimed.items():
            found[person] = min(found.get(person, at), at)
        return found

    async def _told(self, person: str, since: datetime) -> list[Delivered]:
        """Every round of this person's Post that ended a message since then."""
        quoted = post_id(person).replace("\\", "\\\\").replace("'", "\\'")
        runs = [run async for run in self._client.list_workflows(f"WorkflowId = '{quoted}'")]
        found: list[Delivered] = []
        for run in runs:
            if run.close_time is None or run.close_time >= since:
                found += [one async for one in self._rounds(run.id, run.run_id)]
        return found

    async def _rounds(self, workflow_id: str, run_id: str) -> AsyncIterator[Delivered]:
        delivers: set[int] = set()
        handle = self._client.get_workflow_handle(workflow_id, run_id=run_id)
        try:
            async for event in handle.fetch_history_events():
                if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                    if event.activity_task_scheduled_event_attributes.activity_type.name == DELIVER:
                        delivers.add(event.event_id)
                elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
                    done = event.activity_task_completed_event_attributes
                    if done.scheduled_event_id in delivers and done.result.payloads:
                        (value,) = await self._client.data_converter.decode(done.result.payloads, [Delivered])
                        if isinstance(value, RawValue) and sealed(value):
                            raise Misconfigured(f"A history cannot be read. {SEALED}")
                        if isinstance(value, Delivered) and value.message and value.entries:
                            yield value
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    async def _write(self, one: Delivered) -> str:
        try:
            async with transaction(self._engine) as connection:
                await recording.record_message(connection, self._vault, one.message, one.entries)
        except DivergedError:
            return "it was put together again meanwhile, and will be sent a second time under the same Message-ID"
        self._report.count("mails written again")
        return "its record was written again, without its words"
