"""Postgres and the mail server fail together, and nothing but records and mails has to wait for them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import make_url
from temporalio.testing import WorkflowEnvironment

from settings import Settings
from storage.database import transaction
from storage.stuck import stuck
from tests.support.people import everybody
from tests.support.proxy import Proxy
from tests.support.recorded import published
from tests.support.smtp import SmtpSink
from tests.support.story import SMALL, law
from tests.support.system import System, running
from tests.support.wait import eventually

SECONDS = SMALL["obligations"]["first_response"] | {
    "due": "2 seconds",
    "ladder": [
        {"at": "due", "tell": "handler.manager"},
        {"after": "1 second", "tell": "handler.director", "unless": "acknowledged"},
        {"after": "2 seconds", "tell": "handler.owner"},
    ],
}


async def test_clocks_and_commands_go_on_while_nobody_can_record_or_send(
    temporal_env: WorkflowEnvironment, settings: Settings, smtp_sink: SmtpSink
) -> None:
    """Invariant 15: in an outage commands are answered, misses judged; what waits is listed, then all leaves once."""
    url = make_url(settings.database_url)
    proxy = Proxy(url.port or 5432)
    await proxy.start()
    through = url.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
    own = settings.model_copy(update={"database_url": through, "task_queue": f"ombud-{uuid.uuid4().hex[:12]}"})
    async with running(temporal_env.client, own) as system:
        await everybody(system)
        async with transaction(system.engine) as connection:
            await published(connection, law(obligations={"first_response": SECONDS}).contract)
        handle = await system.open("small")
        await handle.execute_update("note", {"text": "Before."})
        await proxy.cut()
        await smtp_sink.stop()
        for number in range(3):
            await handle.execute_update("note", {"text": f"Away {number}."})
        case = await eventually(lambda: _all_told(handle))
        assert case["clocks"][0]["status"] == "missed"
        await proxy.start()
        await eventually(lambda: _waiting(system, 3))
        await eventually(lambda: system.rows("SELECT 1 FROM messages WHERE attempts > 0"))
        assert smtp_sink.messages == []
        await smtp_sink.start()
        await eventually(lambda: _accepted(system, 3), 60)
        sent = [str(mail.message["Message-ID"]) for mail in smtp_sink.messages]
        carried = await system.rows("SELECT DISTINCT message FROM notices")
        assert len(sent) == len(set(sent)) == len(carried)
        ledger = await system.rows("SELECT seq, type FROM ledger WHERE stream LIKE 'complaint/%' ORDER BY seq")
        assert [row["seq"] for row in ledger] == list(range(1, case["seq"] + 1))
        assert [row["type"] for row in ledger].count("noted") == 4
        await handle.terminate()
    await proxy.cut()


async def test_mail_servers_that_hang_keep_no_place_from_records(
    temporal_env: WorkflowEnvironment, settings: Settings, smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many talks hang as a worker has at a time: what is commanded meanwhile comes on record all the same."""
    monkeypatch.setattr("worker.MAILS", 1)
    own = settings.model_copy(update={"task_queue": f"ombud-{uuid.uuid4().hex[:12]}"})
    smtp_sink.go_on.clear()
    async with running(temporal_env.client, own) as system:
        await everybody(system)
        async with transaction(system.engine) as connection:
            await published(connection, law(obligations={"first_response": SECONDS}).contract)
        handle = await system.open("small", "HANGS-1")
        await eventually(lambda: _waiting(system, 3))
        await eventually(lambda: smtp_sink.attempts)
        await handle.execute_update("note", {"text": "Meanwhile."})
        await eventually(lambda: system.rows("SELECT 1 FROM ledger WHERE type = 'noted'"), 10)
        assert (smtp_sink.attempts, smtp_sink.messages) == (1, []), "the others wait for a place of their own"
        smtp_sink.go_on.set()
        await eventually(lambda: _accepted(system, 3))
        await handle.terminate()


async def _all_told(handle: Any) -> dict[str, Any] | None:
    """The complaint once its whole ladder has been reached, with Postgres away."""
    case: dict[str, Any] = await handle.query("state")
    return case if case["clocks"] and all(rung["reached"] for rung in case["clocks"][0]["rungs"]) else None


async def _waiting(system: System, count: int) -> bool:
    """Whether so many notices stand in the queue that people see."""
    async with transaction(system.engine) as connection:
        found = await stuck(connection, datetime.now(UTC), waiting=timedelta(), past=timedelta(days=1))
    return sum(item.what == "waiting notice" for item in found) == count


async def _accepted(system: System, count: int) -> bool:
    return len(await system.rows("SELECT 1 FROM notices WHERE state = 'accepted'")) == count
