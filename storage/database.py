"""How every process of Ombud reaches Postgres: one kind of engine, and outages in one clear message."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import lru_cache
from time import monotonic
from typing import Any

import asyncpg
from sqlalchemy import Executable, Row, event, make_url
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.util import greenlet_spawn

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 60
POOL_SECONDS = 10
TRUSTED_SECONDS = 1
"""A connection that answered so short a while ago is used without being asked first whether it is still there: to ask
takes three round trips, as many as a transaction of one statement."""


class PostgresUnreachableError(Exception):
    """Postgres does not answer; the message says where it was looked for and which setting moves it."""


class SchemaMissingError(Exception):
    """Postgres answers, but its tables are missing or of another version of Ombud."""


def create_engine(
    url: str, *, connections: int = 10, statement_seconds: float | None = STATEMENT_SECONDS
) -> AsyncEngine:
    """An engine of at most `connections` connections, made when they are needed. One a process and event loop.

    A statement that takes longer than `statement_seconds` counts as an outage; None lets it take what it needs.
    """
    engine = create_async_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        hide_parameters=True,  # an error must not carry what somebody wrote into a log
        connect_args={
            "timeout": CONNECT_SECONDS,
            "command_timeout": statement_seconds,
            "server_settings": {"application_name": "ombud", "timezone": "UTC"},
        },
    )
    _ask_idle_connections(engine)
    return engine


def _ask_idle_connections(engine: AsyncEngine) -> None:
    """Replace a connection that rested and is gone, a restarted Postgres's say, and with it all that are as old."""

    @event.listens_for(engine.sync_engine, "checkin")
    def rests(_: Any, record: Any) -> None:
        record.info["rests_since"] = monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def wakes(connection: Any, record: Any, _: Any) -> None:
        since = record.info.get("rests_since")
        if since is None or monotonic() - since < TRUSTED_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except Exception as error:
            raise InvalidatePoolError from error


Way = Callable[[AsyncEngine], AbstractAsyncContextManager[AsyncConnection]]
"""`transaction` or `questions`."""


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection whose work is committed at the end, or not at all when anything is raised.

    Raises PostgresUnreachableError and SchemaMissingError in place of the driver's many ways to say so.
    """
    async with _connection(engine) as connection, connection.begin():
        yield connection


@asynccontextmanager
async def questions(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection to ask single statements, each a transaction of its own: one round trip where `transaction` has
    three. Raises what it raises."""
    async with _connection(_autocommitting(engine)) as connection:
        yield connection


@lru_cache
def _autocommitting(engine: AsyncEngine) -> AsyncEngine:
    """The same engine and pool; made once, since to make it costs as much as a question."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


async def ask(engine: AsyncEngine, statement: Executable, values: Mapping[str, Any]) -> Sequence[Row[Any]]:
    """All rows of one statement, a transaction of its own, for what is asked so often that it shows: the connection is
    taken, used and given back without a turn of the event loop between, which takes a quarter less of the processor
    than `questions` does. Raises what `transaction` raises."""

    def asked() -> Sequence[Row[Any]]:
        with _autocommitting(engine).sync_engine.connect() as connection:
            return connection.execute(statement, values).all()

    try:
        return await greenlet_spawn(asked)
    except (*_REPORTED, OSError, asyncpg.InterfaceError) as error:
        raise _clear(engine, error) from None


@asynccontextmanager
async def _connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    connected = False
    try:
        async with engine.connect() as connection:
            connected = True
            yield connection
    except _REPORTED as error:
        raise _clear(engine, error) from None
    except (OSError, asyncpg.InterfaceError) as error:
        if connected:  # the caller's own, such as a file that is not there, or a reader of what it prints that is gone
            raise
        raise _clear(engine, error) from None


_REPORTED = (TimeoutError, PoolTimeoutError, asyncpg.PostgresError, DBAPIError)
"""As what SQLAlchemy and its driver report trouble, whatever the connection is used for."""


def _clear(engine: AsyncEngine, error: Exception) -> Exception:
    """The error people can act on, or the same one when it is a bug of ours and no outage."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    cause = getattr(origin, "__cause__", None) or origin
    if isinstance(cause, asyncpg.UndefinedTableError | asyncpg.UndefinedColumnError):
        return SchemaMissingError(
            f"The tables in Postgres are not those of this version of Ombud ({cause}). Run `ombud migrate`."
        )
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    if lost or isinstance(cause, _OUTAGES):
        url = make_url(engine.url)
        said = str(cause) or type(cause).__name__
        return PostgresUnreachableError(
            f"Postgres does not answer at {url.host}:{url.port or 5432}/{url.database} as {url.username}: {said}\n"
            "Start it (on one machine: `ombud up`) or set OMBUD_DATABASE_URL to where it is."
        )
    return error


_OUTAGES = (
    OSError,  # refused, unknown host, timed out
    PoolTimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,  # starting up, shutting down, ended by an administrator
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby
)
