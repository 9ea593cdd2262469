"""`ombud calendar replan` and `ombud circular`: commands to many complaints, and what came of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rules.commands import Command
    from starter.circulars import Carried, Watch
    from starter.client import Ombud
    from starter.replanning import Forecast, Outstanding

calendar_app = typer.Typer(help="Bring open complaints onto the holidays now known.", no_args_is_help=True)


def mount(app: typer.Typer) -> None:
    app.add_typer(calendar_app, name="calendar")
    app.command()(circular)


@calendar_app.command()
def replan(
    contract: Annotated[str, typer.Argument(help="A published contract; its newest calendar counts.")],
    by: Annotated[str, typer.Option(metavar="[ROLE/]PERSON", help="Who signs it; it stands on every record.")],
    why: Annotated[str, typer.Option(metavar="TEXT", help="Such as the notice that published the year.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would move.")] = False,
) -> None:
    """Count the dues of open complaints anew by the calendar published last; what was provisional becomes final."""
    from starter import replanning

    signed = replanning.signed(by)

    async def run() -> None:
        from starter.client import Ombud

        async with Ombud.connect() as ombud:
            async with ombud.reading() as connection:
                found = await replanning.outstanding(connection, contract)
                _years(found)
                if dry_run and found.behind:
                    _forecast(await replanning.forecast(connection, found, signed, why))
            if found.behind and not dry_run:
                start = replanning.circular(contract, found.years, signed, why)
                await shown(lambda watch: _carry(ombud, start, watch))

    asyncio.run(run())


def circular(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The id that was named when it was sent.")],
    as_json: Annotated[bool, typer.Option("--json", help="For programs: JSON, times in UTC.")] = False,
) -> None:
    """Show a command that went to many complaints: how far it came, and every complaint that did not take it."""
    import json

    from starter.cli_reading import local, table
    from starter.errors import NotFound
    from starter.postgres import postgres
    from storage import circulars
    from storage.database import transaction

    async def read() -> tuple[Any, dict[str, int], list[circulars.Answer]]:
        async with postgres() as engine, transaction(engine) as connection:
            head = await circulars.head(connection, id_)
            return head, await circulars.counts(connection, id_), await circulars.unmoved(connection, id_)

    head, counts, unmoved = asyncio.run(read())
    if head is None:
        raise NotFound(f"There is no circular {id_}.")
    if as_json:
        rows = [answer._asdict() for answer in unmoved]
        print(json.dumps({**head, **counts, "unmoved": rows}, default=str, indent=2, ensure_ascii=False))
        return
    to = head["incident"] or head["contract"]
    ended = local(head["finished_at"], "UTC") or "goes on"
    print(f"{head['command']} · {to} · by {head['by']} · sent {local(head['sent_at'], 'UTC')} · {ended}")
    _counts(counts)
    if unmoved:
        table("not taken", ("complaint", "outcome", "reason"), [(a.complaint, a.outcome, a.reason) for a in unmoved])


def tell_incident(incident: str, act: Command, *, contract: str | None, why: str | None) -> None:
    """Tell every open complaint of an incident the same, and show what each made of it."""
    from starter.errors import Invalid

    by = act.by
    if by is None:
        raise Invalid("What goes to many complaints has a sender: add --by ROLE/PERSON.")

    async def run() -> None:
        from starter.client import Ombud

        async with Ombud.connect() as ombud:
            more: dict[str, Any] = {"contract": contract, "why": why, "id_": act.key}
            told = act.model_copy(update={"by": None})
            await shown(lambda watch: ombud.tell_incident(incident, told, by=by, watch=watch, **more))

    asyncio.run(run())


async def shown(send: Callable[[Watch], Awaitable[Carried]]) -> None:
    """Send a circular behind a progress bar, then show its counts and who did not take it. Ends with 1 if anybody."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from starter.cli_reading import table

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task("telling", total=None)
        carried = await send(lambda c: bar.update(task, total=c.complaints, completed=c.complaints - c.open))
    _counts(carried.model_dump(include={"complaints", "taken", "refused", "gone"}))
    if carried.unmoved:
        rows = [(one.complaint, one.outcome, one.reason) for one in carried.unmoved]
        table("not taken", ("complaint", "outcome", "reason"), rows)
    if carried.more:
        print(f"and {carried.more:,} more: ombud circular {carried.circular}")
    if carried.refused or carried.gone:
        raise typer.Exit(1)


async def _carry(ombud: Ombud, start: Any, watch: Watch) -> Carried:
    from uuid import uuid4

    from starter.circulars import carry

    return await carry(ombud, start, f"replan-{uuid4().hex[:12]}", watch)


def _counts(counts: dict[str, int]) -> None:
    from starter.cli_reading import table

    table("", ("complaints", "taken", "refused", "gone"), [tuple(f"{counts[k]:,}" for k in _COUNTED)])


_COUNTED = ("complaints", "taken", "refused", "gone")


def _years(found: Outstanding) -> None:
    """What differs, in how many complaints."""
    if not found.behind:
        print("Nothing to do: every open complaint is counted by the days of the calendar published last.")
        return
    from starter.cli_reading import table

    rows = []
    for year, holidays in found.years.items():
        off = sum(len(holiday.off) for holiday in holidays)
        work = sum(len(holiday.work) for holiday in holidays)
        rows.append((str(year), str(off), str(work), f"{sum(year in one.years for one in found.behind):,}"))
    table("years that differ", ("year", "days off", "worked in return", "open complaints"), rows)


def _forecast(made: Forecast) -> None:
    from starter.cli_reading import local, table

    clocks = made.clocks
    table(
        "what a re-plan would do",
        ("complaints", "dues counted anew", "of them moved", "across this moment"),
        [(f"{made.complaints:,}", f"{clocks['re-planned']:,}", f"{clocks['moved']:,}", f"{len(made.across):,}")],
    )
    if made.across:
        rows: Iterable[tuple[str, ...]] = (
            (c.complaint, c.clock, c.clause, local(c.was_due_at, "UTC"), local(c.due_at, "UTC"), c.becomes)
            for c in made.across
        )
        table("across this moment", ("complaint", "clock", "clause", "was due", "would be due", "becomes"), rows)
    print("Nothing was changed.")
