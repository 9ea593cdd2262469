"""A rival: asks Postgres at an interval what is due, tells of it, marks it. `python -m bench.poller TABLE SECONDS`.

As such pollers are written well: rows are taken with SKIP LOCKED, so that several can run, a hundred in a transaction;
mails leave eight at a time over kept connections; a pass goes on until nothing is due.
"""

from __future__ import annotations

import asyncio
import signal
import sys

from bench.rival import Senders, pool

BATCH = 100


async def main(table: str, every: float) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    database, senders = await pool(), Senders()
    take = (
        f"SELECT reference, recipient FROM {table} WHERE due <= now() AND told_at IS NULL "
        f"ORDER BY due LIMIT {BATCH} FOR UPDATE SKIP LOCKED"
    )
    mark = f"UPDATE {table} SET told_at = clock_timestamp() WHERE reference = ANY($1)"
    print("ready", flush=True)
    next_ = loop.time()
    while not stop.is_set():
        found = True
        while found:
            async with database.acquire() as connection, connection.transaction():
                found = await connection.fetch(take)
                await asyncio.gather(*(senders.send(row["reference"], row["recipient"]) for row in found))
                if found:
                    await connection.execute(mark, [row["reference"] for row in found])
        next_ += every
        try:
            await asyncio.wait_for(stop.wait(), max(0.0, next_ - loop.time()))
        except TimeoutError:
            continue


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
