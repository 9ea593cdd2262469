"""Brings a database to the tables this version of Ombud needs."""

from __future__ import annotations

import asyncio

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import create_engine, transaction

_LOCK = 0x6F6D627564  # "ombud": whoever migrates holds it until the commit


def upgrade(url: str) -> None:
    """Create or change every table, all in one transaction. Does nothing when there is nothing to do.

    Safe to run by several processes at once: the others wait, then find it done. Must not be called where an event
    loop runs; use a thread there. Raises PostgresUnreachableError.
    """
    asyncio.run(_upgrade(url))


async def standing(connection: AsyncConnection) -> tuple[str | None, str, bool]:
    """The migration that a database stands at, none for an empty one; the one that this version needs; and whether this
    version knows the first.
    """
    stands = await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())
    scripts = ScriptDirectory.from_config(_config())
    known = stands is None or stands in {script.revision for script in scripts.walk_revisions()}
    return stands, scripts.get_current_head() or "", known


async def _upgrade(url: str) -> None:
    engine = create_engine(url, connections=1, statement_seconds=None)
    try:
        async with transaction(engine) as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            await connection.run_sync(_run)
    finally:
        await engine.dispose()


def _run(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()  # Alembic needs no file of its own
    config.set_main_option("script_location", "storage:migrations")
    config.set_main_option("path_separator", "os")
    return config
