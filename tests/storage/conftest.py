"""Storage on a real Postgres: an engine on this test's own database, and a vault."""

import pytest

from storage.content import Vault

MASTER_KEY = bytes(range(32))


@pytest.fixture
def vault() -> Vault:
    """A vault under a fixed master key."""
    return Vault(MASTER_KEY)
