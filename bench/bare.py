"""What every figure is held against: a workflow of the same outward shape that does nothing.

A start, a timer, two activities, one for the record and one for the mail; and an update. `python -m bench.bare` is its
worker, on the server that the environment names, as the SDK sets it up by itself.
"""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import datetime, timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

QUEUE = "bare"


@activity.defn
async def record(_text: str) -> None:
    """Stands for the row."""


@activity.defn
async def mail(_text: str) -> None:
    """Stands for the mail."""


@workflow.defn
class Bare:
    """Waits until its instant, or for ever, then calls two activities."""

    def __init__(self) -> None:
        self.told = 0

    @workflow.run
    async def run(self, start: dict[str, Any]) -> None:
        due = datetime.fromisoformat(start["due"]) if start.get("due") else None
        if due is None or due > workflow.now():
            await workflow.sleep(due - workflow.now() if due else timedelta(days=30))
        for name in (record, mail):
            await workflow.execute_activity(name, "missed", start_to_close_timeout=timedelta(seconds=60))

    @workflow.update
    def note(self, _body: dict[str, Any]) -> int:
        self.told += 1
        return self.told


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    client = await Client.connect(os.environ["TEMPORAL_ADDRESS"])
    cache = int(os.environ["BARE_CACHE"])
    async with Worker(
        client, task_queue=QUEUE, workflows=[Bare], activities=[record, mail], max_cached_workflows=cache
    ):
        print("working", flush=True)
        await stop.wait()
    os._exit(0)  # the interpreter's own end may crash after it spoke to Temporal


if __name__ == "__main__":
    asyncio.run(main())
