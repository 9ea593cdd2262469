"""A rival: a durable DBOS workflow for each miss. `python -m bench.dbos_app TABLE` starts one a row of its table.

A workflow sleeps until its clock is due, then takes two steps: the row, the mail. Everything is asynchronous, so that a
sleeping workflow takes a coroutine and no thread.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime

import asyncpg
from dbos import DBOS, SetWorkflowID

from bench.rival import Senders, pool


class App:
    """What its steps work with."""

    database: asyncpg.Pool[asyncpg.Record]
    senders: Senders


@DBOS.step()
async def record(table: str, reference: str) -> None:
    await App.database.execute(f"UPDATE {table} SET told_at = clock_timestamp() WHERE reference = $1", reference)


@DBOS.step()
async def send(reference: str, recipient: str) -> None:
    await App.senders.send(reference, recipient)


@DBOS.workflow()
async def miss(table: str, reference: str, recipient: str, seconds: float) -> None:
    await DBOS.sleep_async(seconds)
    await send(reference, recipient)
    await record(table, reference)


async def main(table: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    App.database, App.senders = await pool(), Senders()
    DBOS(
        config={
            "name": "rival",
            "system_database_url": os.environ["RIVAL_SYSTEM"],
            "sys_db_pool_size": 20,
            "console_log_level": "ERROR",
        }
    )
    DBOS.launch()
    print("ready", flush=True)
    for row in await App.database.fetch(f"SELECT reference, recipient, due FROM {table} WHERE told_at IS NULL"):
        with SetWorkflowID(row["reference"]):
            seconds = (row["due"] - datetime.now(UTC)).total_seconds()
            await DBOS.start_workflow_async(miss, table, row["reference"], row["recipient"], seconds)
    print("started", flush=True)
    await stop.wait()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
