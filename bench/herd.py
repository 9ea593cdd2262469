"""A herd: so many clocks due at one instant, drained to accepted mails and committed rows.

`python -m bench.herd` does it by turns with as many bare workflows whose timers fire at one instant (ours, bare, bare,
ours), on the same servers, and counts: each miss on record once, each notice in exactly one mail, each mail sent once.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial

from bench.desks import complaint, publish, side_by_side, start, start_bare
from bench.drain import Drain, line
from bench.ground import Ground, bare_worker, ground, workers
from tests.support.wait import eventually

PATIENCE, LONGEST = 600.0, 300.0
"""Seconds until a herd is given up, and after which no further round begins."""


async def ours(at: Ground, desks: list[str], size: int, name: str, processes: int = 1) -> Drain:
    """Open complaints whose clocks are due together, and wait for the last mail."""
    async with workers(at, processes) as running:
        due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=await _time_to_open(at, desks, size, name))
        began = time.time()
        asked = [complaint(desks[i % len(desks)], f"{name}-{i:05}", due) for i in range(size)]
        await side_by_side(partial(start, at, one) for one in asked)
        open_ = "SELECT count(*) FROM complaints WHERE reference LIKE :like"
        await eventually(lambda: _reached(at, open_, f"{name}-%", size), PATIENCE)
        opening = time.time() - began
        if time.time() > due.timestamp():
            raise RuntimeError(f"opening {size} complaints took {opening:.0f} s; the machine got slower meanwhile")
        await asyncio.sleep(due.timestamp() - time.time())
        used = sum(worker.seconds() for worker in running)
        done = "SELECT count(*) FROM notices WHERE complaint LIKE :like AND rung = 'due' AND accepted_at IS NOT NULL"
        await eventually(lambda: _reached(at, done, f"%/{name}-%", size), PATIENCE)
        ended = time.time()
        used = sum(worker.seconds() for worker in running) - used
    return await _count(at, name, size, due, Drain(ended - due.timestamp(), opening, worker_seconds=used))


async def _time_to_open(at: Ground, desks: list[str], size: int, name: str) -> float:
    """Seconds to allow for opening, by how long a few take; theirs are due long after the herd."""
    few = max(20, size // 20)
    far = datetime.now(UTC) + timedelta(minutes=14)
    began = time.time()
    await side_by_side(
        partial(start, at, complaint(desks[i % len(desks)], f"try-{name}-{i:05}", far)) for i in range(few)
    )
    await eventually(
        lambda: _reached(at, "SELECT count(*) FROM complaints WHERE reference LIKE :like", f"try-{name}-%", few),
        PATIENCE,
    )
    return 15 + 2 * (time.time() - began) * size / few


async def _reached(at: Ground, query: str, like: str, size: int) -> bool:
    await asyncio.sleep(0.2)
    return await at.count(query, like=like) >= size


async def _count(at: Ground, name: str, size: int, due: datetime, drain: Drain) -> Drain:
    """Look at every miss, every notice and every mail of a herd."""
    like = f"%/{name}-%"
    misses = await at.rows(
        "SELECT complaint, missed_at, detected_at FROM clocks WHERE complaint LIKE :like AND obligation = "
        "'first_response'",
        like=like,
    )
    notices = await at.rows(
        "SELECT complaint, message FROM notices WHERE complaint LIKE :like AND rung = 'due'", like=like
    )
    taken = {id_: when for when, id_, _ in at.accepted()}
    times = Counter(id_ for _, id_, _ in at.accepted())
    mails = {message for _, message in notices}
    if len(misses) != size or any(missed != due for _, missed, _ in misses):
        drain.wrong.append(f"{sum(m == due for _, m, _ in misses)} of {size} misses on record")
    if len(notices) != size or len({c for c, _ in notices}) != size:
        drain.wrong.append(f"{len(notices)} notices of {size} complaints")
    drain.wrong += [f"message {one} was sent {times[one]} times" for one in mails if times[one] != 1]
    drain.lateness = [taken[message] - due.timestamp() for _, message in notices if message in taken]
    recorded = await at.rows(
        "SELECT max(recorded_at) FROM ledger WHERE stream LIKE :like AND type = 'clock_missed'",
        like=f"complaint/{like}",
    )
    drain.judged = recorded[0][0].timestamp() - due.timestamp() if recorded[0][0] else float("nan")
    drain.mails = len(mails)
    return drain


async def bare(at: Ground, size: int, name: str) -> Drain:
    """The same of bare workflows: all their timers due together, until the last has closed."""
    async with bare_worker(at) as running:
        due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=15 + size / 40)
        began = time.time()
        await side_by_side(partial(start_bare, at.client, f"{name}-{i:05}", due) for i in range(size))
        opening = time.time() - began
        await asyncio.sleep(max(0.0, due.timestamp() - time.time()))
        used = running.seconds()
        query = f"WorkflowId STARTS_WITH 'bare/{name}-' AND ExecutionStatus = 'Completed'"

        async def closed() -> bool:
            await asyncio.sleep(0.2)
            return (await at.client.count_workflows(query)).count >= size

        await eventually(closed, PATIENCE)
        used = running.seconds() - used
    ends = [one.close_time.timestamp() async for one in at.client.list_workflows(query) if one.close_time]
    late = [end - due.timestamp() for end in ends]
    return Drain(max(late), opening, late, worker_seconds=used)


async def by_turns(at: Ground, desks: list[str], size: int, rounds: int) -> tuple[list[Drain], list[Drain]]:
    """Ours and bare ones, as A B B A A B …"""
    mine: list[Drain] = []
    others: list[Drain] = []
    began = time.perf_counter()
    for number in range(rounds):
        if number and time.perf_counter() - began > LONGEST:
            break
        for which in ("ours", "bare") if number % 2 == 0 else ("bare", "ours"):
            if which == "ours":
                mine.append(await ours(at, desks, size, f"h{number}"))
            else:
                others.append(await bare(at, size, f"h{number}"))
            print(f"  herd, {which}: {line((mine if which == 'ours' else others)[-1])}", flush=True)
    return mine, others


def rate(drains: list[Drain], size: int) -> float:
    """Clocks drained a second; of the middle round."""
    return statistics.median(size / one.seconds for one in drains)


async def main(size: int, managers: int, rounds: int) -> None:
    async with ground() as at:
        mine, others = await by_turns(at, await publish(at, managers), size, rounds)
    ours_, bare_ = rate(mine, size), rate(others, size)
    print(f"ours {ours_:.1f} a second, bare {bare_:.1f}, ratio {ours_ / bare_:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2000)
    parser.add_argument("--managers", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    asyncio.run(main(given.size, given.managers, given.rounds))
