"""How a complaint stands in Temporal, from the last events of its history: one question each, however long it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryReverseRequest
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.service import RPCError, RPCStatusCode

from activities.interface import Ledger, Opened, Recorded
from starter.errors import Misconfigured
from starter.temporal_errors import SEALED
from workflows.carried import Carried
from workflows.recorder import LOADED, OPENED
from workflows.unreadable import sealed

PAGE = 40
"""Events of one question: what was recorded last is nearly always among them."""

_RECORD = re.compile(r"(?:record|entry|entries) (?:\d+–)?(\d+)")
"""The last entry of a record. The summaries of older histories begin with what they were called then."""

_ENDS = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: "completed",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW: "continued",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: "failed",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: "terminated",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: "timed out",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: "cancelled",
}
_UNDER_WAY = (EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED)
_NOT_DONE: dict[int, Callable[[HistoryEvent], int]] = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED: lambda e: e.activity_task_failed_event_attributes.scheduled_event_id,
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: lambda e: (
        e.activity_task_timed_out_event_attributes.scheduled_event_id
    ),
    EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED: lambda e: e.activity_task_canceled_event_attributes.scheduled_event_id,
}
_TASK = {
    *_UNDER_WAY,
    EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
}


@dataclass
class Tail:
    """A run as its latest events show it."""

    state: Literal["gone", "running", "ended"]
    ended: str = ""
    """Of one that ended: completed, terminated …"""
    entries: int | None = None
    """Of a complaint that ran to its end: how many entries its ledger had then."""
    recorded: int = 0
    """Up to which entry it knows that it is on record."""
    deciding: bool = False
    """A workflow task waits or runs."""
    acting: bool = False
    """An activity waits or runs."""
    failing: str = ""
    """Why its latest workflow task failed."""

    @property
    def running(self) -> bool:
        return self.state == "running"

    @property
    def busy(self) -> bool:
        """It is about to go on."""
        return self.deciding or self.acting

    @property
    def begun(self) -> bool:
        """Whether it ever was a complaint: a duplicate or a rejected start was none."""
        return self.recorded > 0 or self.entries is not None

    @property
    def known(self) -> int:
        """Up to which entry Temporal has recorded it."""
        return max(self.recorded, self.entries or 0)


async def tail(client: Client, workflow_id: str, run_id: str = "") -> Tail:
    """How the latest run, or a given one, stands now: asked of the history itself, which no list lags behind.

    Raises RPCError.
    """
    request = GetWorkflowExecutionHistoryReverseRequest(
        namespace=client.namespace,
        execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
        maximum_page_size=PAGE,
    )
    found = Tail("running")
    reader = _Reader(client, found)
    while True:
        try:
            answer = await client.workflow_service.get_workflow_execution_history_reverse(request, retry=True)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return Tail("gone")
            raise
        for event in answer.history.events:
            if await reader.read(event):
                return found
        if not answer.next_page_token:
            return found
        request.next_page_token = answer.next_page_token


async def effective(client: Client, workflow_id: str) -> Tail:
    """The latest run that was a complaint at all: a start sent twice leaves a run that ended as a duplicate."""
    latest = await tail(client, workflow_id)
    if latest.state != "ended" or latest.begun:
        return latest
    for run in await runs(client, workflow_id):
        older = await tail(client, workflow_id, run)
        if older.begun:
            return older
    return latest


async def runs(client: Client, workflow_id: str) -> list[str]:
    """Every run that Temporal holds of a workflow, the latest first. Raises RPCError."""
    quoted = workflow_id.replace("\\", "\\\\").replace("'", "\\'")
    found = [run async for run in client.list_workflows(f"WorkflowId = '{quoted}'")]
    found.sort(key=lambda run: (run.start_time, run.history_length), reverse=True)
    ids = [run.run_id for run in found]
    try:
        latest = (await client.get_workflow_handle(workflow_id).describe()).run_id
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return ids
    return [latest, *(run for run in ids if run != latest)]  # the list lags behind


class _Reader:
    """Reads the events of one run, the latest first."""

    def __init__(self, client: Client, found: Tail) -> None:
        self._converter = client.data_converter
        self._found = found
        self._seen_task = False
        self._results: dict[int, Payload] = {}
        """Of activities that completed, by the event that scheduled them."""
        self._over: set[int] = set()
        """The events that scheduled activities which are over."""

    async def read(self, event: HistoryEvent) -> bool:
        """Whether this event settles what is recorded, so that older ones need not be read."""
        kind = event.event_type
        if kind in _ENDS:
            return await self._ended(event)
        if kind in _TASK and not self._seen_task:
            await self._task(event)
        elif kind == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            done = event.activity_task_completed_event_attributes
            self._over.add(done.scheduled_event_id)
            if done.result.payloads:
                self._results[done.scheduled_event_id] = done.result.payloads[0]
        elif kind in _NOT_DONE:
            self._over.add(_NOT_DONE[kind](event))
        elif kind == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            self._found.acting = self._found.acting or event.event_id not in self._over
            if event.event_id in self._results:
                return await self._did(event, self._results.pop(event.event_id))
        elif kind == EventType.EVENT_TYPE_MARKER_RECORDED:
            marker = event.marker_recorded_event_attributes
            if "result" in marker.details and not marker.HasField("failure"):
                return await self._did(event, marker.details["result"].payloads[0])
        elif kind == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
            await self._started(event)
        return False

    async def _ended(self, event: HistoryEvent) -> bool:
        found = self._found
        found.state, found.ended = "ended", _ENDS[event.event_type]
        payloads = event.workflow_execution_completed_event_attributes.result.payloads
        if found.ended == "completed" and payloads:
            result = await self._value(payloads[0], dict)
            entries = result.get("entries") if isinstance(result, dict) else None
            found.entries = entries if isinstance(entries, int) else None
        return found.entries is not None

    async def _task(self, event: HistoryEvent) -> None:
        self._seen_task = True
        self._found.deciding = event.event_type in _UNDER_WAY
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
            failure = event.workflow_task_failed_event_attributes.failure
            self._found.failing = str(await self._converter.decode_failure(failure)) or "no reason given"

    async def _did(self, event: HistoryEvent, result: Payload) -> bool:
        """An activity that succeeded: whether it recorded something. One that loads tells what was there."""
        if not event.user_metadata.HasField("summary"):
            return False
        summary = await self._value(event.user_metadata.summary, str)
        if summary == OPENED:
            opened = await self._value(result, Opened)
            self._found.recorded = max(self._found.recorded, len(opened.entries) if opened else 0)
        elif summary == LOADED:
            ledger = await self._value(result, Ledger)
            self._found.recorded = max(self._found.recorded, len(ledger.entries) if ledger else 0)
        elif isinstance(summary, str) and (record := _RECORD.fullmatch(summary)):
            recorded = await self._value(result, Recorded)
            if recorded and not recorded.diverged:
                self._found.recorded = max(self._found.recorded, int(record[1]))
                return True
        return False

    async def _started(self, event: HistoryEvent) -> None:
        started = event.workflow_execution_started_event_attributes
        if started.continued_execution_run_id and started.input.payloads:
            carried = await self._value(started.input.payloads[0], Carried)
            if carried:
                self._found.recorded = max(self._found.recorded, carried.case.seq - len(carried.entries))

    async def _value(self, payload: Payload, kind: Any) -> Any:
        """Nothing for what a stranger put there. Raises Misconfigured for what is sealed under another key."""
        (value,) = await self._converter.decode([payload], [kind])
        if isinstance(value, RawValue):
            if sealed(value):
                raise Misconfigured(f"A history cannot be read. {SEALED}")
            return None
        return value
