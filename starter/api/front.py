"""What every route of the API works with, and how it comes by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from settings import Settings
from starter.api.cursors import Cursors
from starter.client import Ombud
from starter.errors import Unreachable
from starter.limits import Limits
from storage.content import Vault
from storage.database import PostgresUnreachableError, SchemaMissingError, transaction

STREAMS_AT_ONCE = 4
"""Whole tables on their way at the same time: each holds a connection of ten for as long as its reader takes."""


class Front:
    """One server's API. `engine` and `ombud` are shared with whoever else runs in the process."""

    def __init__(self, engine: AsyncEngine, ombud: Ombud, settings: Settings) -> None:
        self.ombud = ombud
        self.vault = Vault(settings.keyring)
        self.limits = Limits(settings)
        self.cursors = Cursors(settings.signing_key.get_secret_value())
        self.streams = asyncio.Semaphore(STREAMS_AT_ONCE)
        self.engine = engine

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Raises Unreachable."""
        try:
            async with transaction(self.engine) as connection:
                yield connection
        except (PostgresUnreachableError, SchemaMissingError) as error:
            raise Unreachable(str(error)) from None
