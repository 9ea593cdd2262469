"""Webhooks of a whole running Ombud: what is recorded leaves by itself, and nobody waits for anybody."""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.testing import WorkflowEnvironment

from activities.cloudevents import fresh_secret
from activities.interface import webhook_id
from activities.poke import poke_webhook
from rules.events import EVENTS
from rules.values import Actor
from settings import Settings
from starter.client import Ombud
from storage import webhooks
from storage.content import Vault
from storage.database import transaction
from storage.stuck import stuck
from tests.support.people import everybody
from tests.support.receiver import HANG, Receiver
from tests.support.recorded import published
from tests.support.smtp import SmtpSink
from tests.support.story import SMALL, law
from tests.support.system import System, running
from tests.support.wait import eventually

NAME = "Ms-Wexford-of-Larkspur-Lane"
BY = Actor(role="operations", person="p.ops")

SECONDS = SMALL["obligations"]["first_response"] | {
    "due": "1 second",
    "ladder": [{"at": "50%", "tell": "handler.owner"}, {"at": "due", "tell": "handler.manager"}],
}

LIFE = [f"ombud.{kind}" for kind in ("complaint.opened", "clock.warned", "clock.missed", "clock.done")]


@pytest.fixture
async def system(temporal_env: WorkflowEnvironment, settings: Settings) -> AsyncIterator[System]:
    """Ombud with webhooks allowed on loopback, one person for every role, and clocks of a second."""
    own = settings.model_copy(update={"task_queue": f"ombud-{uuid.uuid4().hex[:12]}", "webhook_allow": "127.0.0.1"})
    async with running(temporal_env.client, own) as made:
        await everybody(made)
        async with transaction(made.engine) as connection:
            await published(connection, law(obligations={"first_response": SECONDS}).contract)
        yield made


@pytest.fixture
async def receivers() -> AsyncIterator[list[Receiver]]:
    """Two servers on loopback."""
    made = [Receiver(), Receiver()]
    for receiver in made:
        await receiver.start()
    yield made
    for receiver in made:
        await receiver.stop()


async def subscribe(system: System, receiver: Receiver) -> str:
    async with transaction(system.engine) as db:
        hook = await webhooks.subscribe(
            db,
            Vault(bytes(range(32))),
            contract="small",
            format_="cloudevents",
            events=EVENTS,
            origin="http://127.0.0.1",
            url=receiver.url,
            secret=fresh_secret(),
            by=BY,
            at=datetime.now(UTC),
        )
    return hook.id


def kinds(receiver: Receiver, reference: str) -> list[str]:
    """What a receiver heard of a case, repetitions dropped as a receiver drops them."""
    heard = {call.headers["webhook-id"]: call.json for call in receiver.calls}
    return [event["type"] for event in heard.values() if event["subject"] == f"small/{reference}"]


async def test_one_that_hangs_holds_up_neither_others_nor_clocks(
    system: System, receivers: list[Receiver], smtp_sink: SmtpSink
) -> None:
    """One subscriber answers nothing: clocks are judged, mails leave, the other hears all of it; the stuck one stands
    in the queue, and once it is mended it hears everything in order, once."""
    well, ill = receivers
    ill.default = HANG
    hooks = [await subscribe(system, receiver) for receiver in receivers]
    handle = await system.open("small", "R-1")
    await eventually(lambda: "ombud.clock.missed" in kinds(well, "R-1"))
    await handle.execute_update("respond", {"text": "Sorry."})
    await eventually(lambda: kinds(well, "R-1") == LIFE)
    case = await handle.query("state")
    assert case["clocks"][0]["status"] == "missed"
    await smtp_sink.received(1)
    async with transaction(system.engine) as db:
        queue = await stuck(db, datetime.now(UTC), waiting=timedelta(), past=timedelta(days=1))
    assert [item.where.split()[0] for item in queue if item.what == "waiting webhook"] == [hooks[1]]
    await ill.stop()
    ill.default = 200
    await ill.start()
    await eventually(lambda: _pokes(system, hooks[1], ill))
    assert kinds(ill, "R-1") == LIFE
    assert [call.headers["webhook-id"] for call in well.calls] == list(
        dict.fromkeys(call.headers["webhook-id"] for call in ill.calls)
    )
    for hook in hooks:
        await system.client.get_workflow_handle(webhook_id(hook)).result()
    await handle.terminate()


