"""Storage on a real Postgres: an engine on this test's own database, and a vault."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.content import Vault
from storage.database import create_engine

MASTER_KEY = bytes(range(32))


@pytest.fixture
async def engine(postgres_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on a migrated, empty database."""
    made = create_engine(postgres_url)
    yield made
    await made.dispose()


@pytest.fixture
def vault() -> Vault:
    """A vault under a fixed master key."""
    return Vault(MASTER_KEY)
