"""`make faults`: stories played once in calm and once in a storm, and what the judges say of both.

Ends with 0 when nothing was found, else with 1. What it wrote stays in its folder then.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from faults.figures import as_object, show, show_findings
from faults.injector import Plan, plans
from faults.machines import NotServingError
from faults.run import Outcome, leave, run

CALM = 0.4
"""The part of the time in which the calm run opens its complaints."""


async def both(folder: Path, given: argparse.Namespace, progress: Progress, outcomes: dict[str, Outcome]) -> None:
    """The calm run, unless it is left out, and the storm; each outcome is told as soon as it is there."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    for number in (signal.SIGTERM, signal.SIGINT):  # the machines end with us
        loop.add_signal_handler(number, task.cancel if task else loop.stop)
    seconds = given.minutes * 60
    kinds: list[tuple[str, float, list[Plan] | None]] = [("storm", seconds, plans(given.seed, given.victims))]
    if not given.storm_only:
        kinds.insert(0, ("calm", seconds * CALM, None))
    for name, spread, wanted in kinds:
        bar = progress.add_task(name, total=given.complaints, what="starting the machines")
        own = folder / name
        own.mkdir()

        def say(done: int, of: int, what: str, bar: object = bar) -> None:
            progress.update(bar, completed=done, total=of, what=what)  # type: ignore[arg-type]

        outcomes[name] = await run(own, given.seed, given.complaints, spread, wanted, say)
        progress.update(bar, what=f"{len(outcomes[name].results.findings)} findings")


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("--complaints", type=int, default=300, help="at most thrice as many, until all has happened")
    parser.add_argument("--seed", type=int, default=1, help="decides stories, faults and their order")
    parser.add_argument("--minutes", type=float, default=4, help="in which the storm opens its complaints")
    parser.add_argument("--victims", type=int, default=3, choices=(1, 2, 3), help="who die at each point of the worker")
    parser.add_argument("--storm-only", action="store_true", help="leave the calm run out")
    parser.add_argument("--json", action="store_true", help="print the figures as one object")
    given = parser.parse_args()
    console = Console(stderr=given.json)
    folder = Path(tempfile.mkdtemp(prefix="ombud-faults-"))
    folder.chmod(0o755)  # Postgres runs as a user of its own where we are root
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f} of {task.total:.0f}"))
    outcomes: dict[str, Outcome] = {}
    again = f"{Path(sys.executable).name} -m faults --seed {given.seed} --complaints {given.complaints} "
    again += f"--minutes {given.minutes:g} --victims {given.victims}" + (" --storm-only" if given.storm_only else "")
    with Progress(*columns, TimeElapsedColumn(), TextColumn("{task.fields[what]}"), console=console) as progress:
        try:
            asyncio.run(both(folder, given, progress, outcomes))
        except asyncio.CancelledError:
            progress.stop()
            show_findings(console, given.seed, again, outcomes)
            console.print(f"Stopped; what was written stays in {folder}.")
            return 130
        except NotServingError as error:
            console.print(str(error))
            return 1
    show(console, given.seed, again, outcomes)
    if given.json:
        print(json.dumps(as_object(given.seed, outcomes), indent=2, ensure_ascii=False))
    if any(outcome.results.findings for outcome in outcomes.values()):
        console.print(f"Ledgers, found and expected, and logs of the machines: {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    os.umask(0o022)
    leave(main())
