"""What an earlier release wrote is understood: its ledgers, and arguments that were under way (invariant 22)."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from temporalio import activity
from temporalio.api.enums.v1 import EventType

import activities.canary
import activities.circulars
import activities.erasing
import activities.post
import activities.records
import activities.webhooks
from rules.commands import BETWEEN, COMMANDS, OpenComplaint
from rules.fold import fold
from rules.ledger import Entry
from storage.changes import Changes
from storage.projector import project_complaint
from storage.tables import clocks, complaints
from tests.support.releases import HISTORIES, LEDGERS, RELEASES, named, recorded
from wire.packing import unpack
from workflows.carried import Carried

OFFICES = (
    activities.canary.CanaryDesk,
    activities.circulars.Circulars,
    activities.erasing.Eraser,
    activities.post.PostOffice,
    activities.records.Records,
    activities.webhooks.Dispatcher,
)


def loaded(file: Path) -> tuple[list[Entry], dict[str, Any]]:
    """The entries of a recorded ledger, and the state they folded to."""
    kept = json.loads(file.read_text(encoding="utf-8"))
    return [Entry.model_validate(entry) for entry in kept["entries"]], kept["state"]


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
def test_a_release_has_ledgers(release: Path) -> None:
    """An empty folder would let every change pass."""
    there = {file.stem for file in (release / "ledgers").glob("*.json")}
    assert there >= {"quiet", "level_2", "level_3", "missed", "long", "replanned"}


@pytest.mark.parametrize("file", LEDGERS, ids=named)
def test_an_old_ledger_folds_to_the_same_state(file: Path) -> None:
    """Everything that the release knew of the complaint is the same now; what was added since may stand beside it."""
    entries, state = loaded(file)
    now = fold(entries).model_dump(mode="json")
    assert list(_changed(state, now)) == []


def _changed(was: Any, now: Any, where: str = "state") -> Iterator[str]:
    """The places at which what was is not there any more, or is something else."""
    if isinstance(was, dict) and isinstance(now, dict):
        for key, value in was.items():
            yield from _changed(value, now.get(key), f"{where}.{key}")
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for number, (one, other) in enumerate(zip(was, now, strict=True)):
            yield from _changed(one, other, f"{where}[{number}]")
    elif was != now:
        yield f"{where} was {was!r} and is {now!r}"


def test_another_state_is_seen() -> None:
    """The comparison finds what differs and lets pass what was added."""
    assert list(_changed({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}], "d": 3})) == []
    assert list(_changed({"a": [{"b": 1}]}, {"a": [{"b": 2}]})) == ["state.a[0].b was 1 and is 2"]
    assert list(_changed({"a": [1, 2]}, {"a": [1]})) == ["state.a was [1, 2] and is [1]"]
    assert list(_changed({"a": 1}, {})) == ["state.a was 1 and is None"]


@pytest.mark.parametrize("file", LEDGERS, ids=named)
def test_an_old_ledger_is_projected(file: Path) -> None:
    """`ombud rebuild` makes the tables of this release out of it: the complaint, and a row for each clock."""
    entries, state = loaded(file)
    changes = Changes()
    project_complaint(changes, f"{state['contract']}/{state['reference']}", "v" * 64, "received", entries)
    assert len(changes._new[complaints]) == 1
    assert len(changes._new[clocks]) == len(state["clocks"])


def _definitions() -> dict[str, tuple[list[Any], int]]:
    """The arguments of each activity, by its name, and how many must be there: one added later has a default."""
    found = {}
    for office in OFFICES:
        for member in vars(office).values():
            if (definition := activity._Definition.from_callable(member)) is not None:
                assert definition.name is not None
                spare = [p for p in inspect.signature(member).parameters.values() if p.default is not p.empty]
                arguments = list(definition.arg_types or [])
                found[definition.name] = arguments, len(arguments) - len(spare)
    return found


def _payloads(payloads: Any) -> list[Any]:
    return [json.loads(unpack(payload).data) for payload in payloads.payloads]


@pytest.mark.parametrize("file", HISTORIES, ids=named)
def test_what_was_under_way_is_understood(file: Path) -> None:
    """Arguments that an earlier release sent and a worker of this one takes up: starts, commands, activities."""
    known, taken = _definitions(), 0
    for event in recorded(file).events:
        match EventType.Name(event.event_type).removeprefix("EVENT_TYPE_"):
            case "WORKFLOW_EXECUTION_STARTED":
                started = event.workflow_execution_started_event_attributes
                if started.workflow_type.name == "Complaint":
                    model = Carried if started.continued_execution_run_id else OpenComplaint
                    model.model_validate(_payloads(started.input)[0])
                    taken += 1
            case "WORKFLOW_EXECUTION_UPDATE_ACCEPTED":
                asked = event.workflow_execution_update_accepted_event_attributes.accepted_request.input
                (COMMANDS | BETWEEN)[asked.name].model_validate(_payloads(asked.args)[0])
                taken += 1
            case "ACTIVITY_TASK_SCHEDULED":
                scheduled = event.activity_task_scheduled_event_attributes
                arguments, least = known[scheduled.activity_type.name]
                sent = _payloads(scheduled.input)
                assert least <= len(sent) <= len(arguments)
                for kind, value in zip(arguments, sent, strict=False):
                    TypeAdapter(kind).validate_python(value)
                taken += 1
    assert taken
