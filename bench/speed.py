"""How fast it is, all of it in one run on the same servers: `python -m bench.speed`, `--help` for more.

Half an hour on two quiet processors; `--small` takes two minutes, for looking whether it counts right.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

from bench import herd, lateness, opening, replay, rivals, updates
from bench.desks import publish
from bench.drain import Drain, line, percentile
from bench.figures import Figure, Run, show, write_into
from bench.ground import Ground, ground
from bench.picture import draw


@dataclass(frozen=True)
class Sizes:
    """How much of each."""

    herd: int = 2000
    managers: int = 40
    rounds: int = 2
    stream: int = 300
    alone: int = 60
    opening_rounds: int = 10
    opened: int = 1000
    """In each round, ours and bare ones: against a longer round than the other's, a backlog would count on one side."""
    small_cache: int = 500
    updates: int = 10
    replays: int = 20
    rivals: tuple[rivals.Rival, ...] = rivals.RIVALS


SMALL = Sizes(
    herd=24, managers=4, rounds=1, stream=6, alone=4, opening_rounds=2, opened=20, small_cache=10, updates=2,
    replays=2, rivals=rivals.RIVALS[1:],
)  # fmt: skip


async def measure(sizes: Sizes) -> Run:
    """Every part, one after another. One that fails, where a machine is too busy, keeps no other from running."""
    run = Run()
    async with ground() as at:
        desks = await publish(at, sizes.managers)
        for part in (_lateness, _herd, _updates, _opening):
            try:
                await part(at, run, desks, sizes)
            except (RuntimeError, AssertionError) as error:
                run.fails(part.__name__.removeprefix("_"), error)
    await _replay(run, sizes)
    return run


async def _lateness(at: Ground, run: Run, desks: list[str], sizes: Sizes) -> None:
    run.begins(f"lateness of one miss a second, for {sizes.stream} s")
    late = await lateness.measure(at, desks, sizes.stream, rivals=sizes.rivals)
    ours, bare = late.pop(lateness.IN_TURN), late.pop(lateness.BARE)
    run.series["stream"] = {"Ombud": ours, "bare workflow": bare, **late}
    run.begins("lateness where one manager alone is told")
    run.series["one manager"] = alone = await lateness.measure(
        at, desks, sizes.alone, (lateness.GATHERING, lateness.AT_ONCE), rivals=(), name="alone"
    )
    for part, aim in ((0.5, 0.15), (0.99, 1.0)):
        mine = percentile(ours, part)
        name = f"lateness of a miss, one a second, p{part * 100:.0f}"
        run.add(Figure(name, "s", mine, percentile(bare, part), aim=f"< {aim:g} s", met=mine < aim))
    for way, remark in (
        (lateness.GATHERING, "bound by gathering, 15 s at most"),
        (lateness.AT_ONCE, "a mail each"),
    ):
        run.add(Figure(f"lateness, {way}, p50", "s", percentile(alone[way], 0.5), remark=remark))
    for rival, values in late.items():
        run.add(Figure(f"lateness, {rival}, p50", "s", percentile(values, 0.5)))


async def _herd(at: Ground, run: Run, desks: list[str], sizes: Sizes) -> None:
    run.begins(f"herd of {sizes.herd:,}")
    mine, bare = await herd.by_turns(at, desks, sizes.herd, sizes.rounds)
    ours_, bare_ = herd.rate(mine, sizes.herd), herd.rate(bare, sizes.herd)
    wrong = [fault for one in mine for fault in one.wrong]
    ratio = ours_ / bare_
    run.add(
        Figure(
            f"herd of {sizes.herd:,} drained", "a second", ours_, bare_, ratio, "≥ 0.9", ratio >= 0.9 and not wrong,
            "; ".join(wrong) or f"nothing lost, nothing twice, {mine[-1].mails} mails",
        )
    )  # fmt: skip
    last = mine[-1]
    for part, name in ((0.5, "p50"), (0.99, "p99"), (1, "max")):
        run.add(Figure(f"lateness in the herd, {name}", "s", percentile(last.lateness, part)))
    run.add(
        Figure("until the last miss was judged", "s", last.judged, remark="the rest is mail: gathering, then sending")
    )
    run.series["herd"] = {"Ombud": last.lateness, "bare workflow": bare[-1].lateness}
    run.begins("the same herd, two worker processes")
    two = await herd.ours(at, desks, sizes.herd, "two", processes=2)
    print(f"  {line(two)}", flush=True)
    name = "herd drained by 2 workers, against 1"
    run.add(Figure(name, "times", sizes.herd / two.seconds / ours_, remark=_limit(last, two)))
    for rival in sizes.rivals:
        run.begins(f"the same herd, {rival.name}")
        drain = await rivals.herd(at, rival, sizes.herd, desks)
        print(f"  {line(drain)}", flush=True)
        run.add(
            Figure(f"herd drained, {rival.name}", "a second", sizes.herd / drain.seconds, remark="; ".join(drain.wrong))
        )
        run.series["herd"][rival.name] = drain.lateness


