"""Brings a database to the tables this version of Ombud needs, while workers use it.

Each migration is a transaction of its own. It never waits long for a table: whoever waits for one makes everybody wait
who comes after, so it gives up its place after a moment and tries again.
"""

from __future__ import annotations

import asyncio
import logging

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import create_engine, questions
from storage.migrations.online import LOCK_TIMEOUT

LOGGER = logging.getLogger("ombud.migrate")

_LOCK = 0x6F6D627564  # "ombud": whoever migrates holds it to the end

PATIENCE = 600.0
"""Seconds for which a migration is tried while others hold its tables."""
BETWEEN = 0.5
"""Seconds between two tries, in which those who wait for the table go first."""


class TablesHeldError(Exception):
    """Somebody holds a table that a migration changes, for longer than `PATIENCE`."""


def upgrade(url: str) -> None:
    """Create or change every table. Does nothing when there is nothing to do.

    Safe to run by several processes at once: the others wait, then find it done; and again after it broke off, where it
    goes on with the migration that was not done. Must not be called where an event loop runs; use a thread there.
    Raises PostgresUnreachableError, TablesHeldError.
    """
    asyncio.run(_upgrade(url))


def needed() -> str:
    """The migration that this version needs."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


async def standing(connection: AsyncConnection) -> tuple[str | None, str, bool]:
    """The migration that a database stands at, none for an empty one; the one that this version needs; and whether this
    version knows the first.
    """
    stands = await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())
    scripts = ScriptDirectory.from_config(_config())
    known = stands is None or stands in {script.revision for script in scripts.walk_revisions()}
    return stands, needed(), known


async def _upgrade(url: str) -> None:
    engine = create_engine(url, connections=2, statement_seconds=None)
    try:
        async with questions(engine) as turn:
            await _wait_for_our(turn)
            async with engine.connect() as connection:
                await connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
                await connection.commit()
                await _insist(connection)
    finally:
        await engine.dispose()


async def _wait_for_our(turn: AsyncConnection) -> None:
    """One process migrates at a time, until its connection ends. Asked again and again, and in no transaction: an index
    that is built online waits for everybody who is in one."""
    ours = text("SELECT pg_try_advisory_lock(:lock)")
    while not await turn.scalar(ours, {"lock": _LOCK}):  # noqa: ASYNC110  another process sets no event
        await asyncio.sleep(BETWEEN)


async def _insist(connection: AsyncConnection) -> None:
    """Migrate, as often as it takes until the tables are free."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    while True:
        try:
            await connection.run_sync(_run)
            await connection.commit()
        except DBAPIError as error:
            await connection.rollback()
            if not isinstance(getattr(error.orig, "__cause__", None), asyncpg.LockNotAvailableError):
                raise
            if loop.time() > deadline:
                raise TablesHeldError(
                    f"A migration finds its tables in use for {PATIENCE:g} seconds: {error.orig}. What was not done is "
                    "left as it was. End what holds them (pg_stat_activity shows long transactions), then run it again."
                ) from None
            LOGGER.info("a table is in use; the migration lets others go first and tries again")
            await asyncio.sleep(BETWEEN)
        else:
            return


def _run(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()  # Alembic needs no file of its own
    config.set_main_option("script_location", "storage:migrations")
    config.set_main_option("path_separator", "os")
    return config
