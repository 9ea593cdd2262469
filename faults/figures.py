"""The figures of a run, for people as tables and for programs as one object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from faults.injector import SERVERS
from faults.points import POINTS
from faults.run import Outcome

SHOWN = 20
"""Findings that the terminal shows; the object has all."""


def as_object(seed: int, outcomes: dict[str, Outcome]) -> dict[str, Any]:
    """Everything that was counted and found."""
    return {"seed": seed, **{name: _counted(outcome) for name, outcome in outcomes.items()}}


def show(console: Console, seed: int, again: str, outcomes: dict[str, Outcome]) -> None:
    """Faults, what came of them, and what must not be."""
    storm = outcomes["storm"]
    console.print(_faults(storm), _came(outcomes))
    if not show_findings(console, seed, again, outcomes):
        console.print("[green]Nothing lost, nothing claimed twice, every clock as without faults.[/green]")


def show_findings(console: Console, seed: int, again: str, outcomes: dict[str, Outcome]) -> bool:
    """What must not be, in those parts that have been played to their end, and whether there is any."""
    for name, outcome in outcomes.items():
        for finding in outcome.results.findings[:SHOWN]:
            console.print(f"[red]{name}[/red] {escape(str(finding))}", highlight=False)
        if more := len(outcome.results.findings) - SHOWN:
            console.print(f"… and {more} more" if more > 0 else "", end="\n" if more > 0 else "")
    found = any(outcome.results.findings for outcome in outcomes.values())
    if found:
        console.print(f"Seed {seed} again: [bold]{escape(again)}[/bold]")
    return found


def _counted(outcome: Outcome) -> dict[str, Any]:
    results = outcome.results
    return {
        "complaints": outcome.played,
        "under a second version": results.anew,
        "commands": outcome.figures["commands"],
        "sent twice": outcome.figures["sent twice"],
        "sent again": outcome.figures["sent again"],
        "wrong clocks": outcome.figures["wrong clocks"],
        "faults": dict(_kinds(outcome)),
        "points reached": {point: outcome.reached[point] for point in POINTS},
        "ledgers identical": results.identical,
        "heard late": results.heard_late,
        "renumbered": results.renumbered,
        "misses": results.misses,
        "rungs": results.rungs,
        "notices": results.notices,
        "lost": results.lost,
        "claimed twice": results.doubled,
        "mails": results.mails,
        "doubles on the wire": results.copies,
        "circulars": results.circulars,
        "letters taken": results.letters,
        "erased": results.erased,
        "erased in their midst": results.erased_in_midst,
        "events": results.events,
        "events lost": results.events_lost,
        "events told twice": results.event_copies,
        "robot messages": results.robot_messages,
        "told by robots": results.robot_events,
        "lost by robots": results.robot_lost,
        "told twice by robots": results.robot_copies,
        "receivers that left": results.receivers_gone,
        "asked again after their 410": results.asked_again,
        "longest recovery in seconds": round(outcome.longest_recovery, 1),
        "latest rung in seconds": round(results.latest_rung.total_seconds(), 1),
        "longest mail in seconds": round(results.longest_mail.total_seconds(), 1),
        "seconds": round(outcome.seconds),
        "findings": [str(finding) for finding in results.findings],
    }


def _kinds(outcome: Outcome) -> Counter[str]:
    """Every fault that happened, by kind."""
    kinds = Counter(f"{one.plan.victim} killed, at “{one.plan.point}”" for one in outcome.injected if one.plan.point)
    at_random = [one.plan.victim for one in outcome.injected if not one.plan.point]
    kinds += Counter(
        f"{SERVERS[victim]} refuses connections" if victim in SERVERS else f"{victim} killed, at any moment"
        for victim in at_random
    )
    return kinds + outcome.troubles


def _faults(storm: Outcome) -> Table:
    table = Table("fault", "times", title="faults injected")
    kinds = sorted(_kinds(storm).items())
    for kind, count in kinds:
        table.add_row(kind, str(count))
    table.add_row("[bold]all[/bold]", str(sum(count for _, count in kinds)))
    return table


def _came(outcomes: dict[str, Outcome]) -> Table:
    """A column a run."""
    table = Table("", *outcomes, title="what came of it")
    counted: Sequence[dict[str, Any]] = [_counted(outcome) for outcome in outcomes.values()]
    for name in counted[0]:
        if name not in ("faults", "points reached", "findings"):
            table.add_row(name, *(str(one[name]) for one in counted))
    table.add_row("findings", *(str(len(one["findings"])) for one in counted))
    return table
