"""What carries mails, events and circulars and cannot go on: found, and with --apply another takes its place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import WorkflowExecutionStatus
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.interface import circular_id, post_id, webhook_id
from rules.circular import Circular
from rules.events import EVENTS
from rules.values import Actor
from starter.reconcile.damage import Damage
from storage import standing, webhooks
from storage.content import Vault
from storage.database import transaction
from tests.reconcile.conftest import Reconcile, addressed
from tests.support.smtp import TRY_LATER, SmtpSink
from tests.support.system import System
from tests.support.wait import eventually

LATE = {"level": "2", "kind": "complaint", "received_at": datetime.now(UTC) - timedelta(days=4)}


@workflow.defn(name="Broken")
class Broken:
    """A workflow that a worker cannot go on with, as after a replay that differs."""

    @workflow.run
    async def run(self, *_: Any) -> None:
        raise RuntimeError("a fault of ours")


@asynccontextmanager
async def held_up(system: System, workflow_id: str) -> AsyncIterator[None]:
    """In place of what carries something, one whose workflow tasks fail."""
    queue = f"{system.settings.task_queue}-broken"
    async with Worker(system.client, task_queue=queue, workflows=[Broken], workflow_runner=UnsandboxedWorkflowRunner()):
        await system.client.start_workflow("Broken", id=workflow_id, task_queue=queue)
        yield


async def found(run: Reconcile, kind: str) -> Damage:
    """The damage of this kind, once it is known that the workflow cannot go on."""

    async def look() -> list[Damage]:
        return [
            one
            for one in (await run()).damages
            if one.kind == kind and "cannot go on: RuntimeError: a fault of ours" in one.said
        ]

    (damage,) = await eventually(look)
    assert isinstance(damage, Damage)
    return damage


async def test_a_post_that_cannot_go_on_is_replaced(settled: System, run: Reconcile, smtp_sink: SmtpSink) -> None:
    """It runs, says Temporal, and delivers nothing: what waits for its person is sent by another."""
    smtp_sink.default = TRY_LATER
    await opened(settled, **LATE)
    (claimed,) = await eventually(lambda: settled.rows("SELECT person FROM messages WHERE attempts > 0 LIMIT 1"))
    post = post_id(claimed["person"])
    await settled.client.get_workflow_handle(post).terminate("to be held up")
    async with held_up(settled, post):
        assert (await found(run, "mail waits")).where == claimed["person"]
        smtp_sink.default = "250 2.0.0 taken"
        applied = await run(apply=True)
    assert applied.remaining == 0
    (healed,) = [one for one in applied.damages if one.kind == "mail waits"]
    assert "ended, and its Post was started" in healed.result
    waits = "SELECT 1 FROM messages WHERE person = :person AND accepted_at IS NOT NULL"
    await eventually(lambda: settled.rows(waits, person=claimed["person"]))


async def test_a_sender_of_events_that_cannot_go_on_is_replaced(settled: System, run: Reconcile) -> None:
    """Its subscriber is sent what waits by another, from where Postgres knows it to be."""
    by, at = Actor(role="operations", person="p.ops"), datetime.now(UTC)
    async with transaction(settled.engine) as connection:
        hook = await webhooks.subscribe(
            connection, Vault(settled.settings.keyring), contract=None, format_="cloudevents", events=EVENTS,
            origin="https://x.example.com", url="https://x.example.com", secret="s", by=by, at=at,
        )  # fmt: skip
    async with held_up(settled, webhook_id(hook.id)):
        await opened(settled, level="2", kind="complaint")
        assert (await found(run, "webhook waits")).where.startswith(hook.id)
        applied = await run(apply=True)
    assert applied.remaining == 0
    described = await settled.client.get_workflow_handle(webhook_id(hook.id)).describe()
    assert (described.workflow_type, described.status) == ("Webhook", WorkflowExecutionStatus.RUNNING)


async def test_a_circular_that_cannot_go_on_is_replaced(
    settled: System, run: Reconcile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is sent on as it was, though it is ended for that: only whoever ends one in the Web UI means it."""
    monkeypatch.setattr(standing, "GRACE", timedelta())
    await opened(settled, incident="I-7")
    await eventually(lambda: settled.rows("SELECT 1 FROM complaints"))
    start = Circular(incident="I-7", command="note", body={"text": "We look into it."}, by=Actor(role="handler"))
    await addressed(settled, "c-7", start, datetime.now(UTC))
    async with held_up(settled, circular_id("c-7")):
        assert (await found(run, "circular stopped")).where == "c-7"
        applied = await run(apply=True)
    assert applied.remaining == 0
    await eventually(lambda: settled.rows("SELECT 1 FROM circulars WHERE finished_at IS NOT NULL"))
    assert [row["outcome"] for row in await settled.rows("SELECT outcome FROM letters")] == ["taken"]


async def opened(system: System, **fields: Any) -> None:
    handle = await system.open("maintenance-service", **{"reference": "A-1", **fields})
    await handle.execute_update("note", {"text": "Opened."})
