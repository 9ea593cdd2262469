"""The figures as a picture: `python -m bench.picture RESULTS.json PICTURE.png`.

Above, how each miss of a herd and of a stream was told, by whom; below, the ratios to a bare workflow and their aims.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from bench.figures import number

mpl.use("Agg")

COLOURS = {
    "Ombud": "#0b6e4f",
    "bare workflow": "#7d8590",
    "Postgres poller, every 60 s": "#c0532b",
    "Postgres poller, every second": "#e0a458",
    "DBOS": "#4a6fa5",
}


def draw(results: dict[str, Any], file: Path) -> None:
    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    figure = plt.figure(figsize=(13, 9), layout="constrained")
    halves = figure.subfigures(2, 1, squeeze=False)  # so that long names below take no room above
    herd, stream = halves[0, 0].subplots(1, 2)
    ratios, rest = halves[1, 0].subplots(1, 2)
    late = results["seconds_late"]
    if ways := late.get("herd"):
        size = len(next(iter(ways.values())))
        _curves(herd, ways, f"{size:,} clocks due at one instant: share told after so many seconds")
    if ways := late.get("stream"):
        _curves(stream, ways, "one miss a second: share told after so many seconds")
    _ratios(ratios, [one for one in results["figures"] if one["ratio"] is not None])
    _numbers(rest, results)
    figure.suptitle(
        f"Ombud {results['ombud']}, {results['started_at'][:10]}, {results['processors']} processors "
        "for workers, Temporal, Postgres and mail server together",
        fontsize=12,
    )
    figure.savefig(file, dpi=110)
    plt.close(figure)


def _curves(axes: Axes, ways: dict[str, list[float]], title: str) -> None:
    for name, values in ways.items():
        ordered = sorted(max(value, 0.001) for value in values)
        share = [(place + 1) / len(ordered) * 100 for place in range(len(ordered))]
        axes.plot(ordered, share, label=name, color=COLOURS.get(name), linewidth=2.6 if name == "Ombud" else 1.6)
    axes.set_xscale("log")
    axes.set_xlim(left=0.01)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g} s")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    axes.set_title(title, loc="left")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize=9)


def _ratios(axes: Axes, figures: list[dict[str, Any]]) -> None:
    """A bar each; the mark is the aim, on whose good side the bar should end."""
    places = range(len(figures) - 1, -1, -1)
    for place, one in zip(places, figures, strict=True):
        colour = {True: "#0b6e4f", False: "#b3261e", None: "#7d8590"}[one["met"]]
        axes.barh(place, one["ratio"], color=colour, height=0.55)
        axes.text(0.02, place, f"{one['ratio']:.2f}", va="center", color="white", weight="bold")
        sign, _, aim = one["aim"].partition(" ")
        if sign in {"≥", "≤"}:
            axes.plot([float(aim)] * 2, [place - 0.38, place + 0.38], color="black", linewidth=2)
            axes.text(float(aim), place + 0.4, one["aim"], ha="center", va="bottom", fontsize=8)
    axes.set_yticks(list(places), [fill(one["name"], 30) for one in figures], fontsize=9)
    axes.axvline(1, color="#7d8590", linewidth=0.8, linestyle=":")
    axes.set_ylim(-0.7, len(figures) - 0.2)
    axes.set_title("against a bare workflow in the same run (mark: aim)", loc="left")


def _numbers(axes: Axes, results: dict[str, Any]) -> None:
    axes.axis("off")
    axes.set_title("this machine's own figures", loc="left")
    shown = [one for one in results["figures"] if one["ratio"] is None]
    for place, one in enumerate(shown):
        height = 0.97 - place / len(shown)
        colour = {True: "#0b6e4f", False: "#b3261e", None: "black"}[one["met"]]
        axes.text(0, height, one["name"], fontsize=8.5, va="top")
        axes.text(
            0.83, height, f"{number(one['ours'])} {one['unit']}", fontsize=8.5, va="top", ha="right", color=colour
        )
        axes.text(0.85, height, one["aim"] and f"aim {one['aim']}", fontsize=8.5, va="top")


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text("utf-8")), Path(sys.argv[2]))
