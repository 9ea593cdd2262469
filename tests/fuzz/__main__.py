"""Fuzzing for minutes: `make fuzz`, or `python -m tests.fuzz --minutes 10 --seed 7 --only calendars,mails`.

Prints the seed, by which the same inputs come again, and a table; ends with 1 where something crashed or is wedged.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import logging
import os
import random
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic

from hypothesis import HealthCheck, seed
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import run_state_machine_as_test
from rich.console import Console
from rich.table import Table

from settings import Settings
from tests.fuzz import chains, files, http, pages, tables, temporal, words
from tests.fuzz.target import Tally, Target, tried
from tests.support import story_machine
from tests.support.postgres import cluster
from tests.support.smtp import SmtpSink
from tests.support.system import System, running
from tests.support.temporal import start_real
from workflows.search_attributes import ALL

PURE: list[Target] = [*files.TARGETS, *tables.TARGETS, *words.TARGETS]
LIVE: dict[str, Callable[[System, int, int | None], Awaitable[Tally]]] = {
    one.__name__.replace("_", " "): one for one in (*temporal.ALL, *http.ALL, *chains.ALL, *pages.ALL)
}
STORIES = "stories"
NAMES = [STORIES, *(target.name for target in PURE), *LIVE]


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5, help="for all targets together, shared evenly")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="the same seed gives the same inputs")
    parser.add_argument("--only", default="", help=f"some of: {', '.join(NAMES)}; commas between them")
    asked = parser.parse_args()
    chosen = [name for name in NAMES if not asked.only or name in asked.only.split(",")]
    if not chosen:
        parser.error(f"--only {asked.only} names no target; there are {', '.join(NAMES)}")
    logging.disable(logging.CRITICAL)
    print(f"seed {asked.seed}, {asked.minutes:g} minutes, load {os.getloadavg()[0]:.1f}")
    share = asked.minutes * 60 / len(chosen)
    tallies = [_stories(share, asked.seed)] if STORIES in chosen else []
    tallies += [_pure(target, share, asked.seed) for target in PURE if target.name in chosen]
    if live := [name for name in chosen if name in LIVE]:
        with tempfile.TemporaryDirectory(prefix="ombud-fuzz-") as folder:
            Path(folder).chmod(0o755)  # Postgres runs as another user
            tallies += asyncio.run(_live(live, share, asked.seed, Path(folder)))
    return _report(tallies)


def _pure(target: Target, share: float, number: int) -> Tally:
    """Round after round, each with a seed of its own, until the time is over."""
    tally, until = Tally(target.name), monotonic() + share
    while monotonic() < until:
        tried(target, 100, number, tally=tally)
        number += 1
    return tally


def _stories(share: float, number: int) -> Tally:
    """Steps of the state machine. The first broken invariant ends it, shrunk to its fewest steps."""
    tally, until = Tally(STORIES), monotonic() + share
    story_machine.FIGURES.clear()
    made = hypothesis_settings(
        max_examples=50,
        stateful_step_count=30,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    while monotonic() < until and not tally.crashes:
        try:
            run_state_machine_as_test(seed(number)(story_machine.Complaints), settings=made)
        except Exception as error:  # noqa: BLE001  whatever it is, it is a defect
            tally.crashed(error, "\n".join(getattr(error, "__notes__", [])))
        number += 1
    figures = story_machine.FIGURES
    tally.accepted, tally.refused = figures["taken"], figures["refused"] + figures["not valid"]
    tally.inputs = tally.accepted + tally.refused
    return tally


async def _live(names: list[str], share: float, number: int, folder: Path) -> list[Tally]:
    """Those that need Temporal, Postgres and a worker."""
    sink = SmtpSink()
    async with await start_real(list(ALL)) as env, cluster(folder / "cluster") as databases:
        await sink.start()
        settings = Settings(
            database_url=await databases.fresh(),
            smtp_host=sink.host,
            smtp_port=sink.port,
            mail_from="Ombud <ombud@example.com>",
            signing_key="a key for fuzzing alone, 32 letters",
            master_key=base64.b64encode(bytes(range(32))).decode(),
            task_queue=f"fuzz-{uuid.uuid4().hex[:12]}",
        )
        async with running(env.client, settings) as system:
            made = [await _rounds(name, system, share, number) for name in names]
        await sink.stop()
    return made


async def _rounds(name: str, system: System, share: float, number: int) -> Tally:
    whole, until = Tally(name), monotonic() + share
    while monotonic() < until:
        tally = await LIVE[name](system, 200, number)
        number += 1
        whole.inputs += tally.inputs
        whole.accepted += tally.accepted
        whole.refused += tally.refused
        whole.wedged += tally.wedged
        whole.slowest = max(whole.slowest, tally.slowest)
        whole.crashes += tally.crashes
        whole.examples |= tally.examples
    return whole


def _report(tallies: list[Tally]) -> int:
    table = Table("target", title="What became of the inputs")
    for name in ("inputs", "accepted", "refused", "crashes", "wedged", "slowest"):
        table.add_column(name, justify="right")
    for tally in tallies:
        numbers = (tally.inputs, tally.accepted, tally.refused, tally.crashes.total(), tally.wedged)
        slowest = f"{tally.slowest:.2f} s" if tally.slowest else "–"
        table.add_row(tally.target, *(f"{number:,}" for number in numbers), slowest)
    Console().print(table)
    for tally in tallies:
        for place, count in tally.crashes.most_common():
            print(f"\n{tally.target}, {count:,} times: {tally.examples[place][:4_000]}")
    found: Counter[str] = sum((tally.crashes for tally in tallies), Counter())
    return 1 if found or any(tally.wedged for tally in tallies) else 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # a process that spoke to Temporal may crash at the interpreter's own end
