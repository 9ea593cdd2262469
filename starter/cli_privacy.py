"""`ombud erase`, `ombud erasures`, `ombud hold` and `ombud retention`: what becomes of what customers said."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from activities.interface import Swept
    from rules.values import Actor
    from storage.content import Vault
    from storage.erasure import Due
    from storage.holds import Hold

hold = typer.Typer(no_args_is_help=True, help="Keep what was said in a complaint, whatever asks for its erasure.")

Complaint = Annotated[str, typer.Argument(metavar="CONTRACT/REFERENCE")]
By = Annotated[str, typer.Option(metavar="ROLE[/PERSON]", help="Who decides it; it stands on record.")]
Reason = Annotated[str, typer.Option(help="Why, in words without names: they outlive the complaint's own.")]


def mount(app: typer.Typer) -> None:
    app.command()(erase)
    app.command()(erasures)
    app.command()(retention)
    app.add_typer(hold, name="hold")


def erase(
    by: By,
    reason: Reason,
    complaint: Annotated[str | None, typer.Argument(metavar="[CONTRACT/REFERENCE]")] = None,
    complainant: Annotated[str | None, typer.Option(metavar="ID", help="Every complaint of this person.")] = None,
    again: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Every complaint of a list of erasures, after a restore.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: nothing brings it back.")] = False,
) -> None:
    """Erase what a customer said, for good: in Postgres, in mails and in Temporal. Times and outcomes stay."""
    from starter.erasures import read
    from starter.errors import Invalid

    if sum(one is not None for one in (complaint, complainant, again)) != 1:
        raise Invalid(
            "Name one complaint as CONTRACT/REFERENCE, --complainant ID for all of that person, or --again FILE for "
            "all of a list."
        )
    if again is not None:
        asyncio.run(_erase_again(read(again), actor(by), reason, yes=yes))
    else:
        asyncio.run(_erase(complaint, complainant, actor(by), reason, yes=yes))


def erasures() -> None:
    """List every erasure on record, for `ombud erase --again` after a restore: keep it apart from Postgres."""
    from starter.erasures import line_of
    from storage import erasure

    async def run() -> list[tuple[str, datetime]]:
        async with _vault() as (connection, _):
            return await erasure.done(connection)

    for complaint, at in asyncio.run(run()):
        print(line_of(complaint, at))


@hold.command("set")
def set_(
    complaint: Complaint,
    by: By,
    reason: Reason,
    until: Annotated[
        str | None, typer.Option(metavar="DATE|TIME", help="Left out: until it is lifted. A date ends at its midnight.")
    ] = None,
) -> None:
    """Keep the content of a complaint, for a dispute or by law."""
    from datetime import UTC, datetime

    from starter.errors import Invalid, NotFound
    from storage import holds

    now = datetime.now(UTC)
    ends = _instant(until) if until else None
    if ends is not None and ends <= now:
        raise Invalid(f"--until {until} has passed; give a time to come.")

    async def run() -> int:
        async with _vault() as (connection, vault):
            return await holds.set_hold(connection, vault, complaint, actor(by), reason, now, ends)

    try:
        n = asyncio.run(run())
    except holds.NoComplaintError:
        raise NotFound(f"There is no complaint {complaint}; write it as contract/reference.") from None
    print(f"{complaint} is held {f'until {ends.isoformat()}' if ends else 'until it is lifted'} (hold {n})")


@hold.command()
def lift(complaint: Complaint, by: By, reason: Reason) -> None:
    """Lift every hold that stands on a complaint."""
    from datetime import UTC, datetime

    from starter.errors import Refused
    from storage import holds

    async def run() -> list[Hold]:
        async with _vault() as (connection, vault):
            return await holds.lift(connection, vault, complaint, actor(by), reason, datetime.now(UTC))

    try:
        lifted = asyncio.run(run())
    except holds.NoHoldError:
        raise Refused(f"No hold stands on {complaint}; see `ombud hold list`.") from None
    print(f"{complaint}: {len(lifted)} hold{'s' * (len(lifted) != 1)} lifted")


@hold.command("list")
def list_(
    every: Annotated[bool, typer.Option("--all", help="Those that ended or were lifted, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: JSON, times in UTC.")] = False,
) -> None:
    """List the holds that stand, with their reasons."""
    import json
    from dataclasses import asdict
    from datetime import UTC, datetime

    from starter.cli_reading import local, table
    from storage import holds
    from storage.privacy_record import reasons

    async def run() -> list[tuple[Hold, str]]:
        async with _vault() as (connection, vault):
            found = await holds.listed(connection, datetime.now(UTC), every=every)
            said = {one.complaint: await reasons(connection, vault, one.complaint) for one in found}
        return [(one, said[one.complaint].get(one.n, "")) for one in found]

    found = asyncio.run(run())
    if as_json:
        rows = [asdict(one) | {"reason": reason} for one, reason in found]
        print(json.dumps(rows, default=str, indent=2, ensure_ascii=False))
        return
    cells = [
        (
            one.complaint,
            local(one.set_at, "UTC"),
            one.set_by,
            f"lifted {local(one.lifted_at, 'UTC')}" if one.lifted_at else local(one.until, "UTC") or "lifted",
            reason,
        )
        for one, reason in found
    ]
    table("", ("complaint", "set", "by", "until", "reason"), cells)
    print(f"{len(found)} hold{'s' * (len(found) != 1)}")


def retention(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would go.")] = False,
) -> None:
    """Erase now what contracts keep no longer. A schedule does it every day."""
    if dry_run:
        found = asyncio.run(_due())
        for one in found:
            what = f"held {one.held}" if one.held else "would be erased"
            print(f"{one.complaint}  closed {one.closed_at:%Y-%m-%d}  due {one.since:%Y-%m-%d}  {what}")
        held = sum(bool(one.held) for one in found)
        print(f"{len(found) - held:,} would be erased, {held:,} are held")
        return
    print("The sweep runs as a workflow: Ctrl-C leaves it running.", file=sys.stderr)
    done = asyncio.run(_sweep())
    print(f"{done.erased:,} erased, {done.held:,} held, {done.forgotten:,} forgotten by Temporal")


async def _erase(complaint: str | None, complainant: str | None, by: Actor, reason: str, *, yes: bool) -> None:
    from datetime import UTC, datetime

    from starter.client import Ombud
    from starter.erasing import erase_one
    from starter.erasures import add
    from starter.errors import NotFound, OmbudError, Refused
    from starter.postgres import settings_in_force
    from storage import erasure
    from storage.content import Vault

    settings = settings_in_force()
    async with Ombud.connect(settings) as ombud:
        wanted = [complaint] if complaint else []
        if complainant:
            async with ombud.reading() as connection:
                wanted = await erasure.of_complainant(connection, complainant)
            if not wanted:
                raise NotFound(f"No complaint names the complainant {complainant!r}.")
        if not yes:
            typer.confirm(f"Erase for good what was said in {', '.join(wanted)}?", abort=True)
        kept = []
        for one in wanted:
            try:
                print(await erase_one(ombud, Vault(settings.keyring), one, by, reason))
                if settings.erasures_file:
                    add(settings.erasures_file, one, datetime.now(UTC))
            except OmbudError as error:
                if len(wanted) == 1:
                    raise
                kept.append(str(error))
    if not settings.erasures_file:
        typer.echo(
            "OMBUD_ERASURES_FILE is not set: a restore of an older dump would bring this back (docs/backup.md).",
            err=True,
        )
    if kept:
        raise Refused("\n".join(kept))


async def _erase_again(wanted: list[str], by: Actor, reason: str, *, yes: bool) -> None:
    """Each of them as if it were asked for now; what is erased still stays so. Raises Refused with what is left."""
    from starter.client import Ombud
    from starter.erasing import erase_one
    from starter.errors import NotFound, OmbudError, Refused
    from starter.postgres import settings_in_force
    from storage.content import Vault

    settings = settings_in_force()
    if not yes:
        typer.confirm(f"Erase for good what was said in {len(wanted):,} complaints?", abort=True)
    unknown, left = 0, []
    async with Ombud.connect(settings) as ombud:
        for one in wanted:
            try:
                print(await erase_one(ombud, Vault(settings.keyring), one, by, reason))
            except NotFound:
                unknown += 1  # opened after the dump: neither its words nor its history came back
            except OmbudError as error:
                left.append(str(error))
    print(f"{len(wanted) - unknown - len(left):,} erased, {unknown:,} not on record, {len(left):,} left")
    if left:
        raise Refused("\n".join(left))


async def _due() -> list[Due]:
    from datetime import UTC, datetime

    from starter.postgres import postgres
    from storage import erasure
    from storage.database import transaction

    now, found, after = datetime.now(UTC), list["Due"](), None
    async with postgres() as engine, transaction(engine) as connection:
        law = await erasure.laws(connection, now)
        while batch := await erasure.due(connection, law, now, after, 500):
            found += batch
            after = batch[-1].cursor
    return found


async def _sweep() -> Swept:
    from starter.client import Ombud
    from starter.erasing import sweep

    async with Ombud.connect() as ombud:
        return await sweep(ombud)


@asynccontextmanager
async def _vault() -> AsyncIterator[tuple[AsyncConnection, Vault]]:
    """A transaction, and what opens the reasons given in it."""
    from starter.postgres import postgres, settings_in_force
    from storage.content import Vault
    from storage.database import transaction

    settings = settings_in_force()
    async with postgres(settings) as engine, transaction(engine) as connection:
        yield connection, Vault(settings.keyring)


def actor(by: str) -> Actor:
    from pydantic import ValidationError

    from rules.ledger import explain_invalid
    from rules.values import Actor
    from starter.errors import Invalid

    role, _, person = by.partition("/")
    try:
        return Actor.model_validate({"role": role} | ({"person": person} if person else {}))
    except ValidationError as error:
        raise Invalid(explain_invalid("--by", error)) from None


def _instant(text: str) -> datetime:
    """A date means the end of it, in this machine's zone."""
    from datetime import date, datetime, time, timedelta

    from starter.errors import Invalid

    try:
        if len(text) == len("2026-01-31"):
            return datetime.combine(date.fromisoformat(text) + timedelta(days=1), time()).astimezone()
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text!r} is neither a date such as 2026-01-31 nor a time with its offset.") from None
    if instant.tzinfo is None:
        raise Invalid(f"{text!r} has no offset; write a time such as 2026-01-31T00:00:00+08:00.")
    return instant
