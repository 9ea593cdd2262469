"""`ombud release …`: which release the workers are of, and giving all work to another one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from settings import Settings
    from starter.client import Ombud

T = TypeVar("T")

release_app = typer.Typer(help="Which release the workers are of (docs/upgrades.md).", no_args_is_help=True)


def mount(app: typer.Typer) -> None:
    app.add_typer(release_app, name="release")


@release_app.command("show")
def show(as_json: Annotated[bool, typer.Option("--json", help="For programs: JSON, times in UTC.")] = False) -> None:
    """List the releases that workers were of, which one is current, and what is still running under each."""
    import json
    from dataclasses import asdict

    from starter.cli_reading import local, table
    from starter.releases import releases

    found = _ask(lambda ombud, settings: releases(ombud.temporal, settings.deployment))
    if as_json:
        print(json.dumps([asdict(one) for one in found], default=str, indent=2))
        return
    rows = [(one.build, one.status, local(one.since, "UTC"), f"{one.running:,}") for one in found]
    table("", ("release", "status", "since", "open under it"), rows)


@release_app.command("current")
def current(
    build: Annotated[str, typer.Argument(envvar="OMBUD_BUILD_ID", help="Else that of OMBUD_BUILD_ID.")],
    wait: Annotated[int, typer.Option(min=0, help="Seconds to wait for its workers.")] = 300,
) -> None:
    """Give all work to a release, once its workers run: new complaints, and each open one with its next step."""
    from starter.releases import make_current

    before = _ask(lambda ombud, settings: make_current(ombud.temporal, settings.deployment, build, wait))
    if before == build:
        print(f"{build} was current already.")
    else:
        print(f"{build} is current, after {before or 'workers without a version'}. Workers of other releases may end.")


def _ask(question: Callable[[Ombud, Settings], Awaitable[T]]) -> T:
    from temporalio.service import RPCError

    from starter.client import Ombud
    from starter.errors import Unreachable
    from starter.postgres import settings_in_force

    async def ask() -> T:
        settings = settings_in_force()
        async with Ombud.connect(settings) as ombud:
            try:
                return await question(ombud, settings)
            except RPCError as error:
                raise Unreachable(f"Temporal does not do it: {error.message}") from None

    return asyncio.run(ask())
