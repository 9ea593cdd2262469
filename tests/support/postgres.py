"""One Postgres cluster a test run, and a fresh migrated database from it in a few milliseconds."""

import asyncio
import itertools
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from deploy import postgres
from deploy.ports import free_port
from storage.migrate import upgrade
from tests.support.wait import eventually

PASSWORD = "test"
TEMPLATE = "template_ombud"


class Databases:
    """The databases of one running cluster."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._numbers = itertools.count(1)

    async def fresh(self) -> str:
        """URL of a new database with every table and nothing in it."""
        name = f"test_{next(self._numbers)}"
        await self.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        return postgres.url(self._port, PASSWORD, name)

    async def empty(self) -> str:
        """URL of a new database without any table."""
        name = f"test_{next(self._numbers)}"
        await self.execute(f"CREATE DATABASE {name}")
        return postgres.url(self._port, PASSWORD, name)

    async def prepare(self) -> None:
        """Make the template that `fresh` copies, once the server answers."""
        await eventually(self._answers)
        await self.execute(f"CREATE DATABASE {TEMPLATE}")
        await asyncio.to_thread(upgrade, postgres.url(self._port, PASSWORD, TEMPLATE))

    async def execute(self, statement: str) -> None:
        """Run one statement in the cluster's first database."""
        connection = await asyncpg.connect(postgres.url(self._port, PASSWORD).replace("+asyncpg", ""))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def _answers(self) -> bool:
        try:
            await self.execute("SELECT 1")
        except (OSError, asyncpg.CannotConnectNowError):
            return False
        return True


@asynccontextmanager
async def cluster(folder: Path, *options: str, durable: bool = False) -> AsyncIterator[Databases]:
    """A cluster that runs while the context does and, unless `durable`, need not survive a power cut.

    `options` are more settings of Postgres, as `name=value`.
    """
    careless = () if durable else ("fsync=off", "full_page_writes=off")
    port = free_port()
    made = postgres.Cluster(folder, PASSWORD)
    command = made.command(port, "max_connections=200", *careless, *options)
    with (folder.parent / "postgres.log").open("wb") as log:
        server = await asyncio.create_subprocess_exec(
            *command, user=made.system_user, stdout=log, stderr=log, start_new_session=True
        )
    try:
        databases = Databases(port)
        await databases.prepare()
        yield databases
    finally:
        server.send_signal(signal.SIGINT)  # ends open connections too
        await server.wait()
