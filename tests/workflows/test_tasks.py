"""A replay may take in one workflow task what was done in two: nothing that a complaint does may depend on that."""

from __future__ import annotations

import asyncio
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker

from activities.interface import OPEN, Opened, Opening
from tests.support.memory import Memory
from tests.support.story import SMALL
from tests.support.wait import eventually
from tests.workflows.test_complaint import Handle, begin, start_of
from tests.workflows.test_punctual import DAY_AND_NIGHT
from wire.client import DATA_CONVERTER
from workflows.complaint import Complaint

SPLIT = [
    EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
    EventType.EVENT_TYPE_MARKER_RECORDED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
]
"""The first task ended with the opening on record, and the second one began with its answer."""
MANY = 6


OPENED: set[str] = set()
"""Workflow ids of complaints that were opened; a set of the module, since Temporal takes no class from a function."""


@workflow.defn(name="Complaint")
class Slow(Complaint):
    """Answers a question only once it is open, so that its first task cannot go on before."""

    longer = 0.05
    """Seconds until the worker has heard so."""

    @workflow.run
    async def run(self, start: Any = None, *surplus: Any) -> dict[str, Any]:
        return await super().run(start, *surplus)

    @workflow.query(name="state")
    def state(self) -> dict[str, Any]:
        until = time.monotonic() + 1
        while workflow.info().workflow_id not in OPENED and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(self.longer)
        return {}


class Telling(Memory):
    """Says who was opened."""

    @activity.defn(name=OPEN)
    async def open(self, asked: Opening) -> Opened:
        opened = await super().open(asked)
        OPENED.add(f"complaint/{asked.start.complaint}")
        return opened


@workflow.defn(name="Complaint")
class Slower(Slow):
    """So slow that clocks end meanwhile."""

    longer = 1.0

    @workflow.run
    async def run(self, start: Any = None, *surplus: Any) -> dict[str, Any]:
        return await super().run(start, *surplus)


async def test_a_question_that_splits_the_opening_in_two_does_not_stop_it(
    temporal_env: WorkflowEnvironment,
) -> None:
    """Somebody asks for the state before a worker takes the opening up; another worker goes on with the complaint."""
    client, queue, memory = temporal_env.client, f"q-{uuid.uuid4()}", Telling()
    starts = [start_of(f"R-{uuid.uuid4()}") for _ in range(MANY)]
    handles = await opened_in_two(client, queue, Slow, memory, starts)
    async with memory.serving(client, queue):
        for handle in handles:
            await handle.execute_update("answer", {"text": "Turn it on."})  # which moves the timer
            await handle.execute_update("accept", {})
            assert (await handle.result())["closed"] == "accepted"


@pytest.mark.parametrize("nobody", [set(), set(SMALL["roles"])], ids=["told", "nobody"])
async def test_a_clock_that_ends_between_the_two_parts_of_a_task_is_replayed(
    temporal_env: WorkflowEnvironment, nobody: set[str]
) -> None:
    """In two tasks its miss lay behind when the second began; a replay that takes both in one meets it later. So it is
    where the answer says that nobody stands behind a notice."""
    client, queue, memory = temporal_env.client, f"q-{uuid.uuid4()}", Telling()
    memory.nobody = nobody
    memory.contract = SMALL | {"calendar": DAY_AND_NIGHT}
    first = datetime.now(UTC) + timedelta(seconds=0.3) - timedelta(minutes=15)
    received = [(first + n * timedelta(seconds=0.3)).isoformat() for n in range(MANY)]
    starts = [start_of(f"R-{uuid.uuid4()}", received_at=at) for at in received]
    for handle in await opened_in_two(client, queue, Slower, memory, starts, until="clock_missed"):
        await handle.terminate()


async def opened_in_two(
    client: Client, queue: str, kind: type[Slow], memory: Telling, starts: list[dict[str, Any]], until: str = "opened"
) -> list[Handle]:
    """Complaints that were asked for their state as they opened, and told something once an entry of this type stood in
    the ledger of each. Some of them opened in two tasks, and every one can be replayed."""
    handles = [await begin(client, queue, start, reference=start["reference"]) for start in starts]
    asked = [asyncio.create_task(handle.query("state")) for handle in handles]
    async with Worker(
        client,
        task_queue=queue,
        workflows=[kind],
        activities=memory.activities,
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        await asyncio.gather(*asked)
        for start, handle in zip(starts, handles, strict=True):
            ledger = memory.ledger[f"small/{start['reference']}"]
            await eventually(lambda: any(entry.type == until for entry in ledger))  # noqa: B023
            await handle.execute_update("note", {"text": "Begun."})
    assert any([SPLIT in await parts(handle) for handle in handles]), "no task ended where it was to end"
    replayer = Replayer(workflows=[Complaint], data_converter=DATA_CONVERTER)
    for handle in handles:
        await replayer.replay_workflow(await handle.fetch_history())
    return handles


async def parts(handle: Handle) -> list[list[Any]]:
    """Every five kinds of events that follow one another."""
    kinds = [event.event_type for event in (await handle.fetch_history()).events]
    return [kinds[at : at + len(SPLIT)] for at in range(len(kinds))]
