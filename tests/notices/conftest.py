"""A post office of each test's own."""

from collections.abc import AsyncIterator

import pytest
from temporalio.testing import WorkflowEnvironment

from settings import Settings
from tests.support.desk import Desk, opened
from tests.support.smtp import SmtpSink


@pytest.fixture
async def desk(temporal_env: WorkflowEnvironment, settings: Settings, smtp_sink: SmtpSink) -> AsyncIterator[Desk]:
    """A post office on a real Postgres, a real mail server and a real Temporal, with complaints that only listen."""
    async with opened(temporal_env.client, settings, smtp_sink) as made:
        yield made
