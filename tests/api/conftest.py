"""The HTTP API on a running Ombud."""

from collections.abc import AsyncIterator

import pytest

from tests.support.front import Api, serving
from tests.support.system import System


@pytest.fixture
async def api(system: System) -> AsyncIterator[Api]:
    """The API of this test's own system."""
    async with serving(system) as made:
        yield made
