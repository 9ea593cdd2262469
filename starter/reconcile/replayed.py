"""What Temporal still knows of a complaint that Postgres has lost: its histories, run through the same code again.

A history holds what came in and not the entries that were decided from it, so each run is replayed, here and beside the
workers: nothing is sent to Temporal, and none needs to run. Of runs that continued each other every one is read, as far
back as Temporal keeps them.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from activities.interface import Registered
from rules.commands import OpenComplaint
from rules.complaint import Complaint as Case
from rules.decide import Decision
from rules.ledger import Entry, digest
from starter.reconcile.tails import runs
from workflows.beginning import Begun
from workflows.complaint import Complaint

_LEFT: dict[str, _Told] = {}
"""The complaints of replays, each by its run, until they are fetched here."""


@dataclass
class Account:
    """What Temporal knows of one complaint."""

    entries: dict[int, Entry] = field(default_factory=dict)
    texts: dict[int, dict[str, str]] = field(default_factory=dict)
    registered: Registered | None = None
    case: Case | None = None
    """As its latest run has it."""
    start: OpenComplaint | None = None
    """What it was opened with, where the first run is still there."""
    first_run: str = ""
    started_at: datetime | None = None
    unreadable: str = ""
    """Why a run could not be replayed."""

    def since(self, seq: int) -> list[Entry]:
        """The entries behind one, as far as none is missing."""
        found: list[Entry] = []
        while entry := self.entries.get(seq + len(found) + 1):
            found.append(entry)
        return found

    @property
    def wordless(self) -> int:
        """Entries whose words no run holds any more."""
        return sum(bool(entry.content) and seq not in self.texts for seq, entry in self.entries.items())

    @property
    def digest(self) -> str:
        return digest(self.start) if self.start else ""


async def account(client: Client, workflow_id: str, behind: int = 0) -> Account:
    """Everything about a complaint behind an entry, from the latest run backwards until nothing is missing.

    Raises RPCError.
    """
    found = Account()
    for run in await runs(client, workflow_id):
        try:
            history = await client.get_workflow_handle(workflow_id, run_id=run).fetch_history()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                continue  # deleted meanwhile, or only the list remembers it
            raise
        told = await _replay(client, history, found)
        if told is not None:
            _join(found, told, history)
        if _whole(found, behind):
            break
    return found


def _whole(found: Account, behind: int) -> bool:
    if found.case is None:
        return False
    missing = range(behind + 1, found.case.seq + 1)
    worded = all(not found.entries[n].content or n in found.texts for n in missing if n in found.entries)
    return worded and all(n in found.entries for n in missing) and (behind > 0 or found.start is not None)


async def _replay(client: Client, history: WorkflowHistory, found: Account) -> _Told | None:
    """The complaint as one run leaves it; nothing for a run that never was one."""
    if not any(event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED for event in history.events):
        return None  # it has decided nothing yet, and a replay would wait for it to begin
    started = history.events[0].workflow_execution_started_event_attributes
    replayer = Replayer(
        workflows=[_Told],
        data_converter=client.data_converter,
        namespace=client.namespace,
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    told = _LEFT.pop(started.original_execution_run_id, None)
    if result.replay_failure is not None:
        found.unreadable = str(result.replay_failure)
    return told if told is not None and told.begun else None


def _join(found: Account, told: _Told, history: WorkflowHistory) -> None:
    """What a run knows beside what later runs knew already: the later one is right."""
    for seq, entry in told.entries.items():
        if seq not in found.entries:
            found.entries[seq] = entry
        if seq in told.texts and found.entries[seq] == entry:
            found.texts.setdefault(seq, told.texts[seq])
    found.registered = found.registered or told.registered
    found.case = found.case or told.case
    if told.start is not None:
        found.start, found.started_at = told.start, told.case.recorded_at
        started = history.events[0].workflow_execution_started_event_attributes
        found.first_run = started.first_execution_run_id


@workflow.defn(name="Complaint")
class _Told(Complaint):
    """A complaint that leaves behind what it decided."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[int, Entry] = {}
        self.texts: dict[int, dict[str, str]] = {}
        self.start: OpenComplaint | None = None
        _LEFT[workflow.info().run_id] = self

    @workflow.run
    async def run(self, start: Any = None, *surplus: Any) -> dict[str, Any]:
        if not workflow.info().continued_run_id:
            with suppress(ValidationError):  # a revival, or a start that became no complaint
                self.start = OpenComplaint.model_validate(start)
        return await super().run(start, *surplus)

    def begin(self, begun: Begun) -> None:
        words = {1: self.start.texts()} if self.start else {}
        self._note([*begun.ledger, *begun.outbox.entries], begun.outbox.texts | words)
        super().begin(begun)

    async def ledger(self) -> list[Entry]:
        found = await super().ledger()
        self._note(found, {})
        return found

    def apply(self, decision: Decision, **how: bool) -> None:
        self._note(decision.entries, decision.texts)
        super().apply(decision, **how)

    def _note(self, entries: list[Entry], texts: dict[int, dict[str, str]]) -> None:
        workflow.random()  # raises while the run is put away, which looks like a cancel request and is none
        for entry in entries:
            if self.entries.get(entry.seq) != entry:
                self.entries[entry.seq] = entry
                self.texts.pop(entry.seq, None)
        self.texts |= texts
