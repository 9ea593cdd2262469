"""Whoever is turned away is on record (rule 111), within bounds: the record is no target."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from starter.limits import Limits
from storage import access_log
from storage.access_log import Access
from storage.database import PostgresUnreachableError, SchemaMissingError

LOGGER = logging.getLogger("ombud.access")

MOST_REMEMBERED = 10_000


class Refusals:
    """Puts refusals on record. An address that is refused too often is told to wait, which goes on record once."""

    def __init__(self, transaction: Callable[[], AbstractAsyncContextManager[AsyncConnection]], limits: Limits) -> None:
        self._transaction = transaction
        self._limits = limits
        self._throttled: dict[str, datetime] = {}

    async def attempt(self, refused: Access) -> int:
        """One more refusal of somebody who proved nothing: on record, or else the seconds that its address must wait.

        Counted after the proof: whoever shares an address with a guesser, behind a proxy say, is not shut out.
        """
        if wait := await self._limits.failed(refused.address or ""):
            # Of what was presented nothing: another token or link each time would be another record each time.
            asked = Access(refused.at, refused.via, refused.action, allowed=False, address=refused.address)
            await self.throttled(wait, asked)
            return wait
        await self.record(refused)
        return 0

    async def throttled(self, wait: int, asked: Access) -> None:
        """Put it on record that somebody asked too often: once until they may go on."""
        now, who = datetime.now(UTC), asked.token or asked.address or ""
        if self._throttled.get(who, now) > now:
            return
        if len(self._throttled) >= MOST_REMEMBERED:
            self._throttled.clear()
        self._throttled[who] = now + timedelta(seconds=wait)
        await self.record(replace(asked, reason="too many requests"))

    async def record(self, refused: Access) -> None:
        """Put a refusal on record; where Postgres is away, in the log, so that none goes unseen."""
        try:
            async with self._transaction() as connection:
                await access_log.record(connection, refused)
        except (PostgresUnreachableError, SchemaMissingError):
            LOGGER.warning("refused, and Postgres is away: %s", refused)
