"""The measurements count right: with tiny sizes, and no word about how fast anything was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import herd, lateness, opening, rivals, trend, updates
from bench.desks import publish
from bench.figures import Figure, Run, write_into
from bench.ground import ROOT, ground
from bench.picture import draw


@pytest.mark.timeout(600)
async def test_every_measurement_counts_what_it_started() -> None:
    """With real workers, servers and rivals each miss is told once, each start is open, each update is answered."""
    poller, dbos = rivals.RIVALS[1:]
    async with ground() as at:
        desks = await publish(at, 3)
        ours, bare = await herd.by_turns(at, desks, 12, 1)
        assert [(len(one.lateness), one.wrong) for one in (*ours, *bare)] == [(12, []), (12, [])]
        assert 3 <= ours[0].mails <= 12
        late = await lateness.measure(at, desks, 3, (lateness.IN_TURN, lateness.AT_ONCE), rivals=(poller,))
        assert {way: len(values) for way, values in late.items()} == {
            lateness.IN_TURN: 3,
            lateness.AT_ONCE: 3,
            lateness.BARE: 3,
            poller.name: 3,
        }
        assert min(late[lateness.IN_TURN]) > 0
        drain = await rivals.herd(at, dbos, 10, desks)
        assert (drain.mails, drain.wrong) == (10, [])
        answered = await updates.measure(at, desks[0], 1, 2, rest=0)
        assert [len(seconds) for seconds in answered] == [2, 2, 2]
        opened, started = await opening.measure(at, desks, 1, 5, 4, cache=20)
        assert (len(opened.rounds), len(opened.memory), len(started.rounds)) == (1, 2, 1)
        assert opened.memory[1] >= opened.memory[0] // 2 > 0


async def test_figures_are_kept_and_drawn(tmp_path: Path) -> None:
    """JSON holds every figure and every single value; the picture is drawn from it."""
    run = Run()
    run.add(Figure("herd drained", "a second", 40, 50, 0.8, "≥ 0.9", met=False))
    run.add(Figure("replay", "ms", 90, aim="< 100 ms", met=True))
    for what in ("herd", "stream"):
        run.series[what] = {"Ombud": [0.1, 0.2], "bare workflow": [0.1, 0.3]}
    run.save(tmp_path / "run.json")
    kept = json.loads((tmp_path / "run.json").read_text("utf-8"))
    assert [(one["name"], one["ratio"], one["met"]) for one in kept["figures"]] == [
        ("herd drained", 0.8, False),
        ("replay", None, True),
    ]
    assert kept["seconds_late"]["herd"]["Ombud"] == [0.1, 0.2]
    draw(kept, tmp_path / "run.png")
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")


def test_every_release_kept_every_life() -> None:
    """The trend can be read: each file in bench/results/costs has events and actions of the same lives."""
    lives = [set(of) for of in trend.kept().values()]
    assert lives
    assert all(one == lives[0] for one in lives)


def test_the_document_takes_the_figures(tmp_path: Path) -> None:
    """The table stands between the two marks of docs/benchmarks.md, and what is around them stays."""
    document = tmp_path / "benchmarks.md"
    whole = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    document.write_text(whole, "utf-8")
    run = Run(load={"herd": 0.5})
    run.add(Figure("herd drained", "a second", 40, 50, 0.8, "≥ 0.9", met=False))
    for _ in range(2):
        write_into(document, run)
    text = document.read_text("utf-8")
    assert text.count("| herd drained | 40.0 a second | 50.0 a second | 0.80 | ≥ 0.9 | **no** |  |") == 1
    assert text.startswith(whole.partition("<!--")[0])
    assert text.endswith(whole.rpartition("-->")[2])
