"""Workflow tasks that were two when they were done and are one in a replay, and the other way round: the same steps."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer

from tests.support.memory import Memory
from tests.support.wait import eventually
from tests.workflows.test_complaint import begin
from wire.client import DATA_CONVERTER
from workflows.complaint import Complaint

Handle = WorkflowHandle[Any, Any]
COMMANDS = [("withdraw", {}), ("respond", {"text": "We look."}), ("customer_writes", {"text": "And?"})]


@pytest.mark.parametrize(("command", "body"), COMMANDS)
async def test_a_command_to_a_worker_that_has_to_read_the_history(
    temporal_env: WorkflowEnvironment, command: str, body: dict[str, Any]
) -> None:
    """Where the last two tasks led to no step it takes the last one in together with the command; a replay does not,
    and takes the same steps all the same."""
    client, queue, memory = temporal_env.client, f"q-{uuid.uuid4()}", Memory()
    async with memory.serving(client, queue):
        handle = await begin(client, queue)
        await _idled_twice(handle, memory)
    async with memory.serving(client, queue):
        await handle.execute_update(command, body)
        await _replayed(handle)


@pytest.mark.parametrize(("command", "body"), COMMANDS)
async def test_a_signal_that_is_read_together_with_the_task_before(
    temporal_env: WorkflowEnvironment, command: str, body: dict[str, Any]
) -> None:
    """The worker did one task after the other, a replay does both at once: the same steps."""
    client, queue, memory = temporal_env.client, f"q-{uuid.uuid4()}", Memory()
    async with memory.serving(client, queue):
        handle = await begin(client, queue)
        await _idled_twice(handle, memory)
        before = await _tasks(handle)
        await handle.signal(command, body)
        await eventually(lambda: _more(handle, before))
        await _replayed(handle)


async def _idled_twice(handle: Handle, memory: Memory) -> None:
    """Its last two tasks led to no step: one heard a command again, the other that it is on record."""
    memory.open_again.clear()
    note = {"text": "It hums.", "key": "n-1"}
    await handle.execute_update("note", note)
    before = await _tasks(handle)
    await handle.signal("note", note)
    await eventually(lambda: _more(handle, before))
    before = await _tasks(handle)
    memory.open_again.set()
    await eventually(lambda: _more(handle, before))
    done, *others = await _kinds(handle)
    assert done == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    assert EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED in others[:8]


async def _kinds(handle: Handle) -> list[int]:
    """The kinds of its events, the latest first."""
    return [event.event_type for event in reversed((await handle.fetch_history()).events)]


async def _tasks(handle: Handle) -> int:
    """How many workflow tasks are done; 0 while one waits."""
    kinds = await _kinds(handle)
    done = kinds.count(EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
    return done if done == kinds.count(EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED) else 0


async def _more(handle: Handle, than: int) -> bool:
    return await _tasks(handle) > than


async def _replayed(handle: Handle) -> None:
    replayer = Replayer(workflows=[Complaint], data_converter=DATA_CONVERTER)
    await replayer.replay_workflow(await handle.fetch_history())
