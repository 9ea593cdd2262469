"""An update of a workflow, sent until it is answered.

Where a message comes in as a run ends, the server has the task done again and gives the updates in it back; under the
same id each is taken once, so it is sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.service import RPCError

GIVEN_BACK = "workflow task failure"
"""What the server says of an update that it gives back."""

AGAIN = 0.05
"""Seconds."""


async def answered(ask: Callable[[], Awaitable[Any]]) -> Any:
    """What the update answers. Raises what `ask` raises for any other reason."""
    while True:
        try:
            return await ask()
        except RPCError as error:
            if GIVEN_BACK not in error.message:
                raise
        await asyncio.sleep(AGAIN)