async def test_a_process_that_was_lost_goes_on_with_the_next_event(system: System, receivers: list[Receiver]) -> None:
    """Temporal lost the process of a subscription: the next record starts it again, nothing is left out or repeated."""
    receiver = receivers[0]
    hook = await subscribe(system, receiver)
    receiver.default = 500
    one = await system.open("small", "R-1")
    await receiver.received(1)
    await system.client.get_workflow_handle(webhook_id(hook)).terminate()
    failed = len(receiver.calls)
    receiver.default = 200
    other = await system.open("small", "R-2")
    await eventually(lambda: "ombud.clock.missed" in kinds(receiver, "R-2"))
    await eventually(lambda: "ombud.clock.missed" in kinds(receiver, "R-1"))
    taken = [call.headers["webhook-id"] for call in receiver.calls[failed:]]
    assert len(taken) == len(set(taken))
    assert kinds(receiver, "R-1") == kinds(receiver, "R-2") == LIFE[:3]
    for handle in (one, other):
        await handle.terminate()


async def test_a_revival_sends_nothing_again(system: System, receivers: list[Receiver]) -> None:
    """A complaint that Temporal lost lives on: what was sent of it is not sent again, what comes after it is."""
    receiver = receivers[0]
    await subscribe(system, receiver)
    handle = await system.open("small", "R-1")
    await eventually(lambda: "ombud.clock.missed" in kinds(receiver, "R-1"))
    await handle.terminate("the server lost it")
    ombud = Ombud(system.client, system.engine, task_queue=system.settings.task_queue)
    await ombud.revive("small/R-1")
    again = system.client.get_workflow_handle(handle.id)
    await again.execute_update("respond", {"text": "We are back."})
    await eventually(lambda: "ombud.clock.done" in kinds(receiver, "R-1"))
    ids = [call.headers["webhook-id"] for call in receiver.calls]
    assert len(ids) == len(set(ids)) == len(LIFE)
    await again.terminate()


async def test_planted_names_and_secrets_go_nowhere(
    system: System, receivers: list[Receiver], caplog: pytest.LogCaptureFixture
) -> None:
    """Names in every text and person of a case are in no body; address and secret in no log and no history."""
    caplog.set_level(logging.DEBUG)
    receiver = receivers[0]
    hook = await subscribe(system, receiver)
    receiver.answer(500)
    handle = await system.open(
        "small", "R-1", content=f"{NAME} is angry.", complainant={"id": NAME}, against=f"{NAME}-2"
    )
    await eventually(lambda: "ombud.clock.missed" in kinds(receiver, "R-1"))
    person = {"role": "handler.owner", "person": NAME}
    early = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    await handle.execute_update("respond", {"text": f"Dear {NAME}", "by": person, "occurred_at": early})
    await handle.execute_update("withdraw", {"text": NAME, "by": {"role": "complainant", "person": NAME}})
    await eventually(lambda: "ombud.complaint.closed" in kinds(receiver, "R-1"))
    for call in receiver.calls:
        assert NAME.encode() not in call.body + str(call.headers).encode()
    assert "planted-token-1" not in "".join(record.getMessage() for record in caplog.records)
    history = await system.client.get_workflow_handle(webhook_id(hook)).fetch_history()
    assert "planted-token-1" not in history.to_json()


async def _pokes(system: System, hook: str, receiver: Receiver) -> bool:
    """Whether it has heard all of it; else tried at once, as `ombud webhook resume` does."""
    if kinds(receiver, "R-1") == LIFE:
        return True
    await poke_webhook(system.client, system.settings.task_queue, hook, at_once=True)
    return False
