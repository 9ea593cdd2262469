"""Erases, day by day, what customers said and the contract keeps no longer; holds are respected, all is on record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.interface import FORGET, RETENTION, SWEEP, Swept
    from wire.labels import Label

RETRY = RetryPolicy(initial_interval=timedelta(seconds=5), maximum_interval=timedelta(minutes=10))
"""Without end: what is due stays due while Postgres or Temporal is away."""


@workflow.defn(name=RETENTION)
class Retention:
    """One sweep, batch by batch. Its result says how many were erased, held back and forgotten."""

    @workflow.run
    async def run(self, so_far: Swept | None = None, *_surplus: Any) -> Swept:
        """`so_far` is what the run before carries on."""
        done, more = so_far or Swept(), so_far is None or so_far.cursor is not None
        while more:
            done = done.plus(await self._batch(SWEEP, done))
            more = done.cursor is not None
            if more and workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(done)
        more = True
        while more:
            done = done.plus(await self._batch(FORGET, done))
            more = bool(done.behind)
            if more and workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(done)
        return done

    @staticmethod
    async def _batch(name: str, done: Swept) -> Swept:
        batch: Swept = await workflow.execute_activity(
            name,
            done,
            result_type=Swept,
            start_to_close_timeout=timedelta(minutes=10),
            heartbeat_timeout=timedelta(minutes=1),
            retry_policy=RETRY,
            summary=Label(name.replace("_", " ")),
        )
        return batch
