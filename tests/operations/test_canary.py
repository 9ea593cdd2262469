"""The canary in a running system: what it proves, whom it tells, and that it is silent when something is broken."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from temporalio.testing import WorkflowEnvironment

from activities import canary as activities
from settings import Settings
from starter.canary import fly, schedule, schedule_id
from starter.errors import Refused
from storage.database import transaction
from storage.gauges import gauges
from tests.starter.conftest import command_line, environment
from tests.support.smtp import TRY_LATER, SmtpSink
from tests.support.system import System, running
from tests.support.wait import eventually


@dataclass
class Watcher:
    """A server outside that notes what it is asked for."""

    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK"
    asked: list[str] = field(default_factory=list)
    port: int = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(" ".join(head.split()[:2]))
        writer.write(self.answer)
        await writer.drain()
        writer.close()


@pytest.fixture
async def watcher() -> AsyncIterator[Watcher]:
    made = Watcher()
    server = await asyncio.start_server(made.talk, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


@pytest.fixture
async def watched(temporal_env: WorkflowEnvironment, settings: Settings, watcher: Watcher) -> AsyncIterator[System]:
    """A system whose canary tells the watcher."""
    url = f"http://127.0.0.1:{watcher.port}/ping/4711"
    own = settings.model_copy(update={"task_queue": f"ombud-{uuid.uuid4().hex[:12]}", "canary_url": url})
    async with running(temporal_env.client, own) as made:
        yield made


async def test_a_warning_that_arrives_is_told(watched: System, watcher: Watcher, smtp_sink: SmtpSink) -> None:
    """Its clock warned, its mail was accepted, the watcher was told once, nothing stays open, no figure counts it."""
    flown = await fly(watched.client, watched.settings.task_queue)
    assert watcher.asked == ["GET /ping/4711"]
    assert smtp_sink.messages[0].recipients == ("canary@example.com",)
    steps = {step["what"]: step["seconds"] for step in flown["steps"]}
    assert list(steps)[-1] == "in all"
    assert 3 <= steps["in all"] < 60
    assert all(seconds >= 0 for seconds in steps.values())
    closed = "SELECT 1 FROM complaints WHERE id = :id AND closed_reason = 'accepted'"
    await eventually(lambda: watched.rows(closed, id=flown["complaint"]))
    (now,) = await watched.rows("SELECT now() AS at")
    async with transaction(watched.engine) as connection:
        found = await gauges(connection, now["at"])
    assert not [gauge for gauge in found if gauge.labels.get("contract") == "canary"]
    (accepted,) = [gauge.value for gauge in found if gauge.name == "ombud_canary_accepted_timestamp_seconds"]
    assert 0 <= now["at"].timestamp() - accepted < 60


async def test_a_warning_that_does_not_arrive_is_told_as_a_failure(
    watched: System, watcher: Watcher, smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a mail server that takes nothing the watcher hears of a failure, never of a success."""
    monkeypatch.setattr(activities, "PATIENCE", 8)
    smtp_sink.default = TRY_LATER
    with pytest.raises(Refused, match=r"After 8 seconds the warning is not accepted: its notice is claimed\."):
        await fly(watched.client, watched.settings.task_queue)
    assert watcher.asked == ["GET /ping/4711/fail"]
    await eventually(lambda: watched.rows("SELECT 1 FROM complaints WHERE closed_at IS NOT NULL"))


async def test_a_contract_that_is_not_there(watched: System, watcher: Watcher) -> None:
    """Without its contract it says how to publish it; no complaint is started and the watcher hears of a failure."""
    async with transaction(watched.engine) as connection:
        await connection.exec_driver_sql("ALTER TABLE contract_versions DISABLE TRIGGER append_only")
        await connection.exec_driver_sql("DELETE FROM contract_versions WHERE contract = 'canary'")
    with pytest.raises(Refused, match=r"ombud contract publish contracts/canary\.yaml"):
        await fly(watched.client, watched.settings.task_queue)
    assert watcher.asked == ["GET /ping/4711/fail"]
    assert await watched.rows("SELECT 1 FROM rejects") == []


async def test_a_redirect_is_not_followed(watched: System, watcher: Watcher) -> None:
    """Whoever answers for the watcher cannot send the call elsewhere; it counts as not told."""
    elsewhere = f"http://127.0.0.1:{watcher.port}/elsewhere"
    watcher.answer = f"HTTP/1.1 302 Found\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n".encode()
    with pytest.raises(Refused, match="OMBUD_CANARY_URL answers 302"):
        await fly(watched.client, watched.settings.task_queue)
    assert set(watcher.asked) == {"GET /ping/4711"}


async def test_from_the_command_line(watched: System, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One now, with what each step took; regularly, another interval in its place, and no more."""
    variables = environment(watched.settings, watched.client.service_client.config.target_host)
    cli = command_line(variables, tmp_path_factory.mktemp("cli"))
    ran = await cli("canary", "run")
    assert ran.code == 0
    assert "accepted by the mail server" in ran.out
    assert "The watcher was told." in ran.out
    assert json.loads((await cli("canary", "run", "--json")).out)["watcher_told"]

    handle = watched.client.get_schedule_handle(schedule_id(watched.settings.task_queue))
    for every, seconds in (("1h", 3600), ("15m", 900)):
        assert (await cli("canary", "schedule", "--every", every)).code == 0
        (interval,) = (await handle.describe()).schedule.spec.intervals
        assert interval.every.total_seconds() == seconds
    assert "No canary flies" in (await cli("canary", "schedule", "--off")).out
    assert "None was scheduled" in (await cli("canary", "schedule", "--off")).out
    for wrong in (["--every", "1m"], ["--every", "often"], [], ["--every", "1h", "--off"]):
        assert (await cli("canary", "schedule", *wrong)).code == 1


async def test_the_schedule_flies(watched: System, watcher: Watcher) -> None:
    """What Temporal starts by the schedule is the same flight."""
    await schedule(watched.client, watched.settings.task_queue, timedelta(hours=1))
    handle = watched.client.get_schedule_handle(schedule_id(watched.settings.task_queue))
    await handle.trigger()
    await eventually(lambda: watcher.asked)
    assert watcher.asked == ["GET /ping/4711"]
    await handle.delete()


def test_an_address_that_is_none(settings: Settings) -> None:
    """The watcher is called over HTTP or not at all."""
    with pytest.raises(ValueError, match="must begin with https://"):
        Settings(**(settings.model_dump() | {"canary_url": "file:///etc/passwd"}))
