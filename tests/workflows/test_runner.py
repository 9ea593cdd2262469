"""What a worker keeps of a workflow that sleeps."""

from __future__ import annotations

import uuid
import weakref
from typing import Any

from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker, WorkflowInstance, WorkflowInstanceDetails

from tests.support.memory import Memory
from tests.workflows.test_complaint import begin
from workflows.complaint import Complaint
from workflows.runner import LAST, Light


class Watched(Light):
    """Knows what it made."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[weakref.ref[Any]] = []

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        made: Any = super().create_instance(det)
        self.made.append(weakref.ref(made.instance))
        return made  # type: ignore[no-any-return]


async def test_no_message_outlives_its_task(temporal_env: WorkflowEnvironment) -> None:
    """A part of a message holds the memory of all of it: the SDK's instance is left with none but
    empty ones, under whatever names this release of the SDK keeps them."""
    client, queue, runner = temporal_env.client, f"q-{uuid.uuid4()}", Watched()
    async with Worker(
        client, task_queue=queue, workflows=[Complaint], activities=Memory().activities, workflow_runner=runner
    ):
        handle = await begin(client, queue)
        await handle.execute_update("note", {"text": "Begun."})
        assert (await handle.query("state"))["seq"] > 1
        (made,) = runner.made
        kept = dict(vars(made()))
        assert set(LAST) <= kept.keys(), "names of the SDK that are no more"
        parts = kept | vars(kept["_workflow_input"])
        messages = {name: part.ByteSize() for name, part in parts.items() if hasattr(part, "ByteSize")}
        assert not any(messages.values()), messages
        containers = [name for name, part in parts.items() if type(part).__module__ == "google._upb._message"]
        assert containers == []
        del kept, parts
        await handle.execute_update("answer", {"text": "Turn it on."})
        await handle.execute_update("accept", {})
        await handle.result()
