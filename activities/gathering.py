"""Whether what waits for a person gathers for one mail, and how long: `rules.gathering`, asked of Postgres."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity

from activities.interface import LOOK, Delivered
from rules.gathering import REMEMBERED, Hold, Seen, again, ends_at, first
from storage import rounds, unclaimed
from storage.unclaimed import Behind, Group


class Gathering:
    """What rounds of delivery ask, and the activity by which a Post looks between them. What has gathered for `gather`
    leaves."""

    def __init__(
        self,
        questions: Callable[[], AbstractAsyncContextManager[AsyncConnection]],
        gather: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self._questions = questions
        self._gather = gather
        self._clock = clock

    @activity.defn(name=LOOK)
    async def look(self, person: str, before: int, quiet_seconds: float, woken: bool) -> Delivered:
        """Whether what gathers for this person, `before` of it at the last look, is to gather on, and how long; sends
        nothing. See `rules.gathering.again`."""
        now = self._clock()
        async with self._questions() as db:
            standing = await self.standing(db, person, now)
            behind = await unclaimed.behind(db, now, person)
            if not (groups := self._groups(standing, behind, now)):
                return Delivered(waiting=behind.count(person))
            seen = await self._seen(db, groups, now)
        quiet = timedelta(seconds=quiet_seconds)
        on = again(standing.mails, before, quiet, seen, now, woken=woken, gather=self._gather)
        return _held(seen, on, now) if on else Delivered(waiting=seen.waiting)

    async def standing(self, db: AsyncConnection, person: str, now: datetime) -> rounds.Standing:
        """How it stands with a person's mail, with every message that matters here."""
        return await rounds.standing(db, person, now - max(self._gather, REMEMBERED))

    async def hold(self, standing: rounds.Standing, behind: Behind, now: datetime) -> Delivered | None:
        """How what waits shall gather; nothing when it may leave."""
        if not (groups := self._groups(standing, behind, now)):
            return None
        async with self._questions() as db:
            seen = await self._seen(db, groups, now)
        return _held(seen, first(standing.mails, seen, now, self._gather), now)

    async def announce(self, person: str, standing: rounds.Standing, held: Delivered, now: datetime) -> Delivered:
        """The same, once it is known that nobody need poke for what comes meanwhile. The last step of a round: what
        came since it looked was still poked for."""
        ends = ends_at(standing.mails, self._gather) if held.quiet_seconds else None
        async with self._questions() as db:
            await rounds.gather(db, person, ends or now + timedelta(seconds=held.hold_seconds))
        return held

    def _groups(self, standing: rounds.Standing, behind: Behind, now: datetime) -> Sequence[Group]:
        """What waits and is to gather: the person had a mail just now, and nothing is urgent."""
        groups = behind.persons.get(standing.who.id, ()) if standing.who else ()
        ends = ends_at(standing.mails, self._gather)
        alone = ends is None or ends <= now
        return () if alone or standing.unsent or any(group.urgent for group in groups) else groups

    async def _seen(self, db: AsyncConnection, groups: Sequence[Group], now: datetime) -> Seen:
        return Seen(
            waiting=sum(group.waiting for group in groups),
            newest=max(group.newest for group in groups),
            overdue=bool(await rounds.overdue(db, {group.contract for group in groups}, now)),
        )


def _held(seen: Seen, hold: Hold, now: datetime) -> Delivered:
    return Delivered(
        waiting=seen.waiting,
        hold_seconds=(hold.until - now).total_seconds(),
        quiet_seconds=hold.quiet.total_seconds(),
        wakes=hold.wakes,
    )
