"""Ombud as whoever operates it sees it: a system with a worker that tells Prometheus of itself, and its HTTP server."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from deploy.ports import free_port
from settings import Settings
from starter.client import Ombud
from starter.serve import application
from telemetry import runtime
from temporal_client import DATA_CONVERTER
from tests.support.system import System, running

Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]
"""Metric name to labels, in order, to value."""


def samples(text: str) -> Samples:
    """What an answer in Prometheus' text format says."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
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

    async def of_serve(self) -> Samples:
        """What `ombud serve` tells."""
        answer = await self.browser.get("/metrics")
        assert answer.status_code == 200, answer.text
        return samples(answer.text)

    async def of_worker(self) -> Samples:
        """What the worker tells."""
        async with httpx.AsyncClient() as browser:
            return samples((await browser.get(f"http://{self.worker}/metrics")).text)


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
