"""Hands entries to Postgres in order, off the clock's path: an outage delays records, never clocks (invariant 15)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from pydantic_core import to_json

    from activities.interface import RECORD, Batch, Recorded
    from rules.contract import Stage
    from rules.ledger import Entry
    from rules.values import Value
    from wire.labels import Label

MOST = 50
"""Entries in one batch; a batch is one transaction."""

MOST_BYTES = 1_000_000
"""Bytes in one batch of several entries, and in what a run hands to the next: Temporal carries at most 2 MB at once."""

OPENED, LOADED = "open", "load the ledger"
"""The summaries of activities that bring the ledger into a history. `starter.reconcile` reads them there, and that of
`Outbox.record`."""

SHORTEST = timedelta(milliseconds=1)
"""Of all timers."""

LARGEST_LAG = timedelta(seconds=1)
"""A clock that differs by more from Temporal's is wrong."""

Result = TypeVar("Result")


async def durable(
    name: str, argument: Value, result: type[Result], summary: str, away: Callable[[], None] | None = None
) -> Result:
    """Run an activity until it succeeds: once as a local activity, then as a regular one without end.

    The local one costs one event and no round trip. It gets a single short try, since a workflow task is held while it
    runs; when the neighbour is away, the regular one waits for it beside the clocks, and `away` is told so before.
    """
    try:
        done: Result = await workflow.execute_local_activity(
            name,
            argument,
            result_type=result,
            start_to_close_timeout=timedelta(seconds=3),
            retry_policy=RetryPolicy(maximum_attempts=1),
            summary=Label(summary),
        )
    except FailureError as error:
        if is_cancelled_exception(error):
            raise
        if away is not None:
            away()
        done = await insistent(name, argument, result, summary)
    return done


async def insistent(name: str, argument: Value, result: type[Result], summary: str) -> Result:
    """Run a regular activity until it succeeds."""
    done: Result = await workflow.execute_activity(
        name,
        argument,
        result_type=result,
        start_to_close_timeout=timedelta(seconds=60),
        retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1)),
        summary=Label(summary),
    )
    return done


class Outbox:
    """Entries decided and not yet recorded, with their texts. Carried on when a run continues as new."""

    def __init__(self, complaint: str, version: str) -> None:
        self.complaint = complaint
        self.version = version
        self.entries: list[Entry] = []
        self.texts: dict[int, dict[str, str]] = {}
        self.sizes: dict[int, int] = {}
        self.stuck = False
        """Whether Postgres is away and the oldest entries wait for it: nobody is to wait with them."""
        self.lag = timedelta()
        """By how much the time of this workflow was behind the world's at the last record: within a task only what its
        activities took counts, and not what they waited for."""

    def add(self, entries: list[Entry], texts: dict[int, dict[str, str]]) -> None:
        self.entries += entries
        self.texts |= texts
        for entry in entries:
            self.sizes[entry.seq] = len(to_json(entry)) + len(to_json(texts.get(entry.seq, {})))

    def light(self) -> bool:
        """Whether the next run can be handed all of it."""
        return sum(self.sizes.values()) <= MOST_BYTES

    def clear(self) -> None:
        """Forget what was decided, once it was decided again."""
        self.entries.clear()
        self.texts.clear()
        self.sizes.clear()

    def holds(self, key: str) -> bool:
        """Whether the entry of this command will be on record in a moment, and is not yet."""
        return not self.stuck and any(entry.key == key for entry in self.entries)

    def idle(self) -> bool:
        """Whether no record will be done in a moment."""
        return self.stuck or not self.entries

    def wait(self) -> None:
        """Postgres is away."""
        self.stuck = True

    async def record(self, stage: Stage) -> Recorded:
        """Record the oldest entries. Where the ledger holds others in their place, they stay here."""
        entries = self._oldest()
        texts = {entry.seq: self.texts[entry.seq] for entry in entries if entry.seq in self.texts}
        batch = Batch(complaint=self.complaint, version=self.version, stage=stage, entries=entries, texts=texts)
        summary = f"record {entries[0].seq}–{entries[-1].seq}"
        recorded = await durable(RECORD, batch, Recorded, summary, away=self.wait)
        self.was_recorded(recorded)
        if recorded.diverged:
            return recorded
        del self.entries[: len(entries)]
        for entry in entries:
            self.texts.pop(entry.seq, None)
            self.sizes.pop(entry.seq, None)
        return recorded

    def was_recorded(self, recorded: Recorded) -> None:
        """What a record says of the time."""
        self.lag = plausible(recorded.at - workflow.now() if recorded.at else timedelta())

    def until(self, moment: datetime) -> timedelta:
        """How long a timer has to run that is started now, and no less than it takes to start one. One that fires too
        early, since the clock of the worker that recorded was ahead, is started again by Temporal's time alone."""
        lag, self.lag = self.lag, timedelta()
        return max(moment - workflow.now() - lag, SHORTEST)

    def _oldest(self) -> tuple[Entry, ...]:
        """As many as one batch holds, and one at least: a single entry always fits."""
        total, taken = 0, 0
        for entry in self.entries[:MOST]:
            total += self.sizes[entry.seq]
            if taken and total > MOST_BYTES:
                break
            taken += 1
        return tuple(self.entries[:taken])


def plausible(lag: timedelta) -> timedelta:
    """What it says, unless a clock must be wrong."""
    return lag if timedelta() < lag <= LARGEST_LAG else timedelta()
