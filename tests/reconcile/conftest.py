"""Reconciliation against the whole of Ombud, on a real Temporal and a real Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest
from temporalio.service import RPCError
from temporalio.testing import ActivityEnvironment

from activities.circulars import Circulars
from activities.interface import Addressing, retention_id
from activities.schedule import keep_schedules
from rules.circular import Circular
from rules.ledger import digest
from starter.client import Ombud
from starter.reconcile.damage import Report
from starter.reconcile.run import Wanted, reconcile
from starter.reconcile.tails import tail
from storage.content import Vault
from tests.support.system import System
from tests.support.wait import eventually

Reconcile = Callable[..., Awaitable[Report]]


@pytest.fixture
async def settled(system: System) -> AsyncIterator[System]:
    """A system with its schedules, as a worker process makes them."""
    await keep_schedules(system.client, system.settings.task_queue)
    yield system
    with suppress(RPCError):  # a test deleted it
        await system.client.get_schedule_handle(retention_id(system.settings.task_queue)).delete()


@pytest.fixture
def run(settled: System) -> Reconcile:
    """`ombud reconcile` in this process, with a quick second look."""
    ombud = Ombud(settled.client, settled.engine, task_queue=settled.settings.task_queue)

    async def once(**wanted: Any) -> Report:
        how = Wanted(**{"second": 0.5, "patience": 20, **wanted})
        return await reconcile(ombud, settled.engine, Vault(settled.settings.keyring), how)

    return once


async def addressed(system: System, id_: str, circular: Circular, sent_at: datetime) -> Circulars:
    """Write down who is told of a circular, and no more; what would go on with it."""
    office = Circulars(system.engine, system.client, system.settings)
    addressing = Addressing(id=id_, circular=circular, digest=digest(circular), sent_at=sent_at)
    await ActivityEnvironment().run(office.address, addressing)
    return office


def found(report: Report) -> set[tuple[str, str]]:
    """Kind and place of everything that is wrong."""
    return {(damage.kind, damage.where) for damage in report.damages}


async def quiet(system: System) -> None:
    """Until nothing is under way: every complaint on record, every notice accepted, the lists up to date."""
    task_queue = system.settings.task_queue
    running = f"TaskQueue = '{task_queue}' AND ExecutionStatus = 'Running' AND WorkflowType"

    async def still() -> bool:
        waits = await system.rows("SELECT 1 FROM notices WHERE state IN ('planned', 'claimed')")
        untold = await system.rows("SELECT 1 FROM messages WHERE untold")
        ends = {row["id"]: row["seq"] for row in await system.rows("SELECT id, seq FROM complaints")}
        posts = [run async for run in system.client.list_workflows(f"{running} = 'Post'")]
        if waits or untold or posts:
            return False
        async for run in system.client.list_workflows(f"{running} = 'Complaint'"):
            end = await tail(system.client, run.id)
            if end.busy or end.recorded != ends.get(run.id.partition("/")[2], 0):
                return False
        return True

    await eventually(still)


async def healed(run: Reconcile, **wanted: Any) -> Report:
    """Apply, and see that nothing is wrong afterwards."""
    applied = await run(apply=True, **wanted)
    assert applied.remaining == 0, applied.as_json()
    after = await run(**wanted)
    assert found(after) == set(), after.as_json()
    return applied
