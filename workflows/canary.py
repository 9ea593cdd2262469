"""The canary: a complaint whose clock must warn and whose mail must arrive. A watcher outside hears of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.canary_interface import CLOSE, LOOK, OPEN, PATIENCE, PING, Flight, Landing, Steps
    from wire.labels import Label

Result = TypeVar("Result")


@workflow.defn(name="Canary")
class Canary:
    """One flight. Fails when the warning was not accepted in time, after the watcher was told so."""

    @workflow.run
    async def run(self, *_surplus: Any) -> dict[str, Any]:
        """How long each step took."""
        now = workflow.now()
        flight = Flight(reference=f"{now:%Y%m%dT%H%M%S}-{workflow.uuid4().hex[:8]}", started_at=now)
        workflow.set_current_details(f"canary/{flight.reference}")
        steps, why = Steps(steps=()), ""
        try:
            await _do(OPEN, flight, type(None), 30)
            steps = await _do(LOOK, flight, Steps, PATIENCE + 30)
        except ActivityError as error:
            why = error.cause.message if isinstance(error.cause, ApplicationError) else str(error.cause)
        try:
            await _do(CLOSE, flight, type(None), 30)
        except ActivityError as error:
            why = why or f"It could not be closed: {error.cause}"
        told = await _do(PING, Landing(ok=not why, why=why), bool, 30)
        if why:
            raise ApplicationError(why, type="CanaryFailed", non_retryable=True)
        return {"complaint": f"canary/{flight.reference}", **steps.model_dump(mode="json"), "watcher_told": told}


async def _do(name: str, argument: Flight | Landing, result: type[Result], seconds: int) -> Result:
    done: Result = await workflow.execute_activity(
        name,
        argument,
        result_type=result,
        start_to_close_timeout=timedelta(seconds=seconds),
        heartbeat_timeout=timedelta(seconds=20) if name == LOOK else None,
        retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=3),
        summary=Label(name.replace("_", " ")),
    )
    return done
