"""`ombud import`: a table of complaints, one a row."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from starter.import_map import Map
    from starter.importer import Counts
    from starter.table import Rejects, Table


def mount(app: typer.Typer) -> None:
    app.command("import")(import_)


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv[.gz]")],
    contract: Annotated[str, typer.Option(help="The contract they come under; it must be published.")],
    map_file: Annotated[Path, typer.Option("--map", metavar="MAP.yaml", help="What the columns mean: docs/import.md.")],
    history: Annotated[
        bool, typer.Option("--history", help="Old cases: nobody is told anything, closed ones come in closed.")
    ] = False,
    rate: Annotated[float | None, typer.Option(min=0.1, help="At most so many rows a second.")] = None,
    rejects: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Rows that did not go in; FILE.rejects.csv when left out.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge every row, write only the rejects.")] = False,
) -> None:
    """Bring a table of complaints in. Safe to run again: what is in already is left alone."""
    from starter.errors import Invalid
    from starter.import_map import read_map
    from starter.table import Rejects, opened, shown

    mapping = read_map(map_file)
    if mapping.contract not in (None, contract):
        raise Invalid(f"{map_file} was written for the contract {mapping.contract}, not for {contract}.")
    rejected = rejects or Path(f"{file.name}.rejects.csv")
    if rejected.exists() and rejected.samefile(file):
        raise Invalid(f"--rejects {rejected} would overwrite what is to be imported.")
    with opened(file, mapping.encoding, mapping.delimiter) as table:
        if missing := mapping.columns() - set(table.header):
            raise Invalid(f"{file} has no column {shown(sorted(missing))}; it has {shown(table.header)}.")
        refused = Rejects(rejected, table.header)
        try:
            counts = asyncio.run(_run(table, mapping, contract, history, rate, dry_run, refused))
        finally:
            refused.close()
    _summary(counts, refused, dry_run)
    raise typer.Exit(1 if counts.rejected else 0)


async def _run(
    table: Table,
    mapping: Map,
    contract: str,
    history: bool,
    rate: float | None,
    dry_run: bool,
    refused: Rejects,
) -> Counts:
    from starter.client import Ombud
    from starter.errors import Invalid, Refused
    from starter.importer import Importer
    from starter.postgres import postgres, settings_in_force
    from storage import reading
    from storage.content import Vault
    from storage.database import transaction

    settings = settings_in_force()
    async with Ombud.connect(settings) as ombud, postgres(settings) as engine:
        async with transaction(engine) as connection:
            laws = await reading.laws(connection, contract)
        if laws is None:
            raise Refused(f"Unknown contract {contract!r}; publish it first: ombud contract publish FILE.")
        if unknown := mapping.obligations() - laws.obligations():
            raise Invalid(f"The map takes the due of {', '.join(sorted(unknown))}, which {contract} does not have.")
        importer = Importer(
            ombud,
            engine,
            Vault(settings.keyring),
            mapping,
            laws,
            history=history,
            dry_run=dry_run,
            rate=rate,
            on_reject=refused.add,
        )
        with _bar(table) as progress:
            return await importer.run(table, progress)


@contextmanager
def _bar(table: Table) -> Iterator[Callable[[Counts], None]]:
    """A progress bar over the bytes of the file; nothing where nobody watches."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("", total=table.size)

        def show(counts: Counts) -> None:
            said = f"{counts.read:,} rows, {counts.rate:,.0f} a second, {counts.rejected:,} rejected"
            bar.update(task, completed=table.read, description=said)

        yield show


def _summary(counts: Counts, refused: Rejects, dry_run: bool) -> None:
    print(f"{counts.read:,} rows in {counts.seconds:,.1f} seconds ({counts.rate:,.0f} a second)")
    would = "would be " if dry_run else ""
    print(f"  {would}recorded as closed: {counts.closed:,}")
    print(f"  {would}started: {counts.started:,}")
    print(f"  already there: {counts.there:,}" if not dry_run else "  already there: not looked up in a dry run")
    print(f"  rejected: {counts.rejected:,}" + (f", see {refused.path}" if counts.rejected else ""))
