"""Traces: one thread from whoever asks through Temporal to the activities, and no span as long as a complaint."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from rules.commands import Respond
from settings import Settings
from starter.client import Ombud
from telemetry import tracing
from tests.operations.conftest import http
from tests.starter.conftest import command_line, environment, opening
from tests.support.system import System, running
from tests.support.wait import eventually
from wire.client import DATA_CONVERTER


@dataclass
class Traced:
    """A system whose spans are kept."""

    system: System
    spans: InMemorySpanExporter

    def named(self, name: str) -> list[ReadableSpan]:
        """The spans of a name, as they ended."""
        return [span for span in self.spans.get_finished_spans() if span.name == name]

    async def one(self, name: str) -> ReadableSpan:
        """The span of a name, once there is one."""
        found: list[ReadableSpan] = await eventually(lambda: self.named(name))
        return found[0]


@pytest.fixture
async def traced(temporal_env: WorkflowEnvironment, settings: Settings) -> AsyncIterator[Traced]:
    """A system that traces into memory."""
    spans = InMemorySpanExporter()
    tracing.start("test", SimpleSpanProcessor(spans))
    own = settings.model_copy(update={"task_queue": f"ombud-{uuid.uuid4().hex[:12]}"})
    target = temporal_env.client.service_client.config.target_host
    client = await Client.connect(target, data_converter=DATA_CONVERTER, interceptors=tracing.interceptors())
    async with running(client, own) as system:
        yield Traced(system, spans)
    tracing.stop()


def trace(span: ReadableSpan) -> int:
    assert span.context
    id_: int = span.context.trace_id
    return id_


async def test_one_thread_from_the_command_to_the_activity(traced: Traced) -> None:
    """Command, start, workflow and activity share a trace; an update is a trace of its own that its moment links to."""
    system = traced.system
    ombud = Ombud(system.client, system.engine, task_queue=system.settings.task_queue)
    start = opening(content="My secret is Rosebud.")
    with tracing.command("ombud open"):
        opened = await ombud.open(start)
    asked = await traced.one("ombud open")
    for name in ("StartWorkflow:Complaint", "RunWorkflow:Complaint", "StartActivity:open", "RunActivity:open"):
        assert trace(await traced.one(name)) == trace(asked)
    with tracing.command("ombud tell"):
        await ombud.tell(opened.complaint, Respond(text="Rosebud is safe."))
    told = await traced.one("StartWorkflowUpdate:respond")
    assert trace(told) == trace(await traced.one("ombud tell")) != trace(asked)
    handled = await traced.one("HandleUpdate:respond")
    assert trace(handled) == trace(asked)
    assert told.context
    assert [link.context.span_id for link in handled.links] == [told.context.span_id]

    await traced.one("RunActivity:record")
    workflow = [s for s in traced.spans.get_finished_spans() if s.name.startswith(("RunWorkflow", "Handle"))]
    assert workflow
    assert all(span.start_time == span.end_time for span in workflow)  # moments: the complaint itself lives on
    assert await ombud.runs(opened.complaint)
    assert not [span for span in traced.spans.get_finished_spans() if "Rosebud" in span.to_json()]


async def test_what_is_mailed_hangs_on_what_caused_it(traced: Traced) -> None:
    """The record of a rung starts the delivery of its notice: record, Post and deliver share a trace."""
    await traced.system.open("demo")
    delivered = await traced.one("RunActivity:deliver")
    assert trace(await traced.one("SignalWithStartWorkflow:Post")) == trace(delivered)
    assert trace(delivered) in {trace(span) for span in traced.named("RunActivity:record")}


async def test_a_request_goes_on_with_the_trace_of_whoever_asks(traced: Traced) -> None:
    """The header of W3C is taken over, baggage is not, and a secret address shows as its pattern."""
    caller = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{caller}-b7ad6b7169203331-01", "baggage": "customer=Zhang"}
    async with http(traced.system) as browser:
        await browser.get("/healthz", headers=headers)
        await browser.get("/a/a-secret-of-somebody")
    health = await traced.one("GET /healthz")
    assert f"{trace(health):032x}" == caller
    assert health.attributes == {
        "http.request.method": "GET",
        "http.route": "/healthz",
        "http.response.status_code": 200,
    }
    said = "".join(span.to_json() for span in traced.spans.get_finished_spans())
    assert "a-secret-of-somebody" not in said
    assert "Zhang" not in said


class Collector:
    """Somebody who is sent spans over HTTP."""

    def __init__(self) -> None:
        self.got: list[bytes] = []

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-length")
        )
        self.got.append(head + await reader.readexactly(length))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()


async def test_the_command_line_sends_its_spans(system: System, tmp_path: Path) -> None:
    """With an endpoint a command's spans arrive before it ends; its arguments are not among them."""
    collector = Collector()
    server = await asyncio.start_server(collector.talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    cli = command_line(environment(system.settings, system.client.service_client.config.target_host), tmp_path)
    ended = await cli(
        *("open", "--contract", "demo", "--reference", "T-1", "--kind", "enquiry", "--channel", "chat"),
        *("--content", "My secret is Rosebud."),
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
        OTEL_EXPORTER_OTLP_COMPRESSION="none",
    )
    server.close()
    assert ended.code == 0, ended.err
    sent = b"".join(collector.got)
    assert b"POST /v1/traces" in sent
    assert b"StartWorkflow:Complaint" in sent
    assert b"ombud open" in sent
    assert b"Rosebud" not in sent


async def test_it_is_off_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an endpoint nothing is traced, and nothing of OpenTelemetry's machinery is loaded."""
    for name in tracing.ENDPOINTS:
        monkeypatch.delenv(name, raising=False)
    tracing.start("test")
    assert tracing.interceptors() == []
    program = "import sys; from telemetry import tracing; tracing.start('x'); print('opentelemetry.sdk' in sys.modules)"
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=pipe)
    out, _ = await process.communicate()
    assert out.strip() == b"False"
