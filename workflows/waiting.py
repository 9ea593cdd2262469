"""Waits that a request to cancel the workflow does not end: such a request is put on record and ends nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow


async def until(condition: Callable[[], bool], *, within: timedelta | None = None, summary: str | None = None) -> None:
    """Wait until this is so. Raises TimeoutError, and CancelledError where the task itself is cancelled.

    The SDK takes whatever ends a wait together with a request to cancel the workflow for that request, in every task.
    """
    try:
        await workflow.wait_condition(condition, timeout=within, timeout_summary=summary)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        if within is not None and not condition():
            raise TimeoutError from None
