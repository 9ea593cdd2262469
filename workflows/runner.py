"""How a worker runs its workflows: outside of the sandbox, each task in one batch, and without what the SDK keeps of
them between two tasks.

The sandbox imports the modules of `workflows` anew for every complaint: a third of the time that an opening takes a
worker. It guards against code that a replay would run differently, which tests find: they and the replays run in it.

A workflow's instance holds parts of the messages that it last had from the SDK's core and gave to it. Each part holds
the memory of its whole message, its start and its last activity's result among them: a fifth of what an open complaint
takes. Nothing looks at them before the next task brings new ones.

A task that brought an activity's result and led to no step looks, in a history, like a sign of life. A worker that has
to read the history first may take it in together with the next one, a replay one after the other, or the other way
round. The SDK lets a workflow go on behind the commands of a task and then again behind its results: together, the next
command was heard before the result, the same steps came in another order, and the complaint stood still for ever.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from temporalio.api.common.v1 import Payloads
from temporalio.worker import (
    UnsandboxedWorkflowRunner,
    Worker,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowRunner,
)
from temporalio.worker._workflow_instance import _WorkflowLogicFlag

LAST = ("_current_completion", "_current_internal_flags", "_deployment_version_for_current_task")
"""What an instance of the SDK keeps of the last task. Until the next one an empty one of its kind stands there: what is
put away between two tasks may still ask for it."""


def in_one_batch(worker: Worker) -> Worker:
    """Has this worker's workflows go on once they have all that a task brings.

    The SDK knows how and leaves it off until every release in use can read it; the history says which tasks were done
    so, and every other is replayed as it was.
    """
    flag = _WorkflowLogicFlag.PROCESS_WORKFLOW_ACTIVATION_JOBS_AS_SINGLE_BATCH
    worker._set_default_workflow_logic_flag(flag, enabled=True)  # noqa: SLF001  the SDK has no public name for it yet
    return worker


class Light(WorkflowRunner):
    """Lets go of messages."""

    def __init__(self) -> None:
        self._bare = UnsandboxedWorkflowRunner()

    def prepare_workflow(self, defn: Any) -> None:
        self._bare.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        last = Payloads.FromString(det.last_completion_result.SerializeToString())
        return _Light(self._bare.create_instance(replace(det, last_completion_result=last)))


class _Light(WorkflowInstance):
    """One workflow. Its `instance` is the SDK's own, whose private names may change with the SDK: a test looks."""

    def __init__(self, instance: Any) -> None:
        self.instance = instance

    def activate(self, act: Any) -> Any:
        try:
            return self.instance.activate(act)
        finally:
            kept = vars(self.instance)
            for name in LAST:
                kept[name] = _empty(kept[name])
            if given := self.instance._workflow_input:  # noqa: SLF001
                given.headers = dict(given.headers)

    def get_serialization_context(self, command_info: Any) -> Any:
        return self.instance.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> Any:
        return self.instance.get_external_store_context(command_info)

    def get_info(self) -> Any:
        return self.instance.get_info()

    def get_thread_id(self) -> int | None:
        thread: int | None = self.instance.get_thread_id()
        return thread


def _empty(last: Any) -> Any:
    return type(last)() if hasattr(last, "DESCRIPTOR") else ()
