"""Which master keys the histories that Temporal holds are sealed under. Every one is read, so it takes its time."""

from __future__ import annotations

import asyncio
import re
from collections import Counter

from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from starter.errors import Unreachable
from wire.client import TemporalUnreachableError, connect_temporal

AT_ONCE = 20

_SEALED = re.compile(rb"encryption-key-id\x12\x10([0-9a-f]{16})")
"""The entry of a payload's metadata as protobuf writes it, wherever in an event the payload stands."""


async def by_key() -> dict[str, int]:
    """How many histories, of open and closed workflows, are sealed under each master key. Raises Unreachable."""
    try:
        return await count(await connect_temporal())
    except (TemporalUnreachableError, RPCError) as error:
        raise Unreachable(str(error)) from None


async def count(client: Client, query: str | None = None) -> dict[str, int]:
    """The same of the workflows that a query finds. Raises RPCError."""
    found: Counter[str] = Counter()
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(run: WorkflowExecution) -> None:
        async with limit:
            found.update(await _keys(client, run))

    waiting: set[asyncio.Task[None]] = set()
    async for run in client.list_workflows(query):
        waiting.add(asyncio.create_task(one(run)))
        if len(waiting) >= 2 * AT_ONCE:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    await asyncio.gather(*waiting)
    return dict(found)


async def _keys(client: Client, run: WorkflowExecution) -> set[str]:
    """The ids in one history; nothing for one that is gone by now."""
    ids: set[str] = set()
    try:
        async for event in client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history_events():
            ids |= {key.decode() for key in _SEALED.findall(event.SerializeToString())}
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
    return ids
