"""Opening complaints against bare starts, and what one that is open takes of its worker's memory.

`python -m bench.opening` opens by turns rounds of complaints, as our Python client does it, and of bare workflows, with
both workers at work. *Started* is when Temporal has taken them all, *open* when every one stands in Postgres with its
clocks, and every bare workflow has begun. Between the rounds the memory of both workers is looked at.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from bench.desks import complaint, publish, side_by_side, start_bare
from bench.ground import CACHE, Ground, Process, bare_worker, ground, workers
from rules.commands import OpenComplaint
from starter.client import Ombud
from tests.support.wait import eventually

PATIENCE, LONGEST = 600.0, 480.0
"""Seconds until a round is given up, and after which no further round begins."""


@dataclass
class Round:
    """So many starts."""

    started: float
    """A second, until Temporal had taken all."""
    open: float
    """A second, until all had begun."""


@dataclass
class Opening:
    """Rounds of one kind, and bytes of its worker before the first and after each."""

    rounds: list[Round] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)

    def rate(self, of: str) -> float:
        """Of the middle round."""
        return float(statistics.median(getattr(one, of) for one in self.rounds))

    def each(self, count: int) -> float:
        """Kilobytes that so many workflows added, each."""
        return (self.memory[-1] - self.memory[0]) / count / 1000


async def measure(
    at: Ground, desks: list[str], rounds: int, each: int, bare_each: int, *, name: str = "o", cache: int = CACHE
) -> tuple[Opening, Opening]:
    """Rounds of ours and of bare ones by turns, so many in each."""
    ours, bare = Opening(), Opening()
    async with workers(at, OMBUD_WORKER_CACHE=str(cache)) as (mine,), bare_worker(at) as theirs:
        ombud = Ombud(at.client, at.engine, task_queue=at.queue)
        await _ours(at, ombud, desks, f"{name}w", 50)
        await _bare(at, f"{name}w", 50)
        ours.memory.append(await settled(mine))
        bare.memory.append(await settled(theirs))
        began = time.perf_counter()
        for number in range(rounds):
            if number and time.perf_counter() - began > LONGEST:
                break
            for which in ("ours", "bare") if number % 2 == 0 else ("bare", "ours"):
                if which == "ours":
                    ours.rounds.append(await _ours(at, ombud, desks, f"{name}{number:02}", each))
                    ours.memory.append(await settled(mine))
                else:
                    bare.rounds.append(await _bare(at, f"{name}{number:02}", bare_each))
                    bare.memory.append(await settled(theirs))
    return ours, bare


async def settled(process: Process) -> int:
    """Bytes of a process once it has nothing to do any more."""
    seconds = -1.0
    while (now := process.seconds()) > seconds + 0.02:
        seconds = now
        await asyncio.sleep(0.5)
    return process.memory()


async def _ours(at: Ground, ombud: Ombud, desks: list[str], name: str, size: int) -> Round:
    due = datetime.now(UTC) + timedelta(minutes=14)
    asked = [complaint(desks[i % len(desks)], f"{name}-{i:05}", due) for i in range(size)]
    began = time.perf_counter()
    await side_by_side(partial(_open, ombud, one) for one in asked)
    started = time.perf_counter() - began

    async def all_open() -> bool:
        await asyncio.sleep(0.1)
        return await at.count("SELECT count(*) FROM complaints WHERE reference LIKE :like", like=f"{name}-%") >= size

    await eventually(all_open, PATIENCE)
    return Round(size / started, size / (time.perf_counter() - began))


async def _open(ombud: Ombud, asked: OpenComplaint) -> None:
    await ombud.open(asked)


async def _bare(at: Ground, name: str, size: int) -> Round:
    began = time.perf_counter()
    await side_by_side(partial(start_bare, at.client, f"{name}-{i:05}", None) for i in range(size))
    started = time.perf_counter() - began

    async def all_begun() -> bool:
        await asyncio.sleep(0.1)
        described = await at.client.get_workflow_handle(f"bare/{name}-{size - 1:05}").describe()
        return described.history_length >= 5  # started, task scheduled, started, completed, timer started

    await eventually(all_begun, PATIENCE)
    return Round(size / started, size / (time.perf_counter() - began))


async def main(rounds: int, each: int, bare_each: int, cache: int) -> None:
    async with ground() as at:
        ours, bare = await measure(at, await publish(at, 40), rounds, each, bare_each, cache=cache)
    for name, one, count in (("ours", ours, rounds * each), ("bare", bare, rounds * bare_each)):
        print(
            f"{name}: started {one.rate('started'):.1f} a second, open {one.rate('open'):.1f}, "
            f"{one.each(count):.1f} KB each; by round {[round(m / 1e6) for m in one.memory]} MB"
        )
    for of in ("started", "open"):
        print(f"ratio {of}: {ours.rate(of) / bare.rate(of):.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--each", type=int, default=400, help="complaints in each round")
    parser.add_argument("--bare", type=int, default=400, help="bare workflows in each round")
    parser.add_argument("--cache", type=int, default=CACHE)
    given = parser.parse_args()
    asyncio.run(main(given.rounds, given.each, given.bare, given.cache))
