"""How long a command takes on a complaint that its worker has in memory, against an update of a bare workflow.

`python -m bench.updates` sends updates one after another, by turns to complaints and to bare workflows: with a rest
after each, as commands of people come, and without, when the worker still has the record of the one before to make. *On
record* is how long it takes until Postgres has what was sent, too, as `Ombud.tell` waits for it.
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
from rules.commands import Note
from starter.client import Ombud
from tests.support.wait import eventually

REST = 0.04
"""Seconds."""


async def measure(
    at: Ground, desk: str, rounds: int, each: int, *, rest: float = REST, name: str = "update"
) -> tuple[list[float], list[float], list[float]]:
    """Seconds of each update of a complaint, of one until it is on record, and of a bare workflow, with a rest after
    each."""
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
        recorded: list[float] = []
        ombud = Ombud(at.client, at.engine, task_queue=at.queue)
        said = "The customer called again."

        async def update(id_: str, number: int) -> None:
            await at.client.get_workflow_handle(id_).execute_update("note", {"text": said}, id=f"{id_}-{number}")

        async def command(one: str, number: int) -> None:
            await update(f"complaint/{desk}/{one}", number)

        async def record(one: str, _number: int) -> None:
            await ombud.tell(f"{desk}/{one}", Note(text=said))

        async def plain(one: str, number: int) -> None:
            await update(f"bare/{one}", number)

        ways = [(command, ours), (record, recorded), (plain, bare)]
        for number in range(rounds + 1):
            for send, into in ways if number % 2 == 0 else reversed(ways):
                for one in names:
                    began = time.perf_counter()
                    await send(one, number)
                    if number:
                        into.append(time.perf_counter() - began)
                    await asyncio.sleep(rest)
    return ours, recorded, bare


async def _are(at: Ground, query: str, count: int) -> bool:
    return await at.count(query) == count


async def main(rounds: int, each: int) -> None:
    async with ground() as at:
        desk = (await publish(at, 1))[0]
        for words, rest in (("with a rest of 40 ms", REST), ("one right after another", 0)):
            ours, recorded, bare = await measure(at, desk, rounds, each, rest=rest, name=f"update{rest}")
            for who, values in (("complaint", ours), ("complaint, on record", recorded), ("bare", bare)):
                p50, p99 = (percentile(values, part) * 1000 for part in (0.5, 0.99))
                ratio = statistics.median(values) / statistics.median(bare)
                print(f"{words}, {who}: p50 {p50:.1f} ms, p99 {p99:.1f} ms, {ratio:.2f} of the bare one")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--each", type=int, default=20, help="complaints, and bare workflows, in each round")
    given = parser.parse_args()
    asyncio.run(main(given.rounds, given.each))
