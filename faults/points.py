"""Named points: the moments between two things that belong together, at which a fault is worst.

A process of Ombud that runs under test stops at each and asks the injector, which answers, or kills first: this
process, or a neighbour of it. Where no injector listens, nobody is asked.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

PORT = "FAULTS_PORT"
"""The variable that says where the injector listens."""

PATIENCE = "FAULTS_PATIENCE"
"""The variable that says after how many seconds Temporal gives a dead worker's cases to another; ten by itself."""

OF_WORKER = {
    "registering": "the complaint is registered, not committed",
    "decided": "entries are decided and written, not committed",
    "recorded": "entries are committed, and whoever delivers the notices is not poked yet",
    "claimed": "notices are claimed and committed, the mail is not sent",
    "taken": "the mail server said 250, which is not committed",
    "settled": "the 250 is committed, and complaints that wait for it are not told",
    "announced": "entries are committed, and whoever sends events to webhooks is not poked yet",
    "gathered": "complaints took a circular, and what they answered is not committed",
    "forgetting": "Temporal has forgotten a complaint that is erased, which is not on record",
    "delivered": "the receiver of a webhook said 2xx, which is not committed",
    "gone": "the receiver of a webhook said 410, which is not committed",
}
OF_GATEWAY = {
    "opened": "Temporal started the complaint, the HTTP client has no answer",
    "told": "the complaint took the command, the HTTP client has no answer",
}
POINTS = OF_WORKER | OF_GATEWAY


async def reach(point: str) -> None:
    """Ask the injector whether life goes on here."""
    port = os.environ.get(PORT)
    if port is None:
        return
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
        writer.write(f"{point}\n".encode())
        await reader.readline()
        writer.close()
    except OSError:
        return


def after(point: str, wrapped: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """The same function, with a named point when it is done and before its caller knows."""

    @wraps(wrapped)
    async def pointed(*args: P.args, **kwargs: P.kwargs) -> R:
        result = await wrapped(*args, **kwargs)
        await reach(point)
        return result

    return pointed


def before(point: str, wrapped: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """The same function, with a named point before it begins."""

    @wraps(wrapped)
    async def pointed(*args: P.args, **kwargs: P.kwargs) -> R:
        await reach(point)
        return await wrapped(*args, **kwargs)

    return pointed
