"""Erases what its contract keeps no longer, a batch at a time, each complaint in a transaction of its own.

A batch that breaks off is done again from its beginning: what was erased by then is not due any more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError

from activities.forgetting import forget_all
from activities.interface import FORGET, SWEEP, Swept
from rules.values import SYSTEM
from settings import Settings
from storage import erasure
from storage.content import MasterKeyError, Vault
from storage.database import PostgresUnreachableError, SchemaMissingError, transaction
from storage.erasure import Cursor, KeptError

BATCH = 20


class Eraser:
    """The activities of a sweep. `engine` and `client` are shared with whoever else runs in the process."""

    def __init__(self, engine: AsyncEngine, client: Client, settings: Settings) -> None:
        self._engine = engine
        self._client = client
        self._vault = Vault(settings.keyring)

    @property
    def activities(self) -> list[Any]:
        """What a worker registers."""
        return [self.sweep, self.forget]

    @activity.defn(name=SWEEP)
    async def sweep(self, so_far: Swept) -> Swept:
        """Erase the next complaints whose time has come. A hold that was set meanwhile keeps its complaint."""
        now = datetime.now(UTC)
        after = Cursor(*so_far.cursor) if so_far.cursor else None
        async with self._transaction() as connection:
            law = await erasure.laws(connection, now)
            due = await erasure.due(connection, law, now, after, BATCH)
        erased = held = 0
        for one in due:
            try:
                async with self._transaction() as connection:
                    await erasure.erase(connection, self._vault, one.complaint, SYSTEM, "retention", now)
                erased += 1
            except KeptError:
                held += 1
            activity.heartbeat()
        return Swept(erased=erased, held=held, cursor=due[-1].cursor if len(due) == BATCH else None)

    @activity.defn(name=FORGET)
    async def forget(self, so_far: Swept) -> Swept:
        """Have Temporal forget the next erased complaints that are closed by now. Those of which a run goes on are left
        to the next sweep."""
        async with self._transaction() as connection:
            complaints = await erasure.remembered(connection, so_far.behind, BATCH)
        forgotten = 0
        for complaint in complaints:
            async with self._transaction() as connection:
                traces = await erasure.traces(connection, complaint)
            try:
                gone = await forget_all(self._client, traces.carriers)
            except RPCError as error:
                raise _again(error) from None
            if not gone.left and not gone.running:
                async with self._transaction() as connection:
                    forgotten += await erasure.forgotten(connection, self._vault, traces, SYSTEM, datetime.now(UTC))
            activity.heartbeat()
        return Swept(forgotten=forgotten, behind=complaints[-1] if len(complaints) == BATCH else "")

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        """One transaction; an outage is one clear line, and tried again."""
        try:
            async with transaction(self._engine) as connection:
                yield connection
        except (PostgresUnreachableError, SchemaMissingError, MasterKeyError) as error:
            raise _again(error) from None


def _again(error: Exception) -> ApplicationError:
    activity.logger.warning("%s", error)
    kind = type(error).__name__.removesuffix("Error")
    return ApplicationError(str(error), type=kind, category=ApplicationErrorCategory.BENIGN)
