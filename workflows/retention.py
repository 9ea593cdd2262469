"""Erases, day by day, what customers said and the contract keeps no longer; holds are respected, all is on record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from activities.interface import FORGET, RETENTION, SWEEP, Swept
    from rules.ledger import explain_invalid
    from wire.labels import Label

RETRY = RetryPolicy(initial_interval=timedelta(seconds=5), maximum_interval=timedelta(minutes=10))
"""Without end: what is due stays due while Postgres or Temporal is away."""


def _state(so_far: Any) -> Swept:
    """Taken as it came and validated here: what fails to decode before our code runs would hold a run up for ever."""
    try:
        return Swept() if so_far is None else Swept.model_validate(so_far)
    except ValidationError as error:
        said = explain_invalid("What a sweep goes on from", error)
        raise ApplicationError(f"A sweep is started without an argument. {said}", non_retryable=True) from None


@workflow.defn(name=RETENTION)
class Retention:
    """One sweep, batch by batch. Its result says how many were erased, held back and forgotten."""

    @workflow.run
    async def run(self, so_far: Any = None, *_surplus: Any) -> Swept:
        """`so_far` is what the run before carries on, a Swept."""
        done, more = _state(so_far), so_far is None or so_far.get("cursor") is not None
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
