"""What operations run: the servers, the tables, and the queues that nobody may overlook."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from storage.rebuild import Difference
    from storage.stuck import Stuck


def mount(app: typer.Typer) -> None:
    app.command()(stuck)
    app.command()(rebuild)
    app.command()(migrate)
    app.command()(serve)
    app.command()(up)


def stuck(
    minutes: Annotated[int, typer.Option(min=0, help="How long a notice may wait before it is listed.")] = 15,
    days: Annotated[int, typer.Option(min=1, help="How far back to list what can no longer be mended.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: JSON, times in UTC.")] = False,
) -> None:
    """List what could not be delivered or recorded. Ends with 1 if anything stands there."""
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
    from starter.errors import Refused, Unreachable
    from starter.postgres import settings_in_force
    from storage.database import PostgresUnreachableError
    from storage.migrate import TablesHeldError, upgrade

    try:
        upgrade(settings_in_force().database_url)
    except PostgresUnreachableError as error:
        raise Unreachable(str(error)) from None
    except TablesHeldError as error:
        raise Refused(str(error)) from None
    print("The tables are up to date.")


def serve() -> None:
    """Serve the pages that mails link to, in the foreground."""
    from starter.serve import main

    raise typer.Exit(main())


def up(
    data: Annotated[Path, typer.Option(envvar="OMBUD_DATA_DIR", help="The folder of all data.")] = Path("data"),
) -> None:
    """Start the whole system on this machine, in the foreground: Temporal, Postgres, mail catcher, worker, pages."""
    from deploy.up import main

    raise typer.Exit(main(data))
