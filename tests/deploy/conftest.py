"""A machine of a test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.machine import Machine


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    """A machine on which nothing runs before and after."""
    made = Machine(tmp_path)
    yield made
    if made.process is not None and made.process.returncode is None:
        await made.stop(made.process)
