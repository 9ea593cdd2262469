"""What the history of a workflow says about its health."""

from __future__ import annotations

from typing import Any

from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.client import WorkflowHandle

_RACE = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
"""A message came in while the workflow was about to end: the server has the task done again, as it should."""


async def unharmed(handle: WorkflowHandle[Any, Any]) -> None:
    """AssertionError where a workflow task failed: code of ours could not go on."""
    async for event in handle.fetch_history_events():
        failed = event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
        assert not failed or event.workflow_task_failed_event_attributes.cause == _RACE, event
