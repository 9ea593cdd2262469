"""What operations run: the servers and the tables."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from storage.rebuild import Difference


def mount(app: typer.Typer) -> None:
    app.command()(rebuild)
    app.command()(migrate)
    app.command()(serve)
    app.command()(up)


def rebuild(
    repair: Annotated[bool, typer.Option("--repair", help="Make the tables what the ledger says.")] = False,
) -> None:
    """Derive every table from the ledger again and compare. Ends with 1 if anything differs and stays so."""
    from starter.errors import Refused
    from starter.postgres import postgres
    from storage import rebuild as derive

    async def run() -> list[Difference]:
        async with postgres() as engine:
            return await derive.rebuild(engine, apply=repair)

    try:
        found = asyncio.run(run())
    except derive.UnregisteredError as error:
        raise Refused(str(error)) from None
    for difference in found:
        print(difference)
    if not found:
        print("No difference: every table is what the ledger says.")
    elif repair:
        print(f"{len(found)} repaired")
    else:
        print(f"{len(found)} differ; `ombud rebuild --repair` makes them what the ledger says")
    raise typer.Exit(1 if found and not repair else 0)


def migrate() -> None:
    """Create or change the tables in Postgres as this version needs them. Does nothing when they are right."""
    from starter.errors import Unreachable
    from starter.postgres import settings_in_force
    from storage.database import PostgresUnreachableError
    from storage.migrate import upgrade

    try:
        upgrade(settings_in_force().database_url)
    except PostgresUnreachableError as error:
        raise Unreachable(str(error)) from None
    print("The tables are up to date.")


def serve() -> None:
    """Serve the pages that mails link to, in the foreground."""
    from starter.serve import main

    raise typer.Exit(main())


def up(
    data: Annotated[Path, typer.Option(envvar="OMBUD_DATA_DIR", help="The folder of all data.")] = Path("data"),
    servers_only: Annotated[
        bool, typer.Option("--servers-only", help="Neither worker nor pages, for a restore (docs/backup.md).")
    ] = False,
) -> None:
    """Start the whole system on this machine, in the foreground: Temporal, Postgres, mail catcher, worker, pages."""
    from deploy.up import main

    raise typer.Exit(main(data, servers_only=servers_only))
