"""`ombud canary …`: a complaint whose clock must warn and whose mail must arrive, now or every hour."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from temporalio.client import Client

    from settings import Settings

canary_app = typer.Typer(help="Whether a warning would arrive: tried for real.", no_args_is_help=True)

UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def mount(app: typer.Typer) -> None:
    app.add_typer(canary_app, name="canary")


@canary_app.command("run")
def run(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Send one now, wait for it, and say how long each step took. Ends with 1 when the warning did not arrive."""
    import json

    from starter.canary import fly

    async def now() -> dict[str, object]:
        client, settings = await _connected()
        return await fly(client, settings.task_queue)

    flown = asyncio.run(now())
    if as_json:
        print(json.dumps(flown, indent=2))
        return
    print(f"{flown['complaint']}: the warning was accepted")
    steps: list[dict[str, float]] = flown["steps"]  # type: ignore[assignment]  # as the workflow says it
    for step in steps:
        print(f"  {step['seconds']:8.3f} s  {step['what']}")
    print("The watcher was told." if flown["watcher_told"] else "No watcher is set (OMBUD_CANARY_URL).")


@canary_app.command("schedule")
def schedule(
    every: Annotated[str | None, typer.Option(help="Such as 15m, 1h or 1d.")] = None,
    off: Annotated[bool, typer.Option("--off", help="No more.")] = False,
) -> None:
    """Have Temporal send one regularly, or no more."""
    from starter import canary
    from starter.errors import Invalid

    if (every is None) == (not off):
        raise Invalid("Say either --every, such as --every 1h, or --off.")
    between = None if every is None else _interval(every)

    async def change() -> str:
        client, settings = await _connected()
        if between is None:
            was = await canary.unschedule(client, settings.task_queue)
            return "No canary flies from now on." if was else "None was scheduled."
        await canary.schedule(client, settings.task_queue, between)
        return f"A canary flies every {every}; in the Web UI: Schedules, {canary.schedule_id(settings.task_queue)}."

    print(asyncio.run(change()))


def _interval(given: str) -> timedelta:
    from starter.errors import Invalid

    found = re.fullmatch(r"([1-9]\d{0,3})([mhd])", given)
    between = timedelta(**{UNITS[found[2]]: int(found[1])}) if found else timedelta()
    if between < timedelta(minutes=5):
        raise Invalid(f"{given!r} is no interval of 5 minutes or more; write 15m, 1h or 1d.")
    return between


async def _connected() -> tuple[Client, Settings]:
    from starter.errors import Unreachable
    from starter.postgres import settings_in_force
    from wire.client import TemporalUnreachableError, connect_temporal

    settings = settings_in_force()
    try:
        return await connect_temporal(), settings
    except TemporalUnreachableError as error:
        raise Unreachable(str(error)) from None
