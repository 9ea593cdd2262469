"""Recorded histories replay: complaints opened by an earlier version go on under this one (invariant 22)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from wire.client import DATA_CONVERTER
from workflows.circular import Circular
from workflows.complaint import Complaint

HISTORIES = sorted((Path(__file__).parents[1] / "histories").glob("*.json"))


def test_there_is_a_history_of_every_life() -> None:
    """An empty folder would let every change pass."""
    assert {file.stem for file in HISTORIES} >= {
        "quiet",
        "level_2",
        "level_3",
        "missed",
        "long",
        "replanned",
        "circular",
    }


def recorded(file: Path) -> WorkflowHistory:
    """A history under the workflow id it was recorded with, which the complaint checks."""
    text = file.read_text(encoding="utf-8")
    started = json.loads(text)["events"][0]["workflowExecutionStartedEventAttributes"]
    return WorkflowHistory.from_json(started["workflowId"], text)


@pytest.mark.parametrize("file", HISTORIES, ids=lambda file: file.stem)
async def test_a_recorded_history_replays(file: Path) -> None:
    """Whatever changes in the workflow or in `rules`, the commands of a running complaint come out the same."""
    await Replayer(workflows=[Circular, Complaint], data_converter=DATA_CONVERTER).replay_workflow(recorded(file))
