"""What the history of a workflow says about its health."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHandle

_RACE = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
"""A message came in while the workflow was about to end: the server has the task done again, as it should."""


async def unharmed(handle: WorkflowHandle[Any, Any]) -> None:
    """AssertionError where a workflow task failed: code of ours could not go on."""
    assert [event async for event in failures(handle)] == []


async def failures(handle: WorkflowHandle[Any, Any]) -> AsyncIterator[HistoryEvent]:
    """Every workflow task that failed because of our code."""
    async for event in handle.fetch_history_events():
        failed = event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
        if failed and event.workflow_task_failed_event_attributes.cause != _RACE:
            yield event
