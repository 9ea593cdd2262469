"""What earlier releases left behind: a folder a release under `tests/histories` (docs/upgrades.md)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

from wire.client import DATA_CONVERTER
from worker import WORKFLOWS

KEPT = Path(__file__).parents[1] / "histories"
RELEASES = sorted(folder for folder in KEPT.iterdir() if folder.is_dir())
HISTORIES = sorted(KEPT.glob("*/*.json"))
LEDGERS = sorted(KEPT.glob("*/ledgers/*.json"))


class IncompatibleError(AssertionError):
    """What runs since an earlier release cannot go on under the sources as they are."""


def named(file: Path) -> str:
    """Such as `0.1.0/quiet`."""
    return file.relative_to(KEPT).with_suffix("").as_posix()


def recorded(file: Path) -> WorkflowHistory:
    """A history under the workflow id it was recorded with, which the complaint checks."""
    text = file.read_text(encoding="utf-8")
    started = json.loads(text)["events"][0]["workflowExecutionStartedEventAttributes"]
    return WorkflowHistory.from_json(started["workflowId"], text)


async def replay(file: Path, *workflows: Any, runner: WorkflowRunner | None = None) -> None:
    """Replay a history by these workflows, or by those there are, in the sandbox. Raises IncompatibleError."""
    replayer = Replayer(
        workflows=workflows or WORKFLOWS,
        data_converter=DATA_CONVERTER,
        workflow_runner=runner or SandboxedWorkflowRunner(),
    )
    try:
        await replayer.replay_workflow(recorded(file))
    except NondeterminismError as error:
        said = re.search(r'\[TMPRL1100\][^"]*', str(error))
        raise IncompatibleError(
            f"{named(file)}: what runs since release {file.parent.name} takes other steps now and would stop.\n"
            f"{said[0] if said else error}\n"
            "Let what began before take the steps it took: put the change behind workflow.patched (docs/upgrades.md)."
        ) from error
