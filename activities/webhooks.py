"""One round for one subscription: what was recorded since it last heard is sent, in order, until it has heard it all.

Each call has two steps, and a crash between them repeats the first: the receiver says 2xx, then the cursor moves past
what it took. So everything arrives at least once, a repetition under the same id (invariant 12), and nothing is left
out. A call that is not taken is tried again without end at a growing distance; whatever comes behind it waits, since
order is promised.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities import parcels
from activities.alive import alive
from activities.caller import Caller, GoneError, NotTakenError
from activities.guard import Guard
from activities.interface import DISPATCH, Dispatched
from activities.parcels import Outgoing
from activities.writing import Writer
from rules.events import event_of, event_type
from rules.values import SYSTEM
from settings import Settings
from storage import feed, registry, webhooks
from storage.content import ErasedError, MasterKeyError, Vault
from storage.database import PostgresUnreachableError, SchemaMissingError, transaction
from storage.webhooks import Sealed, UnknownWebhookError, Webhook
from templates.events import Announcer, told_of

ROUND = timedelta(seconds=60)
"""After so long a round ends and the next begins; with one call it is still shorter than an activity may take."""

PACE = timedelta(seconds=4)
"""Between two messages of a group robot: each takes 20 a minute at most."""

SHORTEST_SECRET = 6
"""Parts of an address as long as that are masked where a server repeats them."""


class Dispatcher:
    """The activity of a Webhook. `engine` and `client` are shared with whoever else runs in the process."""

    def __init__(
        self,
        engine: AsyncEngine,
        client: Client,
        settings: Settings,
        *,
        caller: Caller | None = None,
        pace: timedelta = PACE,
        round_: timedelta = ROUND,
    ) -> None:
        self._engine = engine
        self._vault = Vault(settings.keyring)
        self._writer = Writer(settings, self._vault, client.namespace)
        self._announcer = Announcer()
        self._caller = caller or Caller(Guard(settings.webhook_allow))
        self._pace = pace
        self._round = round_

    @property
    def activities(self) -> list[Any]:
        """What a worker registers."""
        return [self.dispatch]

    @activity.defn(name=DISPATCH)
    async def dispatch(self, webhook: str) -> Dispatched:
        """Send this subscription what it has not heard, if anything."""
        return await alive(self._rounds(webhook))

    async def _rounds(self, webhook: str) -> Dispatched:
        until = asyncio.get_running_loop().time() + self._round.total_seconds()
        sent = 0
        while asyncio.get_running_loop().time() < until:
            async with self._transaction() as db:
                last = await feed.head(db)
            try:
                async with self._transaction() as db:
                    hook = await webhooks.find(db, webhook)
                    sealed = await webhooks.unseal(db, self._vault, hook, datetime.now(UTC))
                    outgoing, through = await self._outgoing(db, hook, last)
            except (UnknownWebhookError, ErasedError):
                return Dispatched(sent=sent)
            if hook.state != "active":
                return Dispatched(sent=sent)
            if outgoing and (hold := self._hold(hook)):
                return Dispatched(sent=sent, waiting=True, hold_seconds=hold.total_seconds())
            position, taken, whole = await self._send(hook, sealed, outgoing, until, sent)
            sent += taken
            if not whole:
                return Dispatched(sent=sent, waiting=True)
            if parcels.of_robot(hook) and taken and position < outgoing[-1].position:
                continue  # it holds before the rest
            if position < through:
                async with self._transaction() as db:
                    await webhooks.moved(db, webhook, position, through)
            if through >= last:
                return Dispatched(sent=sent)
        return Dispatched(sent=sent, waiting=True)

    async def _send(
        self, hook: Webhook, sealed: Sealed, outgoing: Sequence[Outgoing], until: float, before: int
    ) -> tuple[int, int, bool]:
        """How far it came, how many events were taken, and whether the round may go on.

        Raises what makes Temporal try again, but only when nothing was sent in this round: whoever takes something is
        asked again soon, not at the distance that failures have grown to.
        """
        position, sent = hook.position, 0
        for parcel in parcels.parcels(hook, sealed, outgoing, self._announcer):
            if asyncio.get_running_loop().time() >= until:
                return position, sent, False
            try:
                await parcels.deliver(self._caller, hook, parcel.request)
            except GoneError:
                await self._pause(hook)
                return position, sent, False
            except NotTakenError as failure:
                why = _masked(str(failure), sealed.url)
                async with self._transaction() as db:
                    await webhooks.failed(db, hook.id, why, datetime.now(UTC))
                if before + sent:
                    return position, sent, False
                raise _retry(f"webhook {hook.id} ({hook.origin}): {why}", "NotTaken", failure.after) from None
            async with self._transaction() as db:
                if not await webhooks.moved(db, hook.id, position, parcel.through, datetime.now(UTC)):
                    return position, sent, False  # a replay has moved the cursor; the next round begins there
            position, sent = parcel.through, sent + parcel.events
            if parcels.of_robot(hook):
                break
        return position, sent, True

    def _hold(self, hook: Webhook) -> timedelta | None:
        """How long a group robot must wait for its next message."""
        if not parcels.of_robot(hook) or hook.sent_at is None:
            return None
        left = hook.sent_at + self._pace - datetime.now(UTC)
        return left if left > timedelta() else None

    async def _outgoing(self, db: AsyncConnection, hook: Webhook, last: int) -> tuple[list[Outgoing], int]:
        """The next events that it hears of, and the position up to which that is all."""
        placed = await feed.ahead(db, hook.contract, hook.position, last, feed.PAGE)
        through = placed[-1].position if len(placed) == feed.PAGE else last
        wanted = [one for one in placed if event_type(one.entry) in hook.events]
        about = await feed.about(db, {one.complaint for one in wanted})
        versions = await registry.versions(db, about) if parcels.of_robot(hook) else {}
        outgoing: list[Outgoing] = []
        for position, complaint, entry in wanted:
            event = event_of(complaint, entry, about[complaint])
            if event is None or (event.quiet and parcels.of_robot(hook)):
                continue
            contract = await self._writer.contract(db, versions.get(complaint))
            told = told_of(event, contract, self._writer.case_url(complaint))
            outgoing.append(Outgoing(position, event, told))
        return outgoing, through

    async def _pause(self, hook: Webhook) -> None:
        """Its receiver is gone: on record, and nothing more is sent until somebody resumes it."""
        activity.logger.warning("webhook %s (%s) is paused: 410 Gone", hook.id, hook.origin)
        async with self._transaction() as db:
            try:
                await webhooks.pause(db, self._vault, hook.id, "gone", SYSTEM, datetime.now(UTC))
            except (webhooks.NotNowError, UnknownWebhookError):
                return  # somebody was faster

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        """One transaction; an outage is one clear line, and tried again."""
        try:
            async with transaction(self._engine) as db:
                yield db
        except (PostgresUnreachableError, SchemaMissingError, MasterKeyError) as error:
            raise _retry(str(error), type(error).__name__.removesuffix("Error")) from None


def _masked(said: str, url: str) -> str:
    """A receiver's words without the parts of its address that may be secret."""
    parts = urlsplit(url)
    secret = [*parts.path.split("/"), parts.query, *(value for _, value in parse_qsl(parts.query))]
    for part in sorted(secret, key=len, reverse=True):
        if len(part) >= SHORTEST_SECRET:
            said = said.replace(part, "…")
    return said


def _retry(said: str, kind: str, after: int | None = None) -> ApplicationError:
    """Worth another try, and no reason to fill the log with a traceback."""
    activity.logger.warning("%s", said)
    delay = timedelta(seconds=after) if after else None
    return ApplicationError(said, type=kind, category=ApplicationErrorCategory.BENIGN, next_retry_delay=delay)
