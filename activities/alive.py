"""Lets Temporal know that whoever does a long piece of work still lives.

Without it the work of a worker that was killed is begun anew only once its whole time is up: minutes, in which nothing
is delivered, however urgent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from temporalio import activity

T = TypeVar("T")

BEAT = 5.0
"""Seconds between two signs of life; most work is done before the first, which then costs nothing."""


async def alive(work: Coroutine[Any, Any, T]) -> T:
    """The work of this activity, with signs of life.

    Whoever asks it to stop hears of it with such a sign, but what is under way ends by itself: a mail is not broken off
    between its last byte and the server's answer. Only a worker that shuts down, or a time limit, breaks it off.
    """
    if not activity.in_activity():
        return await work
    task, beats = asyncio.create_task(work), asyncio.create_task(_beat())
    asked = False
    try:
        while True:
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                why = activity.cancellation_details()
                if asked or task.done() or why is None or not why.cancel_requested:
                    raise
                asked = True
    finally:
        for one in (task, beats):
            one.cancel()
        with suppress(asyncio.CancelledError):
            await beats


async def _beat() -> None:
    while True:
        await asyncio.sleep(BEAT)
        activity.heartbeat()
