"""Commands to many complaints: start the workflow that carries one, follow it, and say what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic import ConfigDict
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowQueryFailedError
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from activities.interface import Counts, Unmoved, circular_id
from rules.circular import Circular
from rules.values import Value
from starter.errors import NoWorker, Refused
from starter.temporal_errors import temporal_errors
from wire.labels import Label

if TYPE_CHECKING:
    from starter.client import Ombud

Watch = Callable[[Counts], None]
"""Hears how far a circular has come."""

A_MOMENT = timedelta(seconds=5)
"""For one look at it."""
BLINK = 0.3
"""Seconds between two looks at a circular."""
PATIENCE = 90.0
"""Seconds without any progress after which nobody waits any longer; the circular goes on by itself."""


class Carried(Value):
    """What came of a circular. Only a part of those that did not take it is named here; all stand in Postgres."""

    model_config = ConfigDict(extra="ignore")

    circular: str
    command: str
    complaints: int
    taken: int
    refused: int
    gone: int
    """Closed before it reached them, or running nowhere."""
    unmoved: tuple[Unmoved, ...] = ()
    more: int = 0
    """Those that did not take it and are not named here."""


async def begin(client: Client, task_queue: str, circular: Circular, id_: str) -> WorkflowHandle[Any, Any]:
    """Run a circular, unless it runs already. Whoever answered before gives the same answer. Raises RPCError."""
    return await client.start_workflow(
        "Circular",
        circular.model_dump(mode="json", exclude_none=True),
        id=circular_id(id_),
        task_queue=task_queue,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=Label(f"{circular.command} · {circular.incident or circular.contract}"),
    )


async def carry(ombud: Ombud, circular: Circular, id_: str, watch: Watch | None = None) -> Carried:
    """Send a circular and wait for its end. The same id and content again repeats nothing and has the same end.

    Raises Refused, NoWorker when nothing moves any more, Unreachable.
    """
    with temporal_errors(ombud.task_queue, PATIENCE):
        handle = await begin(ombud.temporal, ombud.task_queue, circular, id_)
        ending = asyncio.ensure_future(handle.result())
        try:
            await _follow(handle, ending, watch, id_)
            result = await ending
        except WorkflowFailureError as failure:
            _refused(failure)
        finally:
            ending.cancel()
    carried = Carried.model_validate(result)
    if watch:
        watch(Counts.model_validate(carried.model_dump(include=set(Counts.model_fields))))
    return carried


async def _follow(handle: Any, ending: asyncio.Future[Any], watch: Watch | None, id_: str) -> None:
    """Until it ends, or nothing moves."""
    loop = asyncio.get_running_loop()
    last: dict[str, int] = {}
    since = loop.time()
    while not ending.done():
        with suppress(RPCError, WorkflowQueryFailedError):  # no worker answers just now
            counts: dict[str, int] = await handle.query("progress", rpc_timeout=A_MOMENT)
            if counts != last:
                last, since = counts, loop.time()
                if watch and counts:
                    watch(Counts.model_validate(counts))
        if loop.time() - since > PATIENCE:
            raise NoWorker(
                f"Circular {id_} has not moved for {PATIENCE:g} seconds: no worker runs, or complaints do not answer. "
                f"It goes on by itself when they do; see `ombud circular {id_}`."
            )
        await asyncio.wait([ending], timeout=BLINK)


def _refused(failure: WorkflowFailureError) -> NoReturn:
    cause = failure.cause
    raise Refused(cause.message if isinstance(cause, ApplicationError) else str(cause)) from None
