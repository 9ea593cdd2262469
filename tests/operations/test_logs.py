"""What processes write: an object a line on demand, each with the complaint it is about, and nothing personal."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from settings import Settings
from starter.client import Ombud
from storage.database import create_engine
from telemetry import logs
from tests.starter.conftest import environment
from tests.support.proxy import Proxy
from tests.support.system import ROOT, System, publish
from tests.support.wait import eventually


class Process:
    """A process whose lines are read as they come."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def read(self) -> None:
        assert self.process.stderr
        while line := await self.process.stderr.readline():
            self.lines.append(line.decode().rstrip())

    def objects(self) -> list[dict[str, Any]]:
        """Every line as an object; a line that is none fails the test."""
        return [json.loads(line) for line in self.lines]


@asynccontextmanager
async def worker(settings: Settings, temporal: str, **more: str) -> AsyncIterator[Process]:
    """A worker as a process of its own."""
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker"),
        cwd=ROOT,
        env=environment(settings, temporal) | more,
        stderr=asyncio.subprocess.PIPE,
    )
    process = Process(started)
    reading = asyncio.create_task(process.read())
    yield process
    if started.returncode is None:
        started.terminate()
    await started.wait()
    await reading


async def test_a_worker_writes_an_object_a_line(temporal_env: WorkflowEnvironment, settings: Settings) -> None:
    """A miss names its complaint, the SDK's own machinery writes in the same form, and nobody's words get out."""
    own = settings.model_copy(update={"task_queue": f"ombud-{uuid.uuid4().hex[:12]}"})
    engine = create_engine(own.database_url)
    await publish(engine)
    proxy = Proxy(int(temporal_env.client.service_client.config.target_host.rpartition(":")[2]))
    await proxy.start()
    async with worker(own, f"127.0.0.1:{proxy.port}", OMBUD_LOG_FORMAT="json") as process:
        await eventually(lambda: any("working on task queue" in line for line in process.lines))
        system = System(temporal_env.client, engine, own)
        await system.open("demo", "L-1", content="My secret is Rosebud.", complainant={"id": "Zhang-4711"})
        await eventually(lambda: any("missed: first_response#1" in line for line in process.lines))
        missed = next(found for found in process.objects() if found["message"].startswith("missed: first_response"))
        assert (missed["complaint"], missed["level"], missed["workflow_type"]) == ("demo/L-1", "INFO", "Complaint")
        assert set(missed) <= set(logs.FIELDS)
        await proxy.cut()
        await eventually(lambda: any(found["logger"].startswith(logs.CORE) for found in process.objects()))
        await proxy.start()
    await proxy.cut()
    await engine.dispose()
    assert process.objects()
    for word in ("Rosebud", "Zhang-4711", "@example.com"):
        assert not [line for line in process.lines if word in line]


async def test_lines_are_for_people_unless_asked_otherwise(
    temporal_env: WorkflowEnvironment, settings: Settings
) -> None:
    """By default a line is read by people, and a level that was asked for is kept."""
    own = settings.model_copy(update={"task_queue": f"ombud-{uuid.uuid4().hex[:12]}"})
    target = temporal_env.client.service_client.config.target_host
    async with worker(own, target) as process:
        await eventually(lambda: any(" INFO working on task queue" in line for line in process.lines))
    async with worker(own, target, OMBUD_LOG_LEVEL="noise") as process:
        assert await process.process.wait() == 2
    assert "OMBUD_LOG_LEVEL" in process.lines[0]


async def test_a_request_is_about_its_complaint(system: System) -> None:
    """Whoever tells or reads a complaint has it on every line from then on, and another request has not."""
    heard: list[str] = []
    formatter = logs.Json()

    async def request(complaint: str | None) -> None:
        if complaint:
            await Ombud(system.client, system.engine, task_queue=system.settings.task_queue).runs(complaint)
        record = logging.LogRecord("ombud.test", logging.INFO, __file__, 1, "here", (), None)
        heard.append(json.loads(formatter.format(record)).get("complaint", "none"))

    for complaint in ("demo/A", "demo/B", None):
        await asyncio.create_task(request(complaint))
    assert heard == ["demo/A", "demo/B", "none"]


def test_only_known_fields_get_out() -> None:
    """Whatever a library hangs onto a record stays there; an error keeps its kind and its trace."""
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "it %s", ("broke",), None)
    record.customer = "Zhang"
    try:
        raise KeyError("a")
    except KeyError:
        record.exc_info = sys.exc_info()
    found = json.loads(logs.Json().format(record))
    assert set(found) == {"time", "level", "logger", "message", "error", "exc_info"}
    assert (found["message"], found["error"]) == ("it broke", "KeyError")
    assert "Traceback" in found["exc_info"]


@pytest.mark.parametrize("told", ["temporal_workflow", "temporal_activity"])
def test_what_the_sdk_knows_is_kept(told: str) -> None:
    """Lines of a workflow and of its activities name the complaint by their workflow's id; a Post has none."""
    for workflow, complaint in (("complaint/demo/R-1", "demo/R-1"), ("post/email/cy", None)):
        record = logging.LogRecord("x", logging.INFO, __file__, 1, "here", (), None)
        setattr(record, told, {"workflow_id": workflow, "attempt": 2})
        found = json.loads(logs.Json().format(record))
        assert (found.get("complaint"), found["workflow_id"], found["attempt"]) == (complaint, workflow, 2)
