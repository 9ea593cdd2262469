"""Complaints with the payload codec on: nothing readable on the way, whoever sends what."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer

from rules.commands import Answer, Resolve, Respond
from settings import Settings
from starter.client import Ombud
from starter.errors import Misconfigured, Refused
from starter.sealed_histories import count
from storage.keys import Keyring
from tests.starter.conftest import opening
from tests.support.system import System, running
from tests.support.wait import eventually
from wire.client import DATA_CONVERTER, sealing
from workflows.complaint import Complaint


def reaching(temporal: Client, converter: Any) -> Client:
    """The same server, spoken to by another converter."""
    return Client(**(temporal.config() | {"data_converter": converter}))


@pytest.fixture
async def sealed(temporal_env: WorkflowEnvironment, settings: Settings) -> AsyncIterator[System]:
    """A system whose worker and client seal what they send."""
    own = settings.model_copy(update={"task_queue": f"ombud-{uuid.uuid4().hex[:12]}"})
    async with running(reaching(temporal_env.client, sealing(own.keyring, seals=True)), own) as made:
        yield made


@pytest.fixture
def plain(temporal_env: WorkflowEnvironment, sealed: System) -> Ombud:
    """A backend that knows nothing of the codec."""
    return Ombud(temporal_env.client, task_queue=sealed.settings.task_queue)


async def test_a_life_with_the_codec_on(sealed: System) -> None:
    """Open, command, refuse, read, close: the client sees everything, the history shows labels and ids alone."""
    ombud = Ombud(sealed.client, sealed.engine, task_queue=sealed.settings.task_queue)
    secret = "Ms-Wexford-of-Larkspur-Lane"
    start = opening(kind="enquiry", category="usage", content=f"{secret} asks.", received_at=datetime.now(UTC))
    opened = await ombud.open(start)
    assert (await ombud.open(start)).new is False
    told = await ombud.tell(opened.complaint, Respond(text=f"Dear {secret}"), key="k-1")
    assert told == await ombud.tell(opened.complaint, Respond(text=f"Dear {secret}"), key="k-1")
    with pytest.raises(Refused, match="The key 'k-1' was used for another command"):
        await ombud.tell(opened.complaint, Answer(text=secret), key="k-1")
    await ombud.send(opened.complaint, Answer(text=secret))
    handle = sealed.client.get_workflow_handle(opened.workflow_id)
    assert (await handle.query("state"))["reference"] == start.reference

    async def answered() -> bool:
        return any(entry.type == "answered" for entry in (await ombud.state(opened.complaint)).entries)

    await eventually(answered)
    labels = set()
    async for event in handle.fetch_history_events():
        assert secret.encode() not in event.SerializeToString()
        assert (
            start.contract.encode() not in event.workflow_execution_started_event_attributes.input.SerializeToString()
        )
        labels.add(event.user_metadata.summary.data.decode())
    assert '"open"' in labels
    assert any("First response" in label or "50%" in label for label in labels)
    key = sealed.settings.keyring.current.id
    assert await count(sealed.client, f"WorkflowId = '{opened.workflow_id}'") == {key: 1}


async def test_a_sender_without_the_codec(sealed: System, plain: Ombud) -> None:
    """Any language starts and commands a complaint in the clear; what it gets back is sealed, its refusals too."""
    start = opening(received_at=datetime.now(UTC))
    opened = await plain.open(start)
    handle = plain.temporal.get_workflow_handle(opened.workflow_id)
    await handle.execute_update("respond", {"text": "We call you."})
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update("resolve", {"outcome": "upheld"})
    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.type == "Refused"
    assert "propose" not in refused.value.cause.message
    read = sealed.client.get_workflow_handle(opened.workflow_id)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await read.execute_update("resolve", {"outcome": "upheld"})
    assert "resolve comes after propose" in str(refused.value.cause)
    with pytest.raises(Refused, match="the reason is sealed"):
        await plain.tell(opened.complaint, Resolve(outcome="upheld"))
    with pytest.raises(Misconfigured, match="respond was taken, but the answer is sealed"):
        await plain.tell(opened.complaint, Respond(text="We call you."))


async def test_a_foreign_key_holds_nothing_up(sealed: System, temporal_env: WorkflowEnvironment) -> None:
    """What is sealed under a key that no worker has is refused as any bad input: start, update and signal."""
    foreign = reaching(temporal_env.client, sealing(Keyring([b"f" * 32]), seals=True))
    start = opening(received_at=datetime.now(UTC))
    id_ = f"complaint/maintenance-service/{start.reference}"
    bad = await foreign.start_workflow(
        "Complaint", start.model_dump(mode="json"), id=id_, task_queue=sealed.settings.task_queue
    )
    with pytest.raises(WorkflowFailureError) as failed:
        await sealed.client.get_workflow_handle(id_, run_id=bad.first_execution_run_id).result()
    assert f"sealed under master key {Keyring([b'f' * 32]).current.id}" in str(failed.value.cause)
    handle = await sealed.open("maintenance-service", start.reference)
    theirs = foreign.get_workflow_handle(id_)
    with pytest.raises(WorkflowUpdateFailedError):
        await theirs.execute_update("respond", {"text": "x"})
    await theirs.signal("respond", {"text": "x"})
    refused = "SELECT body->'data'->>'reason' AS reason FROM ledger WHERE type = 'refused'"
    (row,) = await eventually(lambda: sealed.rows(refused))
    assert "sealed under master key" in row["reason"]
    await handle.execute_update("respond", {"text": "x"})


async def test_it_is_switched_on_while_complaints_run(
    sealed: System, temporal_env: WorkflowEnvironment, settings: Settings
) -> None:
    """A history that began in the clear and goes on sealed replays under either setting."""
    ombud = Ombud(temporal_env.client, sealed.engine, task_queue=sealed.settings.task_queue)
    opened = await ombud.open(opening(received_at=datetime.now(UTC)))
    sealing_client = Ombud(sealed.client, sealed.engine, task_queue=sealed.settings.task_queue)
    await sealing_client.tell(opened.complaint, Respond(text="We call you."))
    history = await sealed.client.get_workflow_handle(opened.workflow_id).fetch_history()
    for seals in (True, False):
        await Replayer(workflows=[Complaint], data_converter=sealing(settings.keyring, seals=seals)).replay_workflow(
            history
        )
    assert sealed.client.data_converter != DATA_CONVERTER
