"""What runs since an earlier release goes on under this one: its recorded histories replay (invariant 22)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.worker import UnsandboxedWorkflowRunner

import workflows.recorder
from activities.interface import FINISH, Finished
from tests.support.releases import HISTORIES, KEPT, RELEASES, IncompatibleError, named, replay
from workflows import circular
from workflows.circular import Circular
from workflows.complaint import Complaint

LIVES = {"quiet", "level_2", "level_3", "missed", "long", "replanned", "carried"}
OTHERS = {"circular", "post", "webhook", "canary", "retention"}


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
def test_a_release_has_a_history_of_every_life(release: Path) -> None:
    """Every workflow that outlives an upgrade is recorded at each release; an empty folder would let all pass."""
    assert {file.stem for file in release.glob("*.json")} >= LIVES | OTHERS


@pytest.mark.parametrize("file", HISTORIES, ids=named)
async def test_a_recorded_history_replays(file: Path) -> None:
    """Whatever changes in a workflow or in `rules`, what runs takes the same steps. In the sandbox, so that a clock or
    a random number of the machine's own is refused, too."""
    await replay(file)


@workflow.defn(name="Complaint")
class OneTimerMore(Complaint):
    """What a careless change would be: a step that complaints of earlier releases did not take."""

    @workflow.run
    async def run(self, start: Any = None, *surplus: Any) -> dict[str, Any]:
        await workflow.sleep(1)
        return await super().run(start, *surplus)


@workflow.defn(name="Complaint")
class OneTimerMoreForNewOnes(Complaint):
    """The same as it has to be written."""

    @workflow.run
    async def run(self, start: Any = None, *surplus: Any) -> dict[str, Any]:
        if workflow.patched("one-timer-more"):
            await workflow.sleep(1)
        return await super().run(start, *surplus)


@workflow.defn(name="Circular")
class AnotherOrder(Circular):
    """Says that it is finished before it sends, for better or worse."""

    @workflow.run
    async def run(self, start: Any = None, *surplus: Any) -> dict[str, Any]:
        way = await self.begun(start, surplus)
        await circular._do(FINISH, way.id, Finished, "finish")
        return (await self.round(way)).model_dump()


OPEN = sorted(KEPT.glob("*/quiet.json")) + sorted(KEPT.glob("*/replanned.json"))


@pytest.mark.parametrize(
    ("file", "changed"),
    [*((file, OneTimerMore) for file in OPEN), *((file, AnotherOrder) for file in KEPT.glob("*/circular.json"))],
)
async def test_an_incompatible_change_is_caught(file: Path, changed: type) -> None:
    """A step more, or the same steps in another order: the replay fails and says which release, and what to do."""
    with pytest.raises(IncompatibleError) as caught:
        await replay(file, changed, runner=UnsandboxedWorkflowRunner())
    said = str(caught.value)
    assert named(file) in said
    assert "TMPRL1100" in said, "Temporal's own words: which event, and which command came in its place"
    assert "workflow.patched" in said


@pytest.mark.parametrize("file", OPEN, ids=named)
async def test_another_name_for_an_activity_is_caught(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a complaint asks for by name keeps its name, also where nothing else changes."""
    monkeypatch.setattr(workflows.recorder, "RECORD", "record_anew")
    with pytest.raises(IncompatibleError, match="record"):
        await replay(file, Complaint, runner=UnsandboxedWorkflowRunner())


@pytest.mark.parametrize("file", OPEN, ids=named)
async def test_a_change_behind_a_patch_passes(file: Path) -> None:
    """The remedy that the message names is one: complaints of earlier releases take the steps they took."""
    await replay(file, OneTimerMoreForNewOnes, runner=UnsandboxedWorkflowRunner())
