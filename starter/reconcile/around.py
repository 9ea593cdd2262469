"""What stands around the complaints: mails, webhooks, circulars, registrations and schedules."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import (
    Client,
    ScheduleActionStartWorkflow,
    ScheduleDescription,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from activities.interface import RETENTION, complaint_id, post_id, retention_id, webhook_id
from activities.poke import poke, poke_webhook, report
from activities.schedule import keep_schedules, sweep
from rules.contract import Contract
from rules.coverage import awaited
from rules.notices import Outcome
from starter.canary import schedule_id
from starter.reconcile.carriers import Carrier, carrier, replace
from starter.reconcile.complaints import each
from starter.reconcile.damage import Damage
from starter.reconcile.tails import effective
from storage import contracts, crowds, feed, registry, standing, unclaimed, webhooks
from storage.database import transaction

Heal = Callable[[], Awaitable[str]]
"""Puts one damage right and says what was done."""


class Around:
    """Looks at all of it; each look gives what is wrong with the way to heal it, and may be taken again.

    Raises RPCError and what `transaction` raises.
    """

    def __init__(self, client: Client, engine: AsyncEngine, task_queue: str) -> None:
        self._client = client
        self._engine = engine
        self._task_queue = task_queue
        self._laws: dict[str, Contract] = {}

    async def cursors(self) -> list[tuple[Damage, Heal | None]]:
        """Webhooks beyond the feed. Healed before anything is written again, which would slip under them."""
        async with transaction(self._engine) as connection:
            head = await feed.head(connection)
            found = await standing.cursors_beyond(connection, head)

        async def heal(webhook: str) -> str:
            async with transaction(self._engine) as connection:
                await standing.set_back(connection, webhook, head)
            return f"goes on behind {head}; what it hears again has the ids it had"

        return [
            (Damage("cursor ahead", webhook, f"stands at {at}, the feed ends at {head}"), partial(heal, webhook))
            for webhook, at in found
        ]

    async def never_begun(self) -> list[tuple[Damage, Heal | None]]:
        """References that a registration keeps and no complaint uses."""
        async with transaction(self._engine) as connection:
            found = await standing.never_begun(connection, datetime.now(UTC) - standing.GRACE)

        async def heal(contract: str, reference: str, first_run: str) -> str:
            async with transaction(self._engine) as connection:
                await registry.reject(
                    connection,
                    registry.Reject(
                        workflow_id=complaint_id(contract, reference),
                        first_run=first_run,
                        reason="it was registered, and lost before it began",
                        recorded_at=datetime.now(UTC),
                        contract=contract,
                        reference=reference,
                    ),
                )
            return "the reference is free, and the start stands among the rejects: have it sent again"

        names = [complaint_id(contract, reference) for contract, reference, _ in found]
        tails = await each(names, partial(effective, self._client))
        return [
            (Damage("never begun", f"{one[0]}/{one[1]}", "no entry, and no workflow runs it"), partial(heal, *one))
            for one, tail in zip(found, tails, strict=True)
            if not tail.running and not tail.known  # one that Temporal knows entries of is written again
        ]

    async def mails(self) -> list[tuple[Damage, Heal | None]]:
        """What waits for a person whose Post does not run, and notices behind which nobody stands."""
        now = datetime.now(UTC)
        async with transaction(self._engine) as connection:
            behind = await unclaimed.behind(connection, now)
            waiting = await unclaimed.who_waits(connection, behind)
            nobody = await unclaimed.unmanned(connection, behind)
        posts = await each([post_id(person) for person in waiting], partial(carrier, self._client))

        async def wake(person: str, post: Carrier) -> str:
            ended = await replace(self._client, post_id(person), post)
            await poke(self._client, self._task_queue, person)
            return f"{ended}its Post was started"

        async def tell(one: unclaimed.Unmanned) -> str:
            outcome = Outcome(notice=one.notice, accepted=False, at=now, reason=one.reason)
            await report(self._client, one.complaint, outcome)
            return "its complaint was told"

        def what(person: str) -> str:
            since = min((group.since for group in behind.persons.get(person, ())), default=None)
            return f"since {since:%Y-%m-%d %H:%M:%S} UTC" if since else "a message, or what became of one"

        found: list[tuple[Damage, Heal | None]] = [
            (Damage("mail waits", person, f"{what(person)}{post.said}"), partial(wake, person, post))
            for person, post in zip(waiting, posts, strict=True)
            if not post.works
        ]
        told = ((Damage("nobody told of", one.notice, one.reason), partial(tell, one)) for one in nobody)
        return [*found, *told]

    async def unheard(self) -> list[tuple[Damage, Heal | None]]:
        """Complaints that do not know what became of a notice, or of an answer to a crowd."""
        async with transaction(self._engine) as connection:
            ended = await standing.unheard(connection)
            for version in {one.version for one in ended} - self._laws.keys():
                self._laws[version] = (await contracts.load(connection, version)).parsed()
            persons = await standing.answered_crowds(connection)
            uncovered = {p: one for p in persons for one in await crowds.uncovered(connection, p)}

        async def tell(one: standing.Unheard) -> str:
            async with transaction(self._engine) as connection:
                await standing.tell(connection, [one.message])
            await poke(self._client, self._task_queue, one.person)
            return "the Post of its recipient tells it"

        async def cover(person: str) -> str:
            await poke(self._client, self._task_queue, person)
            return "the Post of whoever answered tells it"

        matter = [one for one in ended if not one.accepted or awaited(self._laws[one.version], one.command)]
        found: list[tuple[Damage, Heal | None]] = [
            (
                Damage("outcome unheard", one.notice, "accepted" if one.accepted else "undeliverable"),
                partial(tell, one),
            )
            for one in matter
        ]
        answers = (
            (Damage("answer unheard", one.notice, f"answered by {person}"), partial(cover, person))
            for person, one in uncovered.items()
        )
        return [*found, *answers]

    async def hooks(self) -> list[tuple[Damage, Heal | None]]:
        """Subscribers for whom something waits while nothing runs to send it."""
        async with transaction(self._engine) as connection:
            active = [hook for hook in await webhooks.listing(connection) if hook.state == "active"]
            late = [
                (hook, since)
                for hook in active
                if (since := await feed.waiting_since(connection, hook.contract, hook.position, hook.events))
            ]
        carriers = await each([webhook_id(hook.id) for hook, _ in late], partial(carrier, self._client))

        async def wake(webhook: str, sender: Carrier) -> str:
            ended = await replace(self._client, webhook_id(webhook), sender)
            await poke_webhook(self._client, self._task_queue, webhook)
            return f"{ended}it was started"

        return [
            (
                Damage(
                    "webhook waits", f"{hook.id} {hook.origin}", f"since {since:%Y-%m-%d %H:%M:%S} UTC{sender.said}"
                ),
                partial(wake, hook.id, sender),
            )
            for (hook, since), sender in zip(late, carriers, strict=True)
            if not sender.works
        ]

    async def schedules(self) -> list[tuple[Damage, Heal | None]]:
        """The daily sweep, and the canary where it flies."""
        found: list[tuple[Damage, Heal | None]] = []
        retention, canary = retention_id(self._task_queue), schedule_id(self._task_queue)
        described = await self._schedule(retention)
        if described is None:
            found.append((Damage("schedule missing", retention, "nothing is erased by itself"), self._make))
        elif wrong := _stale(described, RETENTION, self._task_queue):
            found.append((Damage("schedule stale", retention, wrong), self._renew))
        elif described.schedule.state.paused:
            found.append((_paused(retention, described), None))
        if described := await self._schedule(canary):
            if wrong := _stale(described, "Canary", self._task_queue):
                do = "Schedule it again: ombud canary schedule --every 1h"
                found.append((Damage("schedule stale", canary, wrong, do), None))
            elif described.schedule.state.paused:
                found.append((_paused(canary, described), None))
        return found

    async def _make(self) -> str:
        await keep_schedules(self._client, self._task_queue)
        return "made anew"

    async def _renew(self) -> str:
        def right(given: ScheduleUpdateInput) -> ScheduleUpdate:
            wanted = sweep(self._task_queue)
            wanted.state = given.description.schedule.state
            return ScheduleUpdate(schedule=wanted)

        await self._client.get_schedule_handle(retention_id(self._task_queue)).update(right)
        return "made what it should be"

    async def _schedule(self, id_: str) -> ScheduleDescription | None:
        try:
            return await self._client.get_schedule_handle(id_).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None


def _stale(described: ScheduleDescription, workflow: str, task_queue: str) -> str:
    """What a schedule does wrongly; its hour may have been moved."""
    action = described.schedule.action
    if not isinstance(action, ScheduleActionStartWorkflow) or action.workflow != workflow:
        return "it starts something else"
    if action.task_queue != task_queue:
        return f"it starts on task queue {action.task_queue}"
    if not described.schedule.state.paused and not described.info.next_action_times:
        return "it starts nothing any more"
    return ""


def _paused(id_: str, described: ScheduleDescription) -> Damage:
    said = described.schedule.state.note or "nobody said why"
    return Damage("schedule paused", id_, said, f"If that is over: temporal schedule toggle --unpause -s {id_}")
