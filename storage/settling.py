"""Whoever reads next sees their own act: a command is answered from Temporal's history, and Postgres has it a moment
later."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from sqlalchemy.ext.asyncio import AsyncEngine

from storage import ledger
from storage.database import PostgresUnreachableError, SchemaMissingError

FIRST, LONGEST, MOMENT = 0.004, 0.05, 1.0
"""Seconds: before it is looked at first, between two looks, and in all. A record takes some five milliseconds."""


async def settle(database: AsyncEngine, told: Iterable[tuple[str, int]]) -> None:
    """Wait until these entries, by complaint and sequence, stand in Postgres; a moment at most. Where Postgres is away
    the acts are done all the same, and recorded later.
    """
    missing = {(ledger.stream_of(complaint), seq) for complaint, seq in told}
    wait = FIRST
    with suppress(TimeoutError, PostgresUnreachableError, SchemaMissingError):
        async with asyncio.timeout(MOMENT):
            while missing:
                await asyncio.sleep(wait)
                missing -= await ledger.standing(database, missing)
                wait = min(2 * wait, LONGEST)
