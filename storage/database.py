"""How every process of Ombud reaches Postgres: one kind of engine, and outages in one clear message."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 60
POOL_SECONDS = 10


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
    return create_async_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,  # an error must not carry what somebody wrote into a log
        connect_args={
            "timeout": CONNECT_SECONDS,
            "command_timeout": statement_seconds,
            "server_settings": {"application_name": "ombud", "timezone": "UTC"},
        },
    )


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection whose work is committed at the end, or not at all when anything is raised.

    Raises PostgresUnreachableError and SchemaMissingError in place of the driver's many ways to say so.
    """
    connected = False
    try:
        async with engine.begin() as connection:
            connected = True
            yield connection
    except (TimeoutError, ConnectionError, PoolTimeoutError, asyncpg.PostgresError, DBAPIError) as error:
        raise _clear(engine, error) from None
    except (OSError, asyncpg.InterfaceError) as error:
        if connected:  # the caller's own, such as a file that is not there
            raise
        raise _clear(engine, error) from None


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
