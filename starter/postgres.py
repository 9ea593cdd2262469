"""Postgres for a command that reads or repairs: settings, engine and errors in one step, without Temporal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from settings import Settings, SettingsError, load_settings
from starter.errors import Misconfigured, Unreachable
from storage.database import PostgresUnreachableError, SchemaMissingError, create_engine


def settings_in_force() -> Settings:
    """The settings. Raises Misconfigured when any is missing or wrong."""
    try:
        return load_settings()
    except SettingsError as error:
        raise Misconfigured(str(error)) from None


@asynccontextmanager
async def postgres(settings: Settings | None = None) -> AsyncIterator[AsyncEngine]:
    """An engine, closed at the end. Raises Unreachable where Postgres or its tables are missing."""
    engine = create_engine((settings or settings_in_force()).database_url)
    try:
        yield engine
    except (PostgresUnreachableError, SchemaMissingError) as error:
        raise Unreachable(str(error)) from None
    finally:
        await engine.dispose()
