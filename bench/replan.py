"""The calendar of a new year is published: every open complaint with a provisional due is re-planned, once, on record.

`python -m bench.replan --complaints 10000` opens so many complaints under a contract that does not know next year,
publishes the year, and carries the re-plan to all of them with `ombud calendar replan`'s own circular, while worker
processes run. It ends with an error unless each due was counted anew once and a second run finds nothing to do.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import os
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table
from temporalio.testing import WorkflowEnvironment

from activities.interface import Counts
from rules.contract import Contract
from rules.values import Actor
from settings import Settings
from starter import replanning
from starter.circulars import carry
from starter.client import Ombud
from storage import contracts
from storage.database import create_engine, transaction
from tests.support.postgres import cluster
from tests.support.story import SMALL
from tests.support.system import System, publish
from tests.support.temporal import start_real
from tests.support.wait import eventually
from tests.support.worker_process import environment, worker_process
from workflows.search_attributes import ALL

YEAR = datetime.now(UTC).year + 1
SAY = Console()
AT_ONCE = 32
HALF_AN_HOUR = 1800.0


def contract(*, knows: bool) -> Contract:
    """Two clocks, one of which ends next year; its calendar with that year or without."""
    published: dict[int, object] = {YEAR - 2: [], YEAR - 1: []}
    if knows:
        published[YEAR] = [{"name": "Festival", "off": [f"{YEAR}-02-0{n}" for n in range(1, 6)]}]
    promises = {name: SMALL["obligations"][name] for name in ("proposal", "resolution")}
    promises["resolution"] = promises["resolution"] | {"due": "300 working days"}
    calendar = SMALL["calendar"] | {"statutory": "CN", "published": published}
    return Contract.model_validate(SMALL | {"calendar": calendar, "obligations": promises})


async def opened(system: System, count: int) -> float:
    """So many open complaints, all on record; how many a second that were."""
    began = time.perf_counter()
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            await system.open("small", f"P-{number:06}", kind="complaint")

    async def on_record() -> bool:
        return bool((await system.rows("SELECT count(*) AS n FROM clocks"))[0]["n"] == 2 * count)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    await eventually(on_record, HALF_AN_HOUR)
    return count / (time.perf_counter() - began)


class Progress:
    """Says how far the circular has come, and when."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.heard: list[tuple[float, int]] = []

    def __call__(self, counts: Counts) -> None:
        done = counts.complaints - counts.open
        self.heard.append((time.perf_counter() - self.began, done))
        SAY.print(f"  {self.heard[-1][0]:6.1f} s  {done:,} of {counts.complaints:,}")


def memory() -> int:
    """Megabytes that the worker processes hold."""
    held = 0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if process.name().startswith("python"):
                held += process.memory_info().rss
    return held // 2**20


def processor_time() -> dict[str, float]:
    """Seconds on the processor so far, by kind of process: this one and what it started."""
    spent: dict[str, float] = {}
    me = psutil.Process()
    for process in (me, *me.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            name = process.name() if process != me else "this program"
            if process.name().startswith("python") and process != me:
                name = "worker"
            times = process.cpu_times()
            spent[name] = spent.get(name, 0.0) + times.user + times.system
    return spent


@contextlib.asynccontextmanager
async def running(folder: Path, env: WorkflowEnvironment, settings: Settings, workers: int) -> AsyncIterator[System]:
    """Everything at work, with so many worker processes."""
    engine = create_engine(settings.database_url)
    try:
        await publish(engine)
        variables = environment(settings, env.client.service_client.config.target_host)
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(workers):
                await stack.enter_async_context(worker_process(folder, variables))
            yield System(env.client, engine, settings)
    finally:
        await engine.dispose()


async def put_in_force(system: System, made: Contract, since: datetime) -> None:
    async with transaction(system.engine) as connection:
        await contracts.publish(connection, made, since, "bench", datetime.now(UTC))


async def measure(system: System, count: int) -> None:
    ombud = Ombud(system.client, system.engine, task_queue=system.settings.task_queue)
    await put_in_force(system, contract(knows=False), datetime.now(UTC) - timedelta(days=400))
    rate = await opened(system, count)
    SAY.print(f"{count:,} complaints opened and on record, {rate:.1f} a second; load {os.getloadavg()[0]:.1f}")
    SAY.print(f"the workers hold {memory():,} MB")
    await put_in_force(system, contract(knows=True), datetime.now(UTC))
    async with ombud.reading() as connection:
        found = await replanning.outstanding(connection, "small")
    circular = replanning.circular("small", found.years, Actor(role="handler.manager", person="bench"), "Published.")
    before, watch = processor_time(), Progress()
    carried = await carry(ombud, circular, "bench", watch)
    took = time.perf_counter() - watch.began
    after = processor_time()
    rows = "SELECT count(*) AS n, count(DISTINCT stream) AS of FROM ledger WHERE type = 'replanned'"
    told = (await system.rows(rows))[0]
    anew = (await system.rows("SELECT count(*) AS n FROM clocks WHERE replans = 1"))[0]["n"]
    late = (await system.rows("SELECT count(*) AS n FROM clocks WHERE replans > 1"))[0]["n"]
    async with ombud.reading() as connection:
        left = (await replanning.outstanding(connection, "small")).behind
    if (carried.taken, told["n"], told["of"], anew, late, len(left)) != (count, count, count, count, 0, 0):
        raise SystemExit(f"not once each: {carried}, {told}, {anew} clocks anew, {late} twice, {len(left)} left")
    table = Table("complaints", "seconds", "a second", "ten thousand take", "load")
    minutes = f"{10_000 / (count / took) / 60:.1f} minutes"
    table.add_row(f"{count:,}", f"{took:.1f}", f"{count / took:.1f}", minutes, f"{os.getloadavg()[0]:.1f}")
    SAY.print(table)
    table = Table("on the processor", "ms a complaint")
    for name in sorted(after, key=lambda name: before.get(name, 0) - after[name]):
        table.add_row(name, f"{(after[name] - before.get(name, 0)) / count * 1000:.2f}")
    SAY.print(table)
    SAY.print("Each due was counted anew once, all of it is on record, and a second run finds nothing to do.")


async def main(count: int, workers: int, cached: int | None) -> None:
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        async with cluster(folder / "postgres") as databases, await start_real(list(ALL)) as env:
            settings = Settings(
                database_url=await databases.fresh(),
                smtp_host="127.0.0.1",
                smtp_port=9,
                mail_from="Ombud <ombud@example.com>",
                signing_key="a key for measurements alone, 32+",
                master_key=base64.b64encode(bytes(32)).decode(),
                task_queue=f"ombud-{uuid.uuid4().hex[:8]}",
            )
            if cached:
                settings = settings.model_copy(update={"worker_cache": cached})
            async with running(folder, env, settings, workers) as system:
                await measure(system, count)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--complaints", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=1, help="worker processes")
    parser.add_argument("--cached", type=int, default=None, help="workflows that each keeps in memory")
    given = parser.parse_args()
    asyncio.run(main(given.complaints, given.workers, given.cached))
