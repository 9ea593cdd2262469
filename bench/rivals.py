"""What people would use instead, on the same herd and the same stream of misses: a Postgres poller and DBOS.

`python -m bench.rivals` drains a herd with each. They tell one person by one mail and write one row, no more: no
calendar, no ladder, no ledger, no gathering, no search.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from bench.drain import Drain, line
from bench.ground import Ground, Process, ground, process
from bench.rival import Miss, table
from storage.database import transaction
from tests.support.wait import eventually

PATIENCE = 900.0


@dataclass(frozen=True)
class Rival:
    """How one is run on a table of misses."""

    name: str
    arguments: tuple[str, ...]
    ready: str

    @asynccontextmanager
    async def run(self, at: Ground, rows: str) -> AsyncIterator[Process]:
        """The rival at work on this table; it has taken up all that is there."""
        url = at.environment["OMBUD_DATABASE_URL"].replace("+asyncpg", "")
        environment = at.environment | {"RIVAL_DATABASE": url, "RIVAL_SYSTEM": f"{url.rpartition('/')[0]}/dbos_{rows}"}
        module, *more = self.arguments
        start = process(
            *(sys.executable, "-m", module, rows, *more),
            log=at.folder / f"{rows}.log",
            ready=self.ready,
            environment=environment,
        )
        async with start as running:
            yield running


RIVALS = (
    Rival("Postgres poller, every 60 s", ("bench.poller", "60"), "ready"),
    Rival("Postgres poller, every second", ("bench.poller", "1"), "ready"),
    Rival("DBOS", ("bench.dbos_app",), "started"),
)


async def fill(at: Ground, rows: str, misses: Sequence[Miss]) -> None:
    """Make a rival's table and put its misses there."""
    async with transaction(at.engine) as connection:
        for statement in table(rows).split(";"):
            await connection.execute(text(statement))
        insert = text(f"INSERT INTO {rows} VALUES (:reference, :recipient, :due)")
        await connection.execute(insert, [miss._asdict() for miss in misses])


async def told(at: Ground, rows: str, misses: Sequence[Miss]) -> Drain:
    """Wait until each is told and marked; lateness of each, and what was lost or doubled."""
    last = max(miss.due for miss in misses).timestamp()

    async def all_marked() -> bool:
        await asyncio.sleep(0.1)
        return await at.count(f"SELECT count(*) FROM {rows} WHERE told_at IS NOT NULL") == len(misses)

    await eventually(all_marked, last - time.time() + PATIENCE)
    drain = Drain(time.time() - last, 0)
    accepted = at.accepted()
    times = Counter(id_ for _, id_, _ in accepted)
    taken = {id_: when for when, id_, _ in accepted}
    drain.mails = sum(times[miss.reference] for miss in misses)
    drain.wrong = [f"{m.reference} was sent {times[m.reference]} times" for m in misses if times[m.reference] != 1]
    drain.lateness = [taken[m.reference] - m.due.timestamp() for m in misses if m.reference in taken]
    return drain


async def herd(at: Ground, which: Rival, size: int, desks: list[str]) -> Drain:
    """So many misses due at one instant, told by one rival."""
    rows = f"herd_{RIVALS.index(which)}"
    # DBOS has to start a workflow for each before they are due; a poller has nothing to prepare.
    due = datetime.now(UTC) + timedelta(seconds=10 + (size / 25 if which.ready == "started" else 0))
    misses = [Miss(f"{rows}-{n:05}", desks[n % len(desks)], due) for n in range(size)]
    await fill(at, rows, misses)
    began = time.time()
    async with which.run(at, rows) as running:
        opening = time.time() - began
        if time.time() > due.timestamp():
            raise RuntimeError(f"{which.name} took {opening:.0f} s to take up {size} misses")
        await asyncio.sleep(due.timestamp() - time.time())
        used = running.seconds()
        drain = await told(at, rows, misses)
        drain.worker_seconds = running.seconds() - used
    drain.opening = opening
    return drain


async def main(size: int, managers: int) -> None:
    async with ground() as at:
        for which in RIVALS:
            print(which.name, line(await herd(at, which, size, [f"desk-{n:02}" for n in range(managers)])))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2000)
    parser.add_argument("--managers", type=int, default=40)
    given = parser.parse_args()
    asyncio.run(main(given.size, given.managers))
