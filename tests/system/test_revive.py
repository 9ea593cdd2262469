"""Complaints that Temporal lost live on from their ledger (invariant 18)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import WorkflowExecutionStatus, WorkflowHandle

from starter.client import Ombud
from tests.support.smtp import SmtpSink
from tests.support.system import System
from tests.support.wait import eventually


async def test_a_lost_complaint_is_revived_and_nobody_is_told_twice(system: System, smtp_sink: SmtpSink) -> None:
    """Terminated with a miss on record: its clocks stand as they were, its keys hold, and no mail leaves again."""
    received = datetime.now(UTC) - timedelta(days=4)
    handle = await system.open("maintenance-service", "L-1", level="2", kind="complaint", received_at=received)
    await handle.execute_update("note", {"text": "Before.", "key": "k1"})
    await eventually(lambda: system.rows("SELECT 1 FROM ledger WHERE type = 'noted'"))
    await eventually(lambda: system.rows("SELECT 1 FROM notices WHERE accepted_at IS NOT NULL"))
    await eventually(lambda: _none_waits(system))
    before = await system.rows("SELECT * FROM clocks ORDER BY obligation")
    mails = len(smtp_sink.messages)
    await handle.terminate("the server lost it")

    ombud = Ombud(system.client, system.engine, task_queue=system.settings.task_queue)
    assert not await ombud.runs("maintenance-service/L-1")
    await ombud.revive("maintenance-service/L-1")
    await ombud.revive("maintenance-service/L-1")
    again = system.client.get_workflow_handle(handle.id)
    taken = await again.execute_update("note", {"text": "Before.", "key": "k1"})
    assert taken["seq"] == next(
        row["seq"] for row in await system.rows("SELECT seq FROM ledger WHERE type = 'noted' AND stream LIKE '%L-1'")
    )
    await again.execute_update("respond", {"text": "We are back."})
    await eventually(lambda: system.rows("SELECT 1 FROM ledger WHERE type = 'responded'"))
    assert await system.rows("SELECT * FROM clocks ORDER BY obligation") != before
    await eventually(lambda: _none_waits(system))
    assert len(smtp_sink.messages) == mails
    entries = await system.rows("SELECT seq FROM ledger WHERE stream LIKE '%L-1' ORDER BY seq")
    assert [row["seq"] for row in entries] == list(range(1, len(entries) + 1))


async def test_what_never_was_cannot_be_revived(system: System) -> None:
    """A revival of an unknown complaint ends with one clear failure."""
    ombud = Ombud(system.client, system.engine, task_queue=system.settings.task_queue)
    await ombud.revive("maintenance-service/never")
    handle = system.client.get_workflow_handle("complaint/maintenance-service/never")
    described = await eventually(lambda: _ended(handle))
    assert described == "FAILED"


async def _none_waits(system: System) -> bool:
    return not await system.rows("SELECT 1 FROM notices WHERE state IN ('planned', 'claimed')")


async def _ended(handle: WorkflowHandle[Any, Any]) -> str:
    status = (await handle.describe()).status
    return status.name if status and status != WorkflowExecutionStatus.RUNNING else ""
