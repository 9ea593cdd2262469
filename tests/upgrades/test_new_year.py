"""The calendar of a new year is published: hundreds of open complaints are re-planned, once each, while all runs."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from activities.interface import Counts, circular_id
from bench.replan import YEAR, contract, opened, put_in_force
from rules.calendar_years import Years
from rules.values import Actor
from settings import Settings
from starter import replanning
from starter.circulars import carry
from starter.client import Ombud
from storage.rebuild import rebuild
from tests.support.system import running

pytestmark = pytest.mark.timeout(300)

OPEN = 300
IN_MEMORY = 75
"""Complaints that the worker keeps: most have to be replayed before they can be re-planned, as in a large system."""
LEAD = Actor(role="handler.manager", person="p.wang")


async def test_every_open_complaint_is_re_planned_once(temporal_env: WorkflowEnvironment, settings: Settings) -> None:
    """Each provisional due becomes final, by an entry that is signed; progress is told; nobody restarts anything; other
    commands are answered meanwhile; a second run finds nobody, and a circular sent anyway changes nothing."""
    own = settings.model_copy(update={"task_queue": f"ombud-{uuid.uuid4().hex[:12]}", "worker_cache": IN_MEMORY})
    async with running(temporal_env.client, own) as system:
        ombud = Ombud(system.client, system.engine, task_queue=own.task_queue)
        await put_in_force(system, contract(knows=False), datetime.now(UTC) - timedelta(days=400))
        await opened(system, OPEN)
        provisional = "SELECT count(*) AS n FROM clocks WHERE provisional"
        assert await system.rows(provisional) == [{"n": OPEN}]
        await put_in_force(system, contract(knows=True), datetime.now(UTC))
        years = await _years(ombud, OPEN)
        start = replanning.circular("small", years, LEAD, "The notice of the State Council.")
        seen: list[Counts] = []
        carrying = asyncio.create_task(carry(ombud, start, "new-year", seen.append))
        note = system.client.get_workflow_handle("complaint/small/P-000007").execute_update("note", {"text": "Hello."})
        await note
        carried = await carrying
        assert (carried.complaints, carried.taken) == (OPEN, OPEN)
        assert len(seen) >= 3, "told how far it is, not only that it ended"
        assert [counts.open for counts in seen] == sorted((counts.open for counts in seen), reverse=True)
        entries = "SELECT stream, body #>> '{by,person}' AS by FROM ledger WHERE type = 'replanned'"
        rows = await system.rows(entries)
        assert (len(rows), len({row["stream"] for row in rows}), {row["by"] for row in rows}) == (
            OPEN,
            OPEN,
            {"p.wang"},
        )
        assert await system.rows("SELECT replans, count(*) AS n FROM clocks WHERE replans > 0 GROUP BY 1") == [
            {"replans": 1, "n": OPEN}
        ]
        assert await system.rows(f"{provisional} AND extract(year FROM due_at) = {YEAR}") == [{"n": 0}]
        assert await _years(ombud, 0) == {}
        again = await carry(ombud, start, "new-year-again")
        assert (again.complaints, again.taken) == (0, 0)
        assert len(await system.rows(entries)) == OPEN
        assert await rebuild(system.engine, apply=False) == []
        assert await _silences(system.client.get_workflow_handle(circular_id("new-year"))) == {
            "address": 45,
            "send": 45,
            "finish": 45,
        }


async def _silences(handle: Any) -> dict[str, int]:
    """Seconds after which each activity's worker is taken for dead."""
    return {
        scheduled.activity_type.name: scheduled.heartbeat_timeout.seconds
        async for event in handle.fetch_history_events()
        if (scheduled := event.activity_task_scheduled_event_attributes).activity_type.name
    }


async def _years(ombud: Ombud, behind: int) -> Years:
    async with ombud.reading() as connection:
        found = await replanning.outstanding(connection, "small")
    assert len(found.behind) == behind
    return found.years
