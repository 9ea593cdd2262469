"""Brings a database to the tables this version of Ombud needs."""

from __future__ import annotations

import asyncio
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from storage.database import create_engine, transaction

_LOCK = 0x6F6D627564  # "ombud": whoever migrates holds it until the commit


def upgrade(url: str) -> None:
    """Create or change every table, all in one transaction. Does nothing when there is nothing to do.

    Safe to run by several processes at once: the others wait, then find it done. Must not be called where an event
    loop runs; use a thread there. Raises PostgresUnreachableError.
    """
    asyncio.run(_upgrade(url))


def config(connection: Connection) -> Config:
    """Alembic's own configuration: it needs no file."""
    made = Config(attributes={"connection": connection})
    made.set_main_option("script_location", "storage:migrations")
    made.set_main_option("path_separator", "os")
    return made


async def _upgrade(url: str) -> None:
    engine = create_engine(url, connections=1, statement_seconds=None)
    try:
        async with transaction(engine) as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            await connection.run_sync(lambda sync: command.upgrade(config(sync), "head"))
    finally:
        await engine.dispose()


def revise(connection: Connection, number: str, message: str) -> Any:
    """Write the next migration from the difference between `storage.tables` and this database, for a developer."""
    return command.revision(config(connection), message, autogenerate=True, rev_id=number)
