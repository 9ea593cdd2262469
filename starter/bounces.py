"""Takes in what mail servers tell of messages they accepted: on record once each, and told to the complaints."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.service import RPCError

from activities.poke import poke
from settings import Settings
from starter.delivery_reports import read_report
from starter.errors import Misconfigured, Unreachable
from starter.mailboxes import Mailbox, opened
from storage.content import MasterKeyError, Vault
from storage.database import transaction
from storage.reports import Reported, Taken, take
from wire.client import TemporalUnreachableError, connect_temporal

Fate = Literal["delivered", "bounced", "delayed", "relayed", "known", "early", "unknown", "no report"]
"""What became of one mail: what it reported, or why nothing was recorded of it."""

FOR_PEOPLE: tuple[Fate, ...] = ("unknown", "no report")


class Intake:
    """One round of taking in. `told` are the persons whose complaints have to hear of a bounce."""

    def __init__(self, engine: AsyncEngine, settings: Settings) -> None:
        self._engine = engine
        self._vault = Vault(settings.keyring)
        self._task_queue = settings.task_queue
        self.told: set[str] = set()

    async def take(self, raw: bytes) -> Fate:
        """Record one mail. Raises PostgresUnreachableError, SchemaMissingError and Misconfigured."""
        report = read_report(raw)
        if report is None:
            return "no report"
        reported = Reported(report.id, report.became, report.status, report.said, report.at, raw)
        try:
            async with transaction(self._engine) as connection:
                taken = await take(connection, self._vault, report.messages, reported, datetime.now(UTC))
        except MasterKeyError as error:
            raise Misconfigured(str(error)) from None
        self._remember(taken, report.became)
        return report.became if taken.standing == "recorded" else taken.standing

    async def take_all(self, url: str) -> Counter[Fate]:
        """Record every mail of a mailbox that nobody has dealt with. Raises as `take` does, and MailboxError."""
        found: Counter[Fate] = Counter()
        async with _in_threads(opened(url)) as box:
            for name in await asyncio.to_thread(box.unseen):
                fate = await self.take(await asyncio.to_thread(box.read, name))
                found[fate] += 1
                if fate != "early":  # that one is read again in the next round
                    await asyncio.to_thread(box.done, name, for_people=fate in FOR_PEOPLE)
        return found

    async def tell(self) -> None:
        """Have the complaints told. Raises Unreachable; the record stands, and a later round tells them."""
        if not self.told:
            return
        try:
            client = await connect_temporal()
            for person in sorted(self.told):
                await poke(client, self._task_queue, person, urgent=True)
        except (TemporalUnreachableError, RPCError) as error:
            raise Unreachable(f"The bounces are on record; their complaints hear of it later: {error}") from None
        self.told.clear()

    def _remember(self, taken: Taken, became: str) -> None:
        """A bounce that is known already is told again: the round that recorded it may have ended there."""
        if became == "bounced" and taken.standing in ("recorded", "known"):
            self.told.add(taken.person)


@asynccontextmanager
async def _in_threads(context: AbstractContextManager[Mailbox]) -> AsyncIterator[Mailbox]:
    """Opens and closes a mailbox without keeping the event loop waiting for it."""
    box = await asyncio.to_thread(context.__enter__)
    try:
        yield box
    except BaseException as error:
        if not await asyncio.to_thread(context.__exit__, type(error), error, error.__traceback__):
            raise
    else:
        await asyncio.to_thread(context.__exit__, None, None, None)
