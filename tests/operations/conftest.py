"""Ombud as whoever operates it sees it: a system with a worker that tells Prometheus of itself, and its HTTP server."""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from deploy.ports import free_port
from settings import Settings
from starter.client import Ombud
from starter.serve import application
from telemetry.metrics import runtime
from tests.support.system import System, running
from wire.client import DATA_CONVERTER

LINE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]
"""Metric name to labels, in order, to value."""


def samples(text: str) -> Samples:
    """What an answer in Prometheus' text format says, under the names as they stand: a library would add endings."""
    found: Samples = {}
    for line in text.splitlines():
        if parts := LINE.fullmatch(line):
            having = tuple(sorted(LABEL.findall(parts[2] or "")))
            found.setdefault(parts[1], {})[having] = float(parts[3])
    return found


def total(found: Samples, name: str, **labels: str) -> float:
    """The sum of a metric over everything that has these labels."""
    wanted = set(labels.items())
    return sum(value for having, value in found.get(name, {}).items() if wanted <= set(having))


@dataclass
class Watched:
    """A system, and where its numbers are read."""

    system: System
    browser: httpx.AsyncClient
    worker: str

    async def of_serve(self, *, fresh: bool = False) -> Samples:
        """What `ombud serve` tells; fresh when it must not be of a moment ago."""
        if fresh:
            async with http(self.system) as browser:
                return samples((await browser.get("/metrics")).text)
        answer = await self.browser.get("/metrics")
        assert answer.status_code == 200, answer.text
        return samples(answer.text)

    async def of_worker(self) -> Samples:
        """What the worker tells."""
        async with httpx.AsyncClient() as browser:
            return samples((await browser.get(f"http://{self.worker}/metrics")).text)

    async def of_worker_has(self, name: str) -> bool:
        """Whether the worker tells this yet."""
        return name in await self.of_worker()


def http(system: System, host: str = "127.0.0.1") -> httpx.AsyncClient:
    """A browser at the HTTP server of this system, asking from `host`."""
    app = application(
        system.engine, Ombud(system.client, system.engine, task_queue=system.settings.task_queue), system.settings
    )
    transport = httpx.ASGITransport(app=app, client=(host, 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://ombud.test")


@pytest.fixture
async def watched(temporal_env: WorkflowEnvironment, settings: Settings) -> AsyncIterator[Watched]:
    """A system of this test's own whose worker listens for Prometheus."""
    address = f"127.0.0.1:{free_port()}"
    own = settings.model_copy(update={"task_queue": f"ombud-{uuid.uuid4().hex[:12]}", "worker_metrics": address})
    client = await Client.connect(
        temporal_env.client.service_client.config.target_host, data_converter=DATA_CONVERTER, runtime=runtime(own)
    )
    async with running(client, own) as system, http(system) as browser:
        yield Watched(system, browser, address)
