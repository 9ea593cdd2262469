"""Complaints with a fault of their own: wrong labels, a lost timer, records and tasks that fail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHandle
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.interface import retention_id
from activities.records import Records
from activities.schedule import keep_schedules
from rules.decide import Decision
from starter.client import Ombud
from starter.reconcile.damage import Report
from starter.reconcile.run import Wanted, reconcile
from storage import recording, standing
from storage.content import MasterKeyError, Vault
from tests.reconcile.conftest import Reconcile, found, quiet
from tests.support.system import System
from tests.support.wait import eventually
from workflows.complaint import Complaint
from workflows.search_attributes import LEVEL

ONE = "maintenance-service/A-1"


async def test_what_cannot_be_recorded_is_told(
    settled: System, run: Reconcile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that fails again and again is no damage to heal: it says why, and goes through once that is mended."""

    async def shut(*_: Any) -> Any:
        raise MasterKeyError("no master key opens this")

    await _opened(settled, level="2", kind="complaint")
    await quiet(settled)
    monkeypatch.setattr(recording, "record", shut)
    await settled.client.get_workflow_handle(f"complaint/{ONE}").execute_update("note", {"text": "Kept."})
    await eventually(lambda: _is_found(run, {("not recorded", ONE)}))
    (damage,) = (await run(apply=True)).damages
    assert damage.outcome == "remains"
    assert "no master key opens this" in damage.said
    monkeypatch.undo()
    await eventually(lambda: settled.rows("SELECT 1 FROM ledger WHERE type = 'noted' AND seq > 5"))


@workflow.defn(name="Complaint")
class Ill(Complaint):
    """A complaint that shows a wrong level, or sets no timer, until it is well."""

    wrong_level, asleep = False, False

    @workflow.run
    async def run(self, start: Any = None, *surplus: Any) -> dict[str, Any]:
        return await super().run(start, *surplus)

    def apply(self, decision: Decision, **how: bool) -> None:
        super().apply(decision, **how)
        if Ill.wrong_level:
            workflow.upsert_search_attributes([LEVEL.value_set("9")])
        if Ill.asleep:
            self.wake = None


@asynccontextmanager
async def ill(system: System, monkeypatch: pytest.MonkeyPatch, **how: bool) -> AsyncIterator[tuple[str, Reconcile]]:
    """A worker of ill complaints, its task queue, and a reconciliation of what runs there."""
    own = system.settings.model_copy(update={"task_queue": f"{system.settings.task_queue}-ill"})
    for name, value in how.items():
        monkeypatch.setattr(Ill, name, value)
    records = Records(system.engine, system.client, own)
    ombud = Ombud(system.client, system.engine, task_queue=own.task_queue)

    async def once(**wanted: Any) -> Report:
        return await reconcile(ombud, system.engine, Vault(own.keyring), Wanted(second=0.5, **wanted))

    await keep_schedules(system.client, own.task_queue)
    async with Worker(
        system.client,
        task_queue=own.task_queue,
        workflows=[Ill],
        activities=records.activities,
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        yield own.task_queue, once
    await system.client.get_schedule_handle(retention_id(own.task_queue)).delete()


async def test_wrong_labels_are_shown_right(settled: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporal's lists show another level than Postgres: the complaint shows it anew."""
    async with ill(settled, monkeypatch, wrong_level=True) as (queue, run):
        handle = await _started(settled, queue, "maintenance-service")
        await eventually(lambda: handle.query("state"))  # it has begun, and its labels are set
        monkeypatch.undo()
        monkeypatch.setattr(standing, "GRACE", timedelta())
        await eventually(lambda: _is_found(run, {("labels", ONE)}))
        assert (await run(apply=True)).remaining == 0
        assert found(await run()) == set()
        await handle.terminate()


async def test_a_clock_whose_timer_was_lost_is_judged(settled: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its due passes and nothing wakes the complaint: it is told to look, and the miss is on record."""
    async with ill(settled, monkeypatch, asleep=True) as (queue, run):
        handle = await _started(settled, queue, "demo")
        await eventually(lambda: settled.rows("SELECT 1 FROM clocks WHERE due_at < now()"))
        monkeypatch.undo()
        monkeypatch.setattr(standing, "GRACE", timedelta())
        await eventually(lambda: _is_found(run, {("overdue", "demo/A-1")}))
        assert ("overdue", "demo/A-1") in found(await run(apply=True))
        await eventually(lambda: settled.rows("SELECT 1 FROM clocks WHERE missed_at IS NOT NULL"))
        await handle.terminate()


async def _started(system: System, queue: str, contract: str) -> WorkflowHandle[Any, Any]:
    start = {
        "contract": contract,
        "reference": "A-1",
        "kind": "enquiry",
        "level": "2",
        "channel": "phone",
        "received_at": datetime.now(UTC).isoformat(),
        "content": "It drips.",
    }
    return await system.client.start_workflow("Complaint", start, id=f"complaint/{contract}/A-1", task_queue=queue)


@workflow.defn(name="Complaint")
class Broken:
    """A complaint of a worker with a fault."""

    @workflow.run
    async def run(self, _start: Any = None) -> None:
        raise RuntimeError("a fault of ours")


async def test_a_workflow_that_cannot_go_on_is_told(settled: System) -> None:
    """Every workflow task fails: nothing is healed by force, and what to do is said."""
    queue = f"{settled.settings.task_queue}-broken"
    async with Worker(
        settled.client, task_queue=queue, workflows=[Broken], workflow_runner=UnsandboxedWorkflowRunner()
    ):
        handle = await settled.client.start_workflow("Complaint", id=f"complaint/x/{queue}", task_queue=queue)
        ombud = Ombud(settled.client, settled.engine, task_queue=queue)

        async def told() -> Any:
            wanted = Wanted(second=0.2, tables=False, apply=True)
            return await reconcile(ombud, settled.engine, Vault(settled.settings.keyring), wanted)

        async def held_up() -> Any:
            return [damage for damage in (await told()).damages if damage.kind == "held up"]

        (damage,) = await eventually(held_up)
        assert (damage.where, damage.outcome) == (f"x/{queue}", "remains")
        assert "a fault of ours" in damage.said
        assert "corrected worker" in damage.do
        await handle.terminate()
        await settled.client.get_schedule_handle(retention_id(queue)).delete()


async def _opened(system: System, **fields: Any) -> None:
    handle = await system.open("maintenance-service", "A-1", **fields)
    await handle.execute_update("note", {"text": "Opened."})


async def _is_found(run: Reconcile, expected: set[tuple[str, str]]) -> bool:
    return found(await run()) == expected
