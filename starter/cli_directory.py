"""`ombud directory …`: who stands behind the roles of the contracts, now and in the days to come."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from rules.contract import Contract
    from rules.directory import Directory, Member
    from storage.unclaimed import Unmanned

directory_app = typer.Typer(help="Who stands behind the roles of the contracts.", no_args_is_help=True)


def mount(app: typer.Typer) -> None:
    app.add_typer(directory_app, name="directory")


@directory_app.command("import")
def import_directory(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="YAML, CSV or iCalendar, see docs/directory.md.")
    ],
) -> None:
    """Put the directory in these files in place. A YAML file is all of it; CSV and iCalendar files replace a part.

    All or nothing: with one mistake anywhere nothing changes. Notices that wait go to whom the new one names.
    """
    from datetime import UTC, datetime

    from rules.directory_file import DirectoryError
    from starter.directory_files import read_files, read_whole
    from starter.errors import Invalid
    from starter.postgres import postgres, settings_in_force
    from storage import unclaimed
    from storage.database import transaction
    from storage.directory import replace, stored

    async def run() -> Directory:
        now = datetime.now(UTC)
        whole = read_whole(files, now)
        settings = settings_in_force()
        async with postgres(settings) as engine, transaction(engine) as connection:
            directory = read_files(files, whole or await stored(connection), now)
            await replace(connection, directory)
            behind = await unclaimed.behind(connection, now)
            waiting = await unclaimed.who_waits(connection, behind)
            unmanned = await unclaimed.unmanned(connection, behind)
        await _tell(settings.task_queue, waiting, unmanned, now)
        return directory

    try:
        directory = asyncio.run(run())
    except DirectoryError as error:
        raise Invalid(f"Nothing was imported.\n{error}") from None
    roles = sum(len(held) for held in directory.roles.values())
    print(f"{len(directory.people)} people stand behind {roles} roles.")


async def _tell(task_queue: str, waiting: list[str], unmanned: list[Unmanned], now: datetime) -> None:
    """Everybody for whom something waits now, and complaints whose notice reaches nobody any more."""
    from activities.poke import poke, report
    from rules.notices import Outcome
    from starter.errors import Unreachable
    from wire.client import TemporalUnreachableError, connect_temporal

    if not waiting and not unmanned:
        return
    try:
        client = await connect_temporal()
    except TemporalUnreachableError as error:
        raise Unreachable(
            f"The directory is in place, but Temporal is not, which has to deliver what waits for "
            f"{', '.join(waiting) or 'nobody on duty'}: {error}\nImport it once more when Temporal answers."
        ) from None
    for person in waiting:
        await poke(client, task_queue, person)
    for one in unmanned:
        await report(client, one.complaint, Outcome(notice=one.notice, accepted=False, at=now, reason=one.reason))


@directory_app.command("show")
def show_directory() -> None:
    """Show who holds the roles, and who of them is told now."""
    from datetime import UTC, datetime

    from rules.duty import holder
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
    now = datetime.now(UTC)
    rows = []
    for contract, roles in directory.roles.items():
        for role, persons in roles.items():
            told = holder(directory, contract, role, now)
            for person in persons if not isinstance(told, str) or told in persons else (*persons, told):
                member = directory.people[person]
                standing = "told now" if person == told else _standing(member, now)
                stands_in = "" if person in persons else " (stands in)"
                rows.append((contract, role, person + stands_in, member.name, member.email, standing))
    table("", ("contract", "role", "person", "name", "address", "now"), rows)


def _standing(member: Member, now: datetime) -> str:
    from rules.duty import absence, on_shift

    if away := absence(member, now):
        return f"absent to {away.ends}" + (f", {away.stands_in} stands in" if away.stands_in else "")
    return "on duty" if on_shift(member, now) else "off duty"


@directory_app.command("check")
def check_directory(
    days: Annotated[int, typer.Option(min=1, max=366, help="How far to look ahead.")] = 14,
    day_and_night: Annotated[
        bool, typer.Option("--day-and-night", help="Every role at any hour, not in its contract's hours only.")
    ] = False,
) -> None:
    """List which role of which contract in force will have nobody, and when. Ends with 1 if any will.

    Roles on call are wanted day and night, all others in the contract's working hours.
    """
    from datetime import UTC, datetime, timedelta

    from rules.coverage import gaps
    from starter.cli_reading import local, table
    from starter.postgres import postgres
    from storage import contracts
    from storage.database import transaction
    from storage.directory import stored

    now = datetime.now(UTC).replace(second=0, microsecond=0)
    until = now + timedelta(days=days)

    async def read() -> tuple[Directory | None, dict[str, Contract]]:
        async with postgres() as engine, transaction(engine) as connection:
            return await stored(connection), await contracts.latest(connection, now)

    directory, in_force = asyncio.run(read())
    rows = [
        (name, role, local(gap.start, zone), local(gap.end, zone), gap.reason)
        for name, contract in sorted(in_force.items())
        for zone in (contract.calendar.zone,)
        for role, gap in gaps(directory, contract, now, until, day_and_night=day_and_night)
    ]
    if rows:
        table("", ("contract", "role", "from", "to", "why"), rows)
    else:
        print(f"Every role of {len(in_force)} contracts has somebody until {local(until, 'UTC')}.")
    raise typer.Exit(1 if rows else 0)
