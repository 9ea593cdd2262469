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

SHORT, LONG = timedelta(seconds=3), timedelta(seconds=15)
"""What a first try has, and what each later one: so long it takes until somebody else does what a killed worker had in
hand. A try that goes on behind that does no harm, since the next one finds what it did."""

SHORTEST = timedelta(milliseconds=1)
"""Of all timers."""

LARGEST_LAG = timedelta(seconds=1)
"""A clock that differs by more from Temporal's is wrong."""

Result = TypeVar("Result")


async def durable(
    name: str,
    argument: Value,
    result: type[Result],
    summary: str,
    *,
    away: Callable[[], None] | None = None,
    beside: bool = False,
) -> Result:
    """Run an activity until it succeeds: first a single short try, then as a regular activity without end.

    The try is a local activity, one event and no round trip, which holds the workflow task up while it runs; `beside`
    it is a regular one, which does not. When the neighbour is away, `away` is told so before it is waited for.
    """
    execute = workflow.execute_activity if beside else workflow.execute_local_activity
    try:
        done: Result = await execute(
            name,
            argument,
            result_type=result,
            start_to_close_timeout=SHORT,
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
        start_to_close_timeout=LONG,
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
        self.commanded: set[int] = set()
        """Sequences of entries that a command alone decided: its answer says what Temporal's history now holds."""
        self.beside = False
        """Whether the oldest entries are recorded beside the workflow's tasks, and not within one."""
        self.away = False
        """Whether they wait for Postgres: nobody is to wait with them."""
        self.lag = timedelta()
        """By how much the time of this workflow was behind the world's at the last record: within a task only what its
        activities took counts, and not what they waited for."""

    def add(self, entries: list[Entry], texts: dict[int, dict[str, str]], *, commanded: bool = False) -> None:
        self.entries += entries
        if commanded:
            self.commanded |= {entry.seq for entry in entries}
        self.texts |= texts
        for entry in entries:
            self.sizes[entry.seq] = len(to_json(entry)) + len(to_json(texts.get(entry.seq, {})))

    def light(self) -> bool:
        """Whether the next run can be handed all of it."""
        return sum(self.sizes.values()) <= MOST_BYTES

    def clear(self) -> None:
        """Forget what was decided, once it was decided again."""
        self.entries.clear()
        self.commanded.clear()
        self.texts.clear()
        self.sizes.clear()

    def holds(self, key: str) -> bool:
        """Whether the sender of this command has to wait for its record, which will be made in a moment.

        What a command alone decided was never on record before Temporal had it. All else may be, by an attempt at the
        same task that died: then the ledger says where the command stands.
        """
        waits = False
        for entry in self.entries:
            waits = waits or entry.seq not in self.commanded
            if entry.key == key:
                return waits and not self.away
        return False

    def idle(self) -> bool:
        """Whether no record holds the workflow task up."""
        return self.beside or not self.entries

    def wait(self) -> None:
        """Postgres is away."""
        self.beside = self.away = True

    def resume(self) -> bool:
        """Postgres answered; whether that was some time after it was asked."""
        waited, self.beside, self.away = self.beside, False, False
        return waited

    async def record(self, stage: Stage) -> Recorded:
        """Record the oldest entries. Where the ledger holds others in their place, they stay here.

        What commands alone decided is recorded beside the task: within it their answers would wait for Postgres. What
        time, a signal or a record decided has nobody who waits, and takes a sixth of the events within the task.
        """
        entries = self._oldest()
        texts = {entry.seq: self.texts[entry.seq] for entry in entries if entry.seq in self.texts}
        batch = Batch(complaint=self.complaint, version=self.version, stage=stage, entries=entries, texts=texts)
        first, last = entries[0].seq, entries[-1].seq
        summary = f"entry {last}" if first == last else f"entries {first}–{last}"  # behind “record” in the Web UI
        self.beside = self.commanded.issuperset(entry.seq for entry in entries)
        recorded = await durable(RECORD, batch, Recorded, summary, away=self.wait, beside=self.beside)
        self.was_recorded(recorded)
        if recorded.diverged:
            return recorded
        del self.entries[: len(entries)]
        for entry in entries:
            self.commanded.discard(entry.seq)
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
