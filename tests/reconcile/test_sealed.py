"""Reconciliation where what travels through Temporal is sealed (docs/codec.md)."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from activities.interface import retention_id
from activities.schedule import keep_schedules
from settings import Settings
from starter.client import Ombud
from starter.errors import Misconfigured
from starter.reconcile.run import Wanted, reconcile
from storage.content import Vault
from tests.reconcile.conftest import quiet
from tests.support.damage import as_of, everything
from tests.support.system import System, running
from wire.client import sealing


@pytest.fixture
async def sealed(temporal_env: WorkflowEnvironment, settings: Settings) -> AsyncIterator[System]:
    """A system whose worker and client seal what they send."""
    own = settings.model_copy(update={"task_queue": f"ombud-{uuid.uuid4().hex[:12]}"})
    client = Client(**(temporal_env.client.config() | {"data_converter": sealing(own.keyring, seals=True)}))
    async with running(client, own) as made:
        await keep_schedules(client, own.task_queue)
        yield made
        await client.get_schedule_handle(retention_id(own.task_queue)).delete()


async def test_sealed_histories_are_read_with_the_key(temporal_env: WorkflowEnvironment, sealed: System) -> None:
    """A lost ledger is written again from sealed histories; without the key one clear line says what is missing."""
    handle = await sealed.open("maintenance-service", "S-1", level="2", kind="complaint")
    await handle.execute_update("note", {"text": "Ms Wexford called."})
    await quiet(sealed)
    before = await everything(sealed.engine)
    await as_of(sealed.engine, datetime(2020, 1, 1, tzinfo=UTC))
    vault, queue = Vault(sealed.settings.keyring), sealed.settings.task_queue
    blind = Ombud(temporal_env.client, sealed.engine, task_queue=queue)
    with pytest.raises(Misconfigured, match="OMBUD_MASTER_KEY"):
        await reconcile(blind, sealed.engine, vault, Wanted(second=0.2, apply=True))
    seeing = Ombud(sealed.client, sealed.engine, task_queue=queue)
    report = await reconcile(seeing, sealed.engine, vault, Wanted(second=0.5, apply=True))
    assert report.remaining == 0, report.as_json()
    after = await everything(sealed.engine)
    assert {place: after["ledger"].get(place) for place in before["ledger"]} == before["ledger"]
    assert set(before["words"]) <= set(after["words"])
