"""Starts the canary now, or has Temporal start it regularly."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    WorkflowFailureError,
)
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.canary_interface import PATIENCE
from starter.errors import NoWorker, Refused, Unreachable
from wire.labels import Label

WAIT = PATIENCE + 120
"""Seconds in which a flight has ended, however it went, when a worker runs."""


def schedule_id(task_queue: str) -> str:
    """The id of the schedule of whoever works on this task queue."""
    return f"canary/{task_queue}"


async def fly(client: Client, task_queue: str) -> dict[str, Any]:
    """One flight, now: its result. Raises Refused with the reason when it failed, NoWorker, Unreachable."""
    try:
        handle = await client.start_workflow(
            "Canary", id=f"canary/{uuid4().hex[:12]}", task_queue=task_queue, static_summary=Label("canary, by hand")
        )
        async with asyncio.timeout(WAIT):
            flown: dict[str, Any] = await handle.result()
    except WorkflowFailureError as failed:
        cause = failed.cause.cause if isinstance(failed.cause, ActivityError) else failed.cause
        raise Refused(cause.message if isinstance(cause, ApplicationError) else str(cause)) from None
    except TimeoutError:
        raise NoWorker(f"The canary has not ended after {WAIT} seconds; see `ombud doctor`.") from None
    except RPCError as error:
        raise Unreachable(f"Temporal does not do it: {error.message}") from None
    return flown


async def schedule(client: Client, task_queue: str, every: timedelta) -> None:
    """Have it fly regularly from now on, in place of any schedule before. Raises Unreachable."""
    wanted = Schedule(
        action=ScheduleActionStartWorkflow(
            "Canary", id="canary", task_queue=task_queue, static_summary=Label("canary")
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)]),
        # After an outage the next one tells enough; none is made up for.
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(minutes=1)),
    )
    try:
        try:
            await client.create_schedule(schedule_id(task_queue), wanted)
        except ScheduleAlreadyRunningError:
            handle = client.get_schedule_handle(schedule_id(task_queue))
            await handle.update(lambda _: ScheduleUpdate(schedule=wanted))
    except RPCError as error:
        raise Unreachable(f"Temporal does not do it: {error.message}") from None


async def unschedule(client: Client, task_queue: str) -> bool:
    """No flight from now on; false when none was scheduled. Raises Unreachable."""
    try:
        await client.get_schedule_handle(schedule_id(task_queue)).delete()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise Unreachable(f"Temporal does not do it: {error.message}") from None
    return True
