"""The figures of a run: a table for people, JSON for programs, a picture for whoever would rather look."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One measured figure. What has a ratio carries over to other machines; an absolute value is this machine's."""

    name: str
    unit: str
    ours: float
    bare: float | None = None
    """Of the bare workflow in the same run."""
    ratio: float | None = None
    aim: str = ""
    met: bool | None = None
    """Nothing where no aim is set."""
    remark: str = ""


@dataclass
class Run:
    """All figures of one run, on a machine with so much else to do."""

    figures: list[Figure] = field(default_factory=list)
    series: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    """Single values by what was measured and how: seconds of lateness."""
    load: dict[str, float] = field(default_factory=dict)
    """Processes that wanted a processor in the last minute, when each part began."""
    failed: dict[str, str] = field(default_factory=dict)
    """Parts that could not be measured, and why."""
    started_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def add(self, figure: Figure) -> None:
        self.figures.append(figure)

    def begins(self, part: str) -> None:
        """Note what the machine does besides, and say what comes."""
        self.load[part] = round(os.getloadavg()[0], 2)
        print(f"{datetime.now(UTC):%H:%M:%S} {part} … (load {self.load[part]})", flush=True)

    def fails(self, part: str, error: Exception) -> None:
        """Note that a part could not be measured."""
        self.failed[part] = str(error)
        print(f"{part} could not be measured: {error}", flush=True)

    def as_json(self) -> dict[str, Any]:
        return {
            "ombud": version("ombud"),
            "started_at": self.started_at,
            "processors": os.cpu_count(),
            "load": self.load,
            "failed": self.failed,
            "figures": [asdict(figure) for figure in self.figures],
            "seconds_late": {
                what: {how: [round(value, 3) for value in values] for how, values in ways.items()}
                for what, ways in self.series.items()
            },
        }

    def save(self, file: Path) -> None:
        file.write_text(json.dumps(self.as_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def show(figures: Sequence[Figure]) -> None:
    """Print the table."""
    table = Table(title="Absolute figures are this machine's; ratios are of one run, side by side.")
    for heading in ("figure", "ours", "bare", "ratio", "aim", "met", "remark"):
        table.add_column(heading, justify="right" if heading in {"ours", "bare", "ratio"} else "left")
    for one in figures:
        bare = "" if one.bare is None else f"{number(one.bare)} {one.unit}"
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
        met = {True: "yes", False: "no", None: ""}[one.met]
        table.add_row(one.name, f"{number(one.ours)} {one.unit}", bare, ratio, one.aim, met, one.remark)
    Console(width=170).print(table)


BEGIN, END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"


def write_into(document: Path, run: Run) -> None:
    """Put the table of a run into a document, between its two marks."""
    before, _, rest = document.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{document} has no place for the figures: {BEGIN.strip()} and {END.strip()}")
    rows = [["figure", "ours", "bare", "ratio", "aim", "met", ""], ["---"] * 7]
    for one in run.figures:
        bare = "" if one.bare is None else f"{number(one.bare)} {one.unit}"
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
        met = {True: "yes", False: "**no**", None: ""}[one.met]
        rows.append([one.name, f"{number(one.ours)} {one.unit}", bare, ratio, one.aim, met, one.remark])
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    least, most = min(run.load.values()), max(run.load.values())
    when = run.started_at[:16].replace("T", " ")
    said = f"Measured {when} UTC on {os.cpu_count()} processors; load {least} to {most}.\n"
    document.write_text(f"{before}{BEGIN}{said}\n{table}{END}{after}", encoding="utf-8")


def number(value: float) -> str:
    """As many digits as tell something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3g}"
