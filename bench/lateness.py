"""How late people hear of a miss: from its due time until the mail server has taken the mail, one miss a second.

`python -m bench.lateness` runs, side by side on the same servers: misses told to forty managers in turn, misses told to
one manager alone, whose mails gather, the same where they are urgent, and bare workflows, until they close.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from datetime import UTC, datetime, timedelta
from functools import partial

from bench.desks import ALONE, URGENT, complaint, publish, side_by_side, start, start_bare
from bench.drain import percentile
from bench.ground import Ground, bare_worker, ground, workers
from tests.support.wait import eventually

WAYS = ("managers in turn", "one manager, gathering", "one manager, urgent")


async def measure(at: Ground, desks: list[str], seconds: int) -> dict[str, list[float]]:
    """Seconds of lateness of each miss and each bare workflow; each way has one a second."""
    async with workers(at), bare_worker(at):
        first = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=15 + seconds / 4)
        dues = [first + timedelta(seconds=second) for second in range(seconds)]
        # Each way at its own part of the second, so that they meet each other as seldom as they can.
        ours = [
            complaint(desk, f"late-{way}-{n:04}", due + timedelta(seconds=0.2 * way))
            for way in range(len(WAYS))
            for n, due in enumerate(dues)
            for desk in [(desks[n % len(desks)], ALONE, URGENT)[way]]
        ]
        await side_by_side(partial(start, at, one) for one in ours)
        await side_by_side(
            partial(start_bare, at.client, f"late-{n:04}", due + timedelta(seconds=0.6)) for n, due in enumerate(dues)
        )
        if time.time() > first.timestamp():
            raise RuntimeError("opening took longer than it was given; measure fewer seconds")
        query = (
            "SELECT count(*) FROM notices WHERE complaint LIKE '%/late-%' AND rung = 'due' AND accepted_at IS NOT NULL"
        )

        async def all_accepted() -> bool:
            await asyncio.sleep(1)
            return time.time() > dues[-1].timestamp() and await at.count(query) == len(ours)

        await eventually(all_accepted, seconds + 300)
        await asyncio.sleep(2)  # the visibility store is a moment behind
    taken = {id_: when for when, id_, _ in at.accepted()}
    late: dict[str, list[float]] = {way: [] for way in (*WAYS, "bare workflow")}
    due_of = {f"{one.contract}/{one.reference}": (one.received_at + timedelta(minutes=15)).timestamp() for one in ours}
    for name, message in await at.rows(
        "SELECT complaint, message FROM notices WHERE complaint LIKE '%/late-%' AND rung = 'due'"
    ):
        late[WAYS[int(name.split("-late-" if "-late-" in name else "/late-")[1][0])]].append(
            taken[message] - due_of[name]
        )
    async for one in at.client.list_workflows("WorkflowId STARTS_WITH 'bare/late-' AND ExecutionStatus = 'Completed'"):
        assert one.close_time
        due = dues[int(one.id.rpartition("-")[2])] + timedelta(seconds=0.6)
        late["bare workflow"].append(one.close_time.timestamp() - due.timestamp())
    return late


async def main(seconds: int) -> None:
    async with ground() as at:
        late = await measure(at, await publish(at, 40), seconds)
    for way, values in late.items():
        p50, p99, most = (percentile(values, part) for part in (0.5, 0.99, 1))
        print(f"{way}: {len(values)} of {seconds}, p50 {p50:.3f} s, p99 {p99:.3f} s, max {most:.3f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=300)
    asyncio.run(main(parser.parse_args().seconds))
