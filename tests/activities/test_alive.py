"""Work that shows signs of life: a dead worker's is begun anew soon, and no wish to stop breaks off a living one's."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.testing import ActivityEnvironment, WorkflowEnvironment
from temporalio.worker import Worker

from activities import alive as module
from activities.alive import alive
from activities.interface import (
    ADDRESS,
    DELIVER,
    FINISH,
    POKE,
    POST,
    SEND,
    Addressed,
    Addressing,
    Counts,
    Delivered,
    Finished,
    Sending,
    Sent,
    circular_id,
    mails_queue,
)
from tests.support.wait import eventually
from workflows.circular import SILENCE, Circular
from workflows.post import UNHEARD, Post
from workflows.runner import in_one_batch


async def test_work_shows_signs_of_life_as_long_as_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A beat after each interval, and the result at the end."""
    monkeypatch.setattr(module, "BEAT", 0.01)
    beats: list[Any] = []
    env = ActivityEnvironment()
    env.on_heartbeat = lambda *_: beats.append(None)

    async def work() -> str:
        await eventually(lambda: len(beats) > 2)
        return "done"

    async def run() -> str:
        return await alive(work())

    assert await env.run(run) == "done"


async def test_a_worker_that_shuts_down_breaks_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a wish of the workflow to stop, whoever cancels the activity cancels its work."""
    begun, broken = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            broken.set()
            raise

    async def run() -> None:
        await alive(work())

    running = asyncio.create_task(ActivityEnvironment().run(run))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await eventually(broken.is_set)


async def test_a_wish_to_stop_lets_what_is_under_way_end(
    temporal_env: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An urgent poke asks the round to stop; a mail that is being sent goes on, and a dead worker is noticed soon."""
    monkeypatch.setattr(module, "BEAT", 0.05)
    begun = asyncio.Event()
    rounds: list[str] = []

    async def talk() -> Delivered:
        if rounds:
            return Delivered()
        begun.set()
        await eventually(lambda: activity.cancellation_details() is not None)
        rounds.append("sent")
        return Delivered(sent=1)

    @activity.defn(name=DELIVER)
    async def deliver(_: str) -> Delivered:
        return await alive(talk())

    queue = f"alive-{uuid.uuid4()}"
    async with (
        in_one_batch(Worker(temporal_env.client, task_queue=queue, workflows=[Post])),
        Worker(temporal_env.client, task_queue=mails_queue(queue), activities=[deliver]),
    ):
        handle = await temporal_env.client.start_workflow(
            POST, "li.wei", id=f"post/{queue}", task_queue=queue, start_signal=POKE, start_signal_args=[False]
        )
        await begun.wait()
        await handle.signal(POKE, True)
        await handle.result()
        history = await handle.fetch_history()
    assert rounds == ["sent"]
    scheduled = [e for e in history.events if e.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED]
    limits = {e.activity_task_scheduled_event_attributes.heartbeat_timeout.ToTimedelta() for e in scheduled}
    assert limits == {UNHEARD}, "whose worker was killed is given to another one after that"


async def test_a_dead_worker_is_noticed_soon_in_every_step_of_a_circular(temporal_env: WorkflowEnvironment) -> None:
    """Whoever writes the letters down, sends them or closes the circular and dies is followed within a minute."""

    @activity.defn(name=ADDRESS)
    async def address(asked: Addressing) -> Addressed:
        return Addressed(sent_at=asked.sent_at, complaints=1, language="en")

    @activity.defn(name=SEND)
    async def send(_: Sending) -> Sent:
        return Sent(counts=Counts(complaints=1, taken=1), last="small/R-1")

    @activity.defn(name=FINISH)
    async def finish(_: str) -> Finished:
        return Finished(counts=Counts(complaints=1, taken=1))

    queue = f"alive-{uuid.uuid4()}"
    start = {"command": "note", "body": {"text": "x"}, "incident": "I-1", "by": {"role": "handler"}}
    async with in_one_batch(
        Worker(temporal_env.client, task_queue=queue, workflows=[Circular], activities=[address, send, finish])
    ):
        handle = await temporal_env.client.start_workflow(
            "Circular", start, id=circular_id(f"c-{queue}"), task_queue=queue
        )
        await handle.result()
        history = await handle.fetch_history()
    scheduled = [e for e in history.events if e.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED]
    limits = [e.activity_task_scheduled_event_attributes.heartbeat_timeout.ToTimedelta() for e in scheduled]
    assert limits == [SILENCE] * 3
