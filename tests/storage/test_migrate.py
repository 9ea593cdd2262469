"""The tables come about, once, whoever asks and how often."""

import asyncio

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, func, select

from storage.database import create_engine, transaction
from storage.migrate import upgrade
from storage.tables import metadata
from tests.support.postgres import Databases


async def test_concurrent_and_repeated_runs_end_in_the_same_tables(databases: Databases) -> None:
    """Processes that migrate an empty database at once, and again later, all succeed and leave one schema."""
    url = await databases.empty()
    await asyncio.gather(*(asyncio.to_thread(upgrade, url) for _ in range(3)))
    await asyncio.to_thread(upgrade, url)
    engine = create_engine(url)
    async with transaction(engine) as connection:
        for table in metadata.sorted_tables:
            assert await connection.scalar(select(func.count()).select_from(table)) == 0
    await engine.dispose()


async def test_migrations_make_what_the_tables_say(postgres_url: str) -> None:
    """The migrations end in exactly the tables, columns, indexes and comments that `storage.tables` declares."""

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        return list(compare_metadata(context, metadata))

    engine = create_engine(postgres_url)
    async with transaction(engine) as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()
