"""A worker for complaints whose neighbours are in memory."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from tests.support.memory import Memory
from workflows.complaint import Complaint


@pytest.fixture
async def memory() -> Memory:
    return Memory()


@pytest.fixture
async def queue(temporal_env: WorkflowEnvironment, memory: Memory) -> AsyncIterator[str]:
    """A worker on the wall's clock, by the name of its task queue."""
    name = f"q-{uuid.uuid4()}"
    async with Worker(temporal_env.client, task_queue=name, workflows=[Complaint], activities=memory.activities):
        yield name
