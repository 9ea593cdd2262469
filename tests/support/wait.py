"""Waiting for a condition instead of for a time."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

PATIENCE = 60.0  # seconds; the limit of a broken test, never what a good one takes


async def eventually(probe: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Ask `probe`, a plain or an async function, until its answer is true, and return that.

    AssertionError after `patience` seconds.
    """
    deadline = asyncio.get_running_loop().time() + patience
    while True:
        answer = probe()
        value = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        assert asyncio.get_running_loop().time() < deadline, f"still {value!r} after {patience:g} seconds"
        await asyncio.sleep(0.02)
