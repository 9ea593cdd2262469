"""`ombud reconcile`: what Postgres and Temporal each hold, compared, and put right with `--apply`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from starter.reconcile.damage import Report
    from starter.reconcile.run import Wanted

SHOWN = 20
"""Of one kind of damage; --json has all."""


def mount(app: typer.Typer) -> None:
    app.command()(reconcile)


def reconcile(
    apply: Annotated[bool, typer.Option("--apply", help="Heal what was found. Without it nothing is changed.")] = False,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Compare every open complaint entry by entry, which takes its time.")
    ] = False,
    tables: Annotated[
        bool, typer.Option("--tables/--no-tables", help="Derive the tables again as well; records wait meanwhile.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: everything, as JSON.")] = False,
) -> None:
    """Compare Postgres with Temporal: ledgers, workflows, notices, mails, webhooks, schedules. Ends with 1 if anything
    is wrong and stays so.

    After a restore of either one this finds what the other still knows (docs/backup.md).
    """
    import json

    from starter.reconcile.run import Wanted

    report = asyncio.run(_run(Wanted(apply=apply, thorough=thorough, tables=tables), quiet=as_json))
    if as_json:
        print(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        _print(report)
    raise typer.Exit(1 if report.remaining else 0)


async def _run(wanted: Wanted, *, quiet: bool) -> Report:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from temporalio.service import RPCError

    from starter.client import Ombud
    from starter.errors import Misconfigured, Unreachable
    from starter.postgres import postgres, settings_in_force
    from starter.reconcile.run import reconcile
    from storage import standing
    from storage.content import MasterKeyError, Vault
    from storage.database import transaction

    settings = settings_in_force()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    async with Ombud.connect(settings) as ombud, postgres(settings) as engine:
        async with transaction(engine) as connection:
            total = await standing.open_complaints(connection)
        with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as progress:
            task = progress.add_task("comparing", total=2 * total)
            try:
                return await reconcile(
                    ombud,
                    engine,
                    Vault(settings.keyring),
                    wanted,
                    lambda what, n: progress.update(task, description=what, advance=n),
                )
            except RPCError as error:
                raise Unreachable(f"Temporal does not answer: {error.message}. Run it again.") from None
            except MasterKeyError as error:
                raise Misconfigured(str(error)) from None


def _print(report: Report) -> None:
    from starter.cli_reading import table
    from starter.reconcile.damage import KINDS

    for kind, meaning in KINDS.items():
        found = [damage for damage in report.damages if damage.kind == kind]
        if not found:
            continue
        rows = [
            (damage.where, damage.said, damage.result or damage.do or ("" if report.applied else "--apply heals it"))
            for damage in found[:SHOWN]
        ]
        if more := len(found) - SHOWN:
            rows += [(f"and {more:,} more", "", "--json names them")] if more > 0 else []
        table(f"{kind} ({len(found):,}): {meaning}", ("where", "found", "done" if report.applied else "to do"), rows)
    for note in report.notes:
        print(note)
    print("Looked at " + ", ".join(f"{number:,} {what}" for what, number in report.counts.items() if number) + ".")
    healed = len(report.damages) - report.remaining
    if not report.damages:
        print("Nothing is wrong.")
    elif not report.applied:
        print(f"{len(report.damages):,} wrong, nothing changed; `ombud reconcile --apply` heals what it can.")
    else:
        print(f"{healed:,} healed, {report.remaining:,} remaining.")
