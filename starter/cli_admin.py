"""What operations run: the servers, the tables, the directory, and the queues that nobody may overlook."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from storage.directory import Directory
    from storage.rebuild import Difference
    from storage.stuck import Stuck

directory_app = typer.Typer(help="Who stands behind the roles of the contracts now.", no_args_is_help=True)


def mount(app: typer.Typer) -> None:
    app.command()(stuck)
    app.command()(rebuild)
    app.command()(migrate)
    app.add_typer(directory_app, name="directory")
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
    from starter.errors import Unreachable
    from starter.postgres import settings_in_force
    from storage.database import PostgresUnreachableError
    from storage.migrate import upgrade

    try:
        upgrade(settings_in_force().database_url)
    except PostgresUnreachableError as error:
        raise Unreachable(str(error)) from None
    print("The tables are up to date.")


@directory_app.command("import")
def import_directory(file: Annotated[Path, typer.Argument(metavar="FILE.yaml")]) -> None:
    """Put the directory in this file in the place of the one in Postgres. Notices that wait go to whom it names."""
    from activities.poke import poke
    from starter.errors import Invalid, Unreachable
    from starter.fields import read_text
    from starter.postgres import postgres, settings_in_force
    from storage import posts
    from storage.database import transaction
    from storage.directory import DirectoryError, read_directory, replace
    from temporal_client import TemporalUnreachableError, connect_temporal

    try:
        directory = read_directory(read_text(str(file)), str(file))
    except DirectoryError as error:
        raise Invalid(str(error)) from None

    async def run() -> None:
        settings = settings_in_force()
        async with postgres(settings) as engine, transaction(engine) as connection:
            await replace(connection, directory)
            waiting = await posts.who_waits(connection)
        if not waiting:
            return
        try:
            client = await connect_temporal()
        except TemporalUnreachableError as error:
            raise Unreachable(
                f"The directory is in place, but mail waits for {', '.join(waiting)}, who cannot be poked: {error}\n"
                "Import it once more when Temporal answers."
            ) from None
        for person in waiting:
            await poke(client, settings.task_queue, person)

    asyncio.run(run())
    roles = sum(len(held) for held in directory.roles.values())
    print(f"{len(directory.people)} people stand behind {roles} roles.")


@directory_app.command("show")
def show_directory() -> None:
    """Show who stands behind the roles now."""
    from starter.cli_reading import table
    from starter.postgres import postgres
    from storage.database import transaction
    from storage.directory import stored

    async def read() -> Directory | None:
        async with postgres() as engine, transaction(engine) as connection:
            return await stored(connection)

    directory = asyncio.run(read())
    if directory is None:
        print("The directory is empty; import one: ombud directory import FILE.")
        return
    rows = [
        (contract, role, person, directory.people[person].name, directory.people[person].email)
        for contract, roles in directory.roles.items()
        for role, persons in roles.items()
        for person in persons
    ]
    table("", ("contract", "role", "person", "name", "address"), rows)


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
