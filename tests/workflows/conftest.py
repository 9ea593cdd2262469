"""A worker for complaints whose neighbours are in memory."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.support.memory import Memory


@pytest.fixture
async def memory() -> Memory:
    return Memory()


@pytest.fixture
async def queue(temporal_env: WorkflowEnvironment, memory: Memory) -> AsyncIterator[str]:
    """A worker on the wall's clock, by the name of its task queue."""
    name = f"q-{uuid.uuid4()}"
    async with memory.serving(temporal_env.client, name):
        yield name
