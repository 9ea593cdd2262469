"""What Temporal starts by itself, day by day. The schedules are made by whichever worker comes first."""

from __future__ import annotations

from contextlib import suppress

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleRange,
    ScheduleSpec,
)

from activities.interface import RETENTION, retention_id
from wire.labels import Label

HOUR, MINUTE = 19, 17
"""UTC: in the small hours where the shipped contracts are at home."""


def sweep(task_queue: str) -> Schedule:
    """The daily sweep of whoever works on this task queue."""
    return Schedule(
        action=ScheduleActionStartWorkflow(
            RETENTION,
            id=retention_id(task_queue),
            task_queue=task_queue,
            static_summary=Label("erase what is kept no longer"),
        ),
        spec=ScheduleSpec(calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(HOUR)], minute=[ScheduleRange(MINUTE)])]),
    )


async def keep_schedules(client: Client, task_queue: str) -> None:
    """Make the schedules that are missing; one that is there stays as it is, paused or moved. Raises RPCError."""
    with suppress(ScheduleAlreadyRunningError):
        await client.create_schedule(retention_id(task_queue), sweep(task_queue))
