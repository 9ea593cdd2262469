"""What a complaint cost in earlier releases, beside what it costs now. Each keeps a file in bench/results/costs."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).parent / "results" / "costs"

Lives = dict[str, dict[str, int]]
"""Counts by life and kind: events, actions, bytes, mails, mail_events, mail_actions."""


def keep(lives: Lives, file: Path) -> None:
    """Keep what this release costs."""
    text = json.dumps({"ombud": version("ombud"), "lives": lives}, indent=1, ensure_ascii=False)
    file.write_text(text + "\n", encoding="utf-8")


def kept() -> dict[str, Lives]:
    """What earlier releases cost, by name, the oldest first."""
    found = {}
    for file in sorted(FOLDER.glob("*.json")):
        document = json.loads(file.read_text("utf-8"))
        found[f"{document['ombud']} ({file.stem})"] = document["lives"]
    return found


def show(now: Lives) -> None:
    """Print events and actions of each life, its mails included, over the releases, and the change since the last."""
    before = kept()
    table = Table("events / actions, mails included", *before, "now", "since the last")
    for life, counts in now.items():
        last = next((lives[life] for lives in reversed(before.values()) if life in lives), None)
        change = f"{_change(last, counts, 'events')} / {_change(last, counts, 'actions')}" if last else ""
        table.add_row(life, *(_both(lives.get(life)) for lives in before.values()), _both(counts), change)
    Console(width=150).print(table)


def _both(counts: dict[str, int] | None) -> str:
    return f"{_all(counts, 'events')} / {_all(counts, 'actions')}" if counts else "–"


def _all(counts: dict[str, int], what: str) -> int:
    return counts[what] + counts[f"mail_{what}"]


def _change(before: dict[str, int], now: dict[str, int], what: str) -> str:
    return f"{(_all(now, what) / _all(before, what) - 1) * 100:+.0f} %"
