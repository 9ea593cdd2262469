"""How exactly a clock's timer is armed: what its workflow does not count of the time is made up for, and no more."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from temporalio import activity, workflow
from temporalio.api.enums.v1 import EventType
from temporalio.testing import WorkflowEnvironment

from activities.interface import OPEN, RECORD, Batch, Opened, Opening, Recorded
from tests.support.memory import Memory
from tests.support.story import SMALL
from tests.support.wait import eventually
from tests.workflows.test_complaint import Handle, begin, start_of
from workflows.recorder import LARGEST_LAG, SHORTEST, Outbox, plausible

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
DAY_AND_NIGHT = {"zone": "Asia/Shanghai", "hours": {"mon-sun": ["00:00-24:00"]}}


class Ahead(Memory):
    """Records by a clock that is ahead of everybody's."""

    def __init__(self, by: timedelta) -> None:
        super().__init__()
        self.by = by
        self.contract = SMALL | {"calendar": DAY_AND_NIGHT}

    @activity.defn(name=OPEN)
    async def open(self, asked: Opening) -> Opened:
        opened = await super().open(asked)
        recorded = opened.recorded.model_copy(update={"at": datetime.now(UTC) + self.by})
        return opened.model_copy(update={"recorded": recorded})

    @activity.defn(name=RECORD)
    async def record(self, batch: Batch) -> Recorded:
        return (await super().record(batch)).model_copy(update={"at": datetime.now(UTC) + self.by})


def test_a_timer_is_shorter_by_what_was_not_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is armed by the workflow's own time again, and none runs for no time at all."""
    monkeypatch.setattr(workflow, "now", lambda: NOW)
    outbox = Outbox("small/R-1", "v1")
    outbox.lag = timedelta(milliseconds=120)
    assert outbox.until(NOW + timedelta(seconds=1)) == timedelta(milliseconds=880)
    assert outbox.until(NOW + timedelta(seconds=1)) == timedelta(seconds=1)
    outbox.lag = timedelta(milliseconds=120)
    assert outbox.until(NOW + timedelta(milliseconds=50)) == SHORTEST


def test_what_no_clock_can_be_off_by_is_not_believed() -> None:
    """A clock that is behind, or ahead by more than a second, says nothing about the time that passed."""
    assert plausible(timedelta(milliseconds=120)) == timedelta(milliseconds=120)
    assert plausible(LARGEST_LAG) == LARGEST_LAG
    for wrong in (-timedelta(seconds=3), LARGEST_LAG + SHORTEST, timedelta(days=30)):
        assert plausible(wrong) == timedelta()


@pytest.mark.parametrize("by", [timedelta(seconds=0.9), timedelta(minutes=5), -timedelta(minutes=5)])
async def test_nothing_is_missed_before_its_time(temporal_env: WorkflowEnvironment, by: timedelta) -> None:
    """However wrong the clock of the worker that records is: the miss comes at its due time, after few timers."""
    client, queue, memory = temporal_env.client, f"q-{uuid.uuid4()}", Ahead(by)
    reference = f"R-{uuid.uuid4()}"
    received = datetime.now(UTC) + timedelta(seconds=2.5) - timedelta(minutes=15)
    async with memory.serving(client, queue):
        start = start_of(reference, received_at=received.isoformat())
        handle = await begin(client, queue, start, reference=reference)
        ledger = memory.ledger.setdefault(f"small/{reference}", [])
        await eventually(lambda: any(entry.type == "clock_missed" for entry in ledger))
        (missed,) = [entry for entry in ledger if entry.type == "clock_missed"]
        assert missed.occurred_at == received + timedelta(minutes=15)
        assert missed.recorded_at >= missed.occurred_at
        assert await timers(handle) <= 4, "the clock's, one armed again, and the next rung's"
        await handle.terminate()


async def timers(handle: Handle) -> int:
    """How many were started."""
    started = EventType.EVENT_TYPE_TIMER_STARTED
    return sum(event.event_type == started for event in (await handle.fetch_history()).events)
