"""How late people hear of a miss: from its due time until the mail server has taken the mail, one miss a second.

`python -m bench.lateness` runs, side by side on the same servers and each at its own part of the second: misses told to
forty managers in turn, misses told to one manager alone, whose mails gather, the same where they are urgent, bare
workflows until they close, and the rivals of `bench.rivals`.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial

from bench.desks import ALONE, URGENT, complaint, publish, side_by_side, start, start_bare
from bench.drain import percentile
from bench.ground import Ground, bare_worker, ground, workers
from bench.rival import Miss
from bench.rivals import RIVALS, Rival, fill, told
from tests.support.wait import eventually

IN_TURN, GATHERING, AT_ONCE = "managers in turn", "one manager, gathering", "one manager, urgent"
BARE = "bare workflow"


async def measure(
    at: Ground,
    desks: Sequence[str],
    seconds: int,
    ways: Sequence[str] = (IN_TURN,),
    *,
    rivals: Sequence[Rival] = RIVALS,
    name: str = "late",
) -> dict[str, list[float]]:
    """Seconds of lateness of each miss, by who tells of it. RuntimeError when one is lost or comes twice."""
    late: dict[str, list[float]] = {}
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(workers(at))
        await stack.enter_async_context(bare_worker(at))
        first = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=20 + seconds / 8 * (len(ways) + 1))
        all_ways = [*ways, BARE, *(rival.name for rival in rivals)]
        dues = {
            way: [first + timedelta(seconds=second + place / len(all_ways)) for second in range(seconds)]
            for place, way in enumerate(all_ways)
        }
        desk_of = {IN_TURN: desks, GATHERING: [ALONE], AT_ONCE: [URGENT]}
        cases = {
            way: [
                complaint(desk_of[way][n % len(desk_of[way])], f"{name}{place}-{n:04}", due)
                for n, due in enumerate(dues[way])
            ]
            for place, way in enumerate(ways)
        }
        await side_by_side(partial(start, at, one) for way in ways for one in cases[way])
        await side_by_side(partial(start_bare, at.client, f"{name}-{n:04}", due) for n, due in enumerate(dues[BARE]))
        misses = {}
        for place, rival in enumerate(rivals):
            rows = f"{name}_{place}"
            misses[rows] = [
                Miss(f"{rows}-{n:04}", desks[n % len(desks)], due) for n, due in enumerate(dues[rival.name])
            ]
            await fill(at, rows, misses[rows])
            await stack.enter_async_context(rival.run(at, rows))
        if time.time() > first.timestamp():
            raise RuntimeError("opening took longer than it was given; measure fewer seconds")
        for way in ways:
            late[way] = await _ours(at, [f"{one.contract}/{one.reference}" for one in cases[way]], dues[way])
        late[BARE] = await _bare(at, name, dues[BARE])
        for rival, rows in zip(rivals, misses, strict=True):
            drain = await told(at, rows, misses[rows])
            if drain.wrong:
                raise RuntimeError(f"{rival.name}: {drain.wrong}")
            late[rival.name] = drain.lateness
    return late


async def _ours(at: Ground, names: list[str], dues: list[datetime]) -> list[float]:
    query = (
        "SELECT complaint, message FROM notices WHERE complaint = ANY(:names) AND rung = 'due' "
        "AND accepted_at IS NOT NULL"
    )

    async def all_accepted() -> bool:
        await asyncio.sleep(1)
        return time.time() > dues[-1].timestamp() and len(await at.rows(query, names=names)) >= len(names)

    await eventually(all_accepted, len(dues) + 300)
    message = dict(await at.rows(query, names=names))
    taken = {id_: when for when, id_, _ in at.accepted()}
    lost = [name for name in names if message.get(name) not in taken]
    if lost or len(taken) != len(at.accepted()):
        raise RuntimeError(f"lost: {lost}; {len(at.accepted())} mails under {len(taken)} Message-IDs")
    return [taken[message[name]] - due.timestamp() for name, due in zip(names, dues, strict=True)]


async def _bare(at: Ground, name: str, dues: list[datetime]) -> list[float]:
    query = f"WorkflowId STARTS_WITH 'bare/{name}-' AND ExecutionStatus = 'Completed'"

    async def all_closed() -> bool:
        await asyncio.sleep(0.5)
        return (await at.client.count_workflows(query)).count >= len(dues)

    await eventually(all_closed, len(dues) + 300)
    found = [(one.id, one.close_time) async for one in at.client.list_workflows(query)]
    return [end.timestamp() - dues[int(id_.rpartition("-")[2])].timestamp() for id_, end in found if end]


async def main(seconds: int) -> None:
    async with ground() as at:
        late = await measure(at, await publish(at, 40), seconds, (IN_TURN, GATHERING, AT_ONCE))
    for way, values in late.items():
        p50, p99, most = (percentile(values, part) for part in (0.5, 0.99, 1))
        print(f"{way}: {len(values)} of {seconds}, p50 {p50:.3f} s, p99 {p99:.3f} s, max {most:.3f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=300)
    asyncio.run(main(parser.parse_args().seconds))
