"""What a history says of what is on record, read from its latest events."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import History
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryReverseResponse
from temporalio.client import Client, WorkflowHistory

from starter.reconcile.tails import tail
from wire.client import DATA_CONVERTER

HISTORIES = Path(__file__).parents[1] / "histories"


class _Server:
    """Answers with one history, the latest event first."""

    def __init__(self, history: WorkflowHistory) -> None:
        self._events = list(reversed(history.events))

    async def get_workflow_execution_history_reverse(self, _request: Any, **_: Any) -> Any:
        return GetWorkflowExecutionHistoryReverseResponse(history=History(events=self._events))


def client(history: WorkflowHistory) -> Client:
    return cast(
        "Client", SimpleNamespace(namespace="x", data_converter=DATA_CONVERTER, workflow_service=_Server(history))
    )


def recorded() -> list[Any]:
    """Every complaint of every release that ran to its end."""
    found = [(path, WorkflowHistory.from_json("x", path.read_text())) for path in sorted(HISTORIES.glob("*/*.json"))]
    of_complaints = [
        pytest.param(history, id=f"{path.parent.name}/{path.stem}")
        for path, history in found
        if history.events[0].workflow_execution_started_event_attributes.workflow_type.name == "Complaint"
        and history.events[-1].event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED
    ]
    assert of_complaints
    return of_complaints


@pytest.mark.parametrize("history", recorded())
async def test_what_every_release_recorded_is_read(history: WorkflowHistory) -> None:
    """Read without its end, a history tells from its records how many entries are on record, as its result does."""
    ended = await tail(client(history), "x")
    assert ended.ended == "completed"
    cut = WorkflowHistory("x", history.events[:-1])
    found = await tail(client(cut), "x")
    assert (found.state, found.recorded) == ("running", ended.entries)
