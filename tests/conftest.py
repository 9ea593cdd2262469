"""The neighbours of Ombud as fixtures: a real Temporal, a real Postgres, a real mail server."""

import base64
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import settings as hypothesis
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment

from settings import Settings
from storage.database import create_engine
from tests.support.postgres import Databases, cluster
from tests.support.smtp import SmtpSink
from tests.support.system import System, running
from tests.support.temporal import start_real, start_virtual
from workflows.search_attributes import ALL

# How long an example takes is a matter for benchmarks: a busy machine is no failure.
hypothesis.register_profile("untimed", deadline=None)
hypothesis.load_profile("untimed")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the figures that tests recorded: how much was tried, and what came of it."""
    for report in terminalreporter.getreports("passed"):
        if report.when == "call" and report.user_properties:
            said = ", ".join(f"{name} {value}" for name, value in report.user_properties)
            terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {said}")


@pytest.fixture(scope="session")
def search_attributes() -> list[SearchAttributeKey[Any]]:
    """What both Temporal servers know from their start."""
    return list(ALL)


@pytest.fixture(scope="session")
async def temporal_env(
    search_attributes: list[SearchAttributeKey[Any]],
) -> AsyncIterator[WorkflowEnvironment]:
    """A Temporal server on the wall's clock. Use a task queue and workflow ids of your own."""
    async with await start_real(search_attributes) as env:
        yield env


@pytest.fixture(scope="session")
async def time_skipping_env(
    search_attributes: list[SearchAttributeKey[Any]],
) -> AsyncIterator[WorkflowEnvironment]:
    """A Temporal server with a virtual clock per workflow: `await env.fast_forward(handle, delta)`."""
    async with await start_virtual(search_attributes) as env:
        yield env


@pytest.fixture(scope="session")
async def databases(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Databases]:
    """The running Postgres cluster: `await databases.fresh()` gives one more migrated database."""
    async with cluster(tmp_path_factory.mktemp("postgres") / "cluster") as made:
        yield made


@pytest.fixture
async def postgres_url(databases: Databases) -> str:
    """A database of this test's own, migrated and empty."""
    return await databases.fresh()


@pytest.fixture
async def engine(postgres_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on it."""
    made = create_engine(postgres_url)
    yield made
    await made.dispose()


@pytest.fixture
async def smtp_sink() -> AsyncIterator[SmtpSink]:
    """A mail server of this test's own."""
    sink = SmtpSink()
    await sink.start()
    yield sink
    await sink.stop()


@pytest.fixture
def settings(postgres_url: str, smtp_sink: SmtpSink) -> Settings:
    """Settings that lead to this test's database and mail server."""
    return Settings(
        database_url=postgres_url,
        smtp_host=smtp_sink.host,
        smtp_port=smtp_sink.port,
        mail_from="Ombud <ombud@example.com>",
        signing_key="a key for tests alone, 32 letters",
        master_key=base64.b64encode(bytes(range(32))).decode(),
    )


@pytest.fixture
async def system(temporal_env: WorkflowEnvironment, settings: Settings) -> AsyncIterator[System]:
    """The whole of Ombud at work on the wall's clock, with a task queue, a database and a mail server of its own."""
    own = settings.model_copy(update={"task_queue": f"ombud-{uuid.uuid4().hex[:12]}"})
    async with running(temporal_env.client, own) as made:
        yield made
