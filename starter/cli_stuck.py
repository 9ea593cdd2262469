"""`ombud stuck`: what could not be delivered or recorded; it is listed, tried again, or given up on record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from starter.client import Ombud
    from starter.unsticking import Chosen, Done
    from storage.content import Vault
    from storage.stuck import Stuck

stuck = typer.Typer(
    invoke_without_command=True,
    help="What could not be delivered or recorded: list it, try it again, or give it up.",
)

Names = Annotated[list[str] | None, typer.Argument(metavar="[WHERE]...", help="As the column `where` says it.")]
All = Annotated[bool, typer.Option("--all", help="Everything that is listed.")]
What = Annotated[str | None, typer.Option(metavar="KIND", help="With --all: of one kind, such as 'waiting notice'.")]
Contract = Annotated[str | None, typer.Option(help="With --all: of one contract.")]


def mount(app: typer.Typer) -> None:
    app.add_typer(stuck, name="stuck")


@stuck.callback()
def list_(
    context: typer.Context,
    minutes: Annotated[int, typer.Option(min=0, help="How long a notice may wait before it is listed.")] = 15,
    days: Annotated[int, typer.Option(min=1, help="How far back to list what can no longer be mended.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: JSON, times in UTC.")] = False,
) -> None:
    """List what could not be delivered or recorded. Ends with 1 if anything stands there."""
    if context.invoked_subcommand is not None:
        return
    import json
    from dataclasses import asdict
    from datetime import UTC, datetime, timedelta

    from starter.cli_reading import local, table
    from starter.postgres import postgres
    from storage import stuck as queue
    from storage.database import transaction

    async def read() -> list[Stuck]:
        waiting, past = timedelta(minutes=minutes), timedelta(days=days)
        async with postgres() as engine, transaction(engine) as connection:
            return await queue.stuck(connection, datetime.now(UTC), waiting=waiting, past=past)

    found = asyncio.run(read())
    if as_json:
        print(json.dumps([asdict(item) for item in found], default=str, indent=2, ensure_ascii=False))
    elif found:
        rows = [(item.what, item.where, local(item.since, "UTC"), item.why, item.do) for item in found]
        table("", ("what", "where", "since", "why", "what to do"), rows)
    else:
        print("Nothing is stuck.")
    raise typer.Exit(1 if found else 0)


@stuck.command()
def retry(
    names: Names = None,
    everything: All = False,
    what: What = None,
    contract: Contract = None,
    by: Annotated[
        str, typer.Option(metavar="ROLE[/PERSON]", help="Who decides it; it stands on record.")
    ] = "operations",
) -> None:
    """Try again now: a notice that waits, a message that was refused or came back, a webhook. Ends with 1 if something
    could not be tried."""
    from starter.cli_privacy import actor
    from starter.unsticking import Chosen
    from starter.unsticking import retry as again

    who = actor(by)
    _carry_out(
        Chosen(names or (), everything, what, contract),
        lambda ombud, vault, items: again(ombud, vault, items, who),
    )


@stuck.command("give-up")
def give_up(
    by: Annotated[str, typer.Option(metavar="ROLE[/PERSON]", help="Who decides it; it stands on record.")],
    reason: Annotated[str, typer.Option(help="Why, and who was told another way.")],
    names: Names = None,
    everything: All = False,
    what: What = None,
    contract: Contract = None,
) -> None:
    """Give up: a notice counts as undeliverable at once and its ladder goes on; a refused signal or a rejected start is
    dealt with. Ends with 1 if something could not be given up."""
    from starter import unsticking
    from starter.cli_privacy import actor

    who = actor(by)
    _carry_out(
        unsticking.Chosen(names or (), everything, what, contract),
        lambda ombud, vault, items: unsticking.give_up(ombud, vault, items, who, reason),
    )


def _carry_out(which: Chosen, do: Callable[[Ombud, Vault, Sequence[Stuck]], AsyncIterator[Done]]) -> None:
    from starter import unsticking
    from starter.client import Ombud
    from starter.postgres import settings_in_force
    from storage.content import Vault

    async def run() -> bool:
        settings, good = settings_in_force(), True
        async with Ombud.connect(settings) as ombud:
            items = await unsticking.chosen(ombud, which)
            async for one in do(ombud, Vault(settings.keyring), items):
                print(f"{one.item.what} {one.item.where}: {one.said}")
                good = good and one.done
        if not items:
            print("Nothing of that is stuck.")
        return good

    raise typer.Exit(0 if asyncio.run(run()) else 1)
