"""How long a command takes on a complaint that its worker has in memory, against an update of a bare workflow.

`python -m bench.updates` sends updates one after another, by turns to complaints and to bare workflows: with a rest
after each, as commands of people come, and without, when each waits for what the one before still has to do. A bare
workflow answers at once, or *kept*: once a local activity has committed a row, by the shortest way there is.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from datetime import UTC, datetime, timedelta
from functools import partial

from bench.desks import complaint, publish, side_by_side, start, start_bare
from bench.drain import percentile
from bench.ground import Ground, bare_worker, ground, workers
from tests.support.wait import eventually

REST = 0.04
"""Seconds."""


async def measure(
    at: Ground, desk: str, rounds: int, each: int, *, rest: float = REST, name: str = "update"
) -> tuple[list[float], list[float], list[float]]:
    """Seconds of each update of a complaint, of a bare workflow, and of one that is kept, with a rest after each."""
    async with workers(at), bare_worker(at):
        due = datetime.now(UTC) + timedelta(minutes=14)
        names = [f"{name}-{n:03}" for n in range(each)]
        cases = [complaint(desk, one, due) for one in names]
        await side_by_side(partial(start, at, one) for one in cases)
        await side_by_side(partial(start_bare, at.client, one, None) for one in names)
        query = f"SELECT count(*) FROM complaints WHERE reference LIKE '{name}-%'"
        await eventually(lambda: _are(at, query, each))
        ours: list[float] = []
        bare: list[float] = []
        kept: list[float] = []

        async def tell(id_: str, update: str, into: list[float], number: int) -> None:
            handle = at.client.get_workflow_handle(id_)
            began = time.perf_counter()
            await handle.execute_update(update, {"text": "The customer called again."}, id=f"{id_}-{update}-{number}")
            into.append(time.perf_counter() - began)
            await asyncio.sleep(rest)

        ways = [(f"complaint/{desk}/", "note", ours), ("bare/", "note", bare), ("bare/", "keep", kept)]
        for number in range(rounds + 1):
            for prefix, update, into in ways if number % 2 == 0 else reversed(ways):
                for one in names:
                    await tell(prefix + one, update, into if number else [], number)
    return ours, bare, kept


async def _are(at: Ground, query: str, count: int) -> bool:
    return await at.count(query) == count


async def main(rounds: int, each: int) -> None:
    async with ground() as at:
        desk = (await publish(at, 1))[0]
        for words, rest in (("with a rest of 40 ms", REST), ("one right after another", 0)):
            ours, bare, kept = await measure(at, desk, rounds, each, rest=rest, name=f"update{rest}")
            for who, values in (("complaint", ours), ("bare", bare), ("bare, kept", kept)):
                p50, p99 = (percentile(values, part) * 1000 for part in (0.5, 0.99))
                ratio = statistics.median(values) / statistics.median(bare)
                print(f"{words}, {who}: p50 {p50:.1f} ms, p99 {p99:.1f} ms, {ratio:.2f} of the bare one")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--each", type=int, default=20, help="complaints, and bare workflows, in each round")
    given = parser.parse_args()
    asyncio.run(main(given.rounds, given.each))