def _limit(one: Drain, two: Drain) -> str:
    """What two workers share: how much of the machine they had."""
    parts = [f"{drain.worker_seconds / drain.seconds:.2f}" for drain in (one, two)]
    return f"1 worker used {parts[0]} of {os.cpu_count()} processors, 2 used {parts[1]}; the servers need the rest"


async def _updates(at: Ground, run: Run, desks: list[str], sizes: Sizes) -> None:
    run.begins("updates")
    for name, rest, aim in (("update on a cached complaint", updates.REST, "≤ 1.3"), ("updates without a rest", 0, "")):
        measured = await updates.measure(at, desks[0], sizes.updates, 20, rest=rest, name=f"update{rest}")
        mine, recorded, bare = (statistics.median(some) * 1000 for some in measured)
        ratio = mine / bare
        run.add(Figure(f"{name}, p50", "ms", mine, bare, ratio, aim, ratio <= 1.3 if aim else None))
        run.add(Figure(f"{name}, on record, p50", "ms", recorded, bare, recorded / bare))


async def _opening(at: Ground, run: Run, desks: list[str], sizes: Sizes) -> None:
    run.begins(f"opening {sizes.opening_rounds * sizes.opened:,} complaints")
    ours, bare = await opening.measure(at, desks, sizes.opening_rounds, sizes.opened, sizes.opened)
    total = len(ours.rounds) * sizes.opened
    for of, name, aim in (("started", "complaints started", "≥ 0.8"), ("open", "complaints open, on record", "")):
        mine, other = ours.rate(of), bare.rate(of)
        run.add(Figure(name, "a second", mine, other, mine / other, aim, mine / other >= 0.8 if aim else None))
    each = ours.each(total)
    name = f"worker memory, each of {total:,} open complaints"
    other = bare.each(len(bare.rounds) * sizes.opened)
    run.add(Figure(name, "KB", each, other, aim="≤ 90 KB", met=each <= 90))
    run.begins(f"memory with a cache of {sizes.small_cache}")
    few, _ = await opening.measure(at, desks, 6, sizes.small_cache, 10, name="few", cache=sizes.small_cache)
    _, full, turned, *_, end = few.memory
    grown = (end - turned) / turned * 100
    run.add(
        Figure(
            "worker grows while 4 × its cache is opened", "%", grown, aim="flat, < 5 %", met=grown < 5,
            remark=f"{full / 1e6:.0f} MB when the cache was full, {turned / 1e6:.0f} MB once all in it had been "
            f"replaced, {end / 1e6:.0f} MB at the end",
        )
    )  # fmt: skip


async def _replay(run: Run, sizes: Sizes) -> None:
    run.begins("replay")
    for file in replay.HISTORIES:
        if file.stem in {"long", "missed"}:
            history = replay.recorded(file)
            ms = statistics.median(await replay.measure(history, sizes.replays)) * 1000
            name = f"replay of the history {file.stem}, {len(history.events)} events"
            aimed = file.stem == "long"
            run.add(Figure(name, "ms", ms, aim="< 100 ms" if aimed else "", met=ms < 100 if aimed else None))


def main(sizes: Sizes, results: Path | None, picture: Path | None, document: Path | None) -> int:
    """Measure, show and keep it; 1 when a part could not be measured."""
    run = asyncio.run(measure(sizes))
    show(run.figures)
    if results:
        run.save(results)
    if picture:
        draw(run.as_json(), picture)
    if document:
        write_into(document, run)
    return 1 if run.failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a little of everything")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--picture", type=Path, help="draw them into this PNG")
    parser.add_argument("--docs", type=Path, help="put the table into this document, between its marks")
    given = parser.parse_args()
    sys.exit(main(SMALL if given.small else Sizes(), given.json, given.picture, given.docs))
