"""`ombud show` and `ombud list`: where complaints stand, from Postgres."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from rules.ledger import Entry
    from storage.reading import ClockState, NoticeState, State, Summary

PROVISIONAL = "* provisional: counted through a year whose holidays are not published yet"

AsJson = Annotated[bool, typer.Option("--json", help="For programs: JSON, times in UTC.")]


def mount(app: typer.Typer) -> None:
    app.command()(show)
    app.command("list")(list_)


def show(complaint: Annotated[str, typer.Argument(metavar="CONTRACT/REFERENCE")], as_json: AsJson = False) -> None:
    """Show a complaint: its clocks, notices and ledger, times in the contract's zone."""

    async def read() -> State:
        from starter.errors import NotFound
        from starter.postgres import postgres
        from storage import reading
        from storage.database import transaction

        async with postgres() as engine, transaction(engine) as connection:
            found = await reading.state(connection, complaint)
        if found is None:
            raise NotFound(f"Postgres has no complaint {complaint}; write it as contract/reference.")
        return found

    state = asyncio.run(read())
    if as_json:
        print(state.model_dump_json(indent=2))
    else:
        _show(state)


def list_(
    contract: str | None = None,
    stage: str | None = None,
    level: str | None = None,
    missed: Annotated[bool, typer.Option("--missed", help="Only those that missed a clock.")] = False,
    due_before: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only those with a clock due before then, RFC 3339 with offset.")
    ] = None,
    closed: Annotated[bool, typer.Option("--closed", help="Closed ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List complaints, the one due next first."""
    from pydantic import TypeAdapter, ValidationError

    from rules.ledger import explain_invalid
    from rules.values import Stated
    from starter.errors import Invalid
    from storage.reading import Wanted

    try:
        before = TypeAdapter(Stated).validate_python(due_before) if due_before else None
    except ValidationError as error:
        raise Invalid(explain_invalid("--due-before", error)) from None
    wanted = Wanted(contract, stage, level, missed, before, closed)

    async def read() -> list[Summary]:
        from starter.postgres import postgres
        from storage import reading
        from storage.database import transaction

        async with postgres() as engine, transaction(engine) as connection:
            return [summary async for summary in reading.listing(connection, wanted)]

    found = asyncio.run(read())
    if as_json:
        print("[" + ",\n".join(summary.model_dump_json() for summary in found) + "]")
    else:
        _list(found)


def local(at: datetime | None, zone: str) -> str:
    """The time people of the contract read on their wall."""
    from zoneinfo import ZoneInfo

    return at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S %Z") if at else ""


def _list(found: list[Summary]) -> None:
    rows = [
        (
            s.id,
            s.kind,
            s.category or "",
            s.level or "",
            s.stage,
            s.owner or s.route,
            local(s.received_at, s.zone),
            local(s.next_due_at, s.zone) + " *" * bool(s.next_due_provisional) or (s.closed_reason or ""),
            str(s.missed or ""),
        )
        for s in found
    ]
    table("", ("complaint", "kind", "category", "level", "stage", "with", "received", "next due", "missed"), rows)
    if any(s.next_due_provisional for s in found):
        print(PROVISIONAL)
    print(f"{len(found)} complaint{'' if len(found) == 1 else 's'}")


def _show(state: State) -> None:
    zone = state.zone
    parts = filter(None, (state.kind, state.category, state.level and f"level {state.level}", state.channel))
    closed = f", {state.closed_reason} {local(state.closed_at, zone)}" if state.closed_at else ""
    console = _console()
    console.print(f"[bold]{state.id}[/bold] · {state.stage}{closed}")
    console.print(
        f"{' · '.join(parts)} · received {local(state.received_at, zone)} · with {state.owner or state.route}"
    )
    for seq, flags in state.flags.items():
        console.print(f"entry {seq}: {'; '.join(flags)}", markup=False)
    for year, known in sorted(state.calendar.items()):
        print(f"calendar of {year}: as entry {known['entry']} brought it")
    clocks = [
        (f"{c.obligation}#{c.n}", c.clause, local(c.due_at, zone) + " *" * c.provisional, c.status, _fate(c, zone))
        for c in state.clocks
    ]
    table("clocks", ("clock", "clause", "due", "state", ""), clocks)
    if any(clock.provisional for clock in state.clocks):
        print(PROVISIONAL)
    told = [
        (
            n.clock or n.command or "",
            n.rung or "",
            n.role,
            n.person or "",
            n.state,
            local(_since(n), zone),
            _told(n),
        )
        for n in state.notices
    ]
    if told:
        table("notices", ("of", "rung", "role", "person", "state", "since", ""), told)
    entries = [(str(e.seq), local(e.occurred_at, zone), e.type, _who(e), _said(e.data)) for e in state.entries]
    table("ledger", ("", "occurred", "what", "by", ""), entries)


def _since(notice: NoticeState) -> datetime | None:
    """Since when a notice stands where it stands."""
    failed = dict.fromkeys(("undeliverable", "bounced"), notice.undeliverable_at)
    by_state = failed | {"acknowledged": notice.acknowledged_at}
    return by_state.get(notice.state) or notice.accepted_at or notice.planned_at


def _told(notice: NoticeState) -> str:
    """What became of a notice beyond its state: why, by whom, and with which others it was told."""
    said = [notice.reason or ""]
    said += [" ".join(filter(None, (notice.follow, notice.acknowledged_by and f"by {notice.acknowledged_by}")))]
    if notice.crowd:
        incident = notice.crowd.split("/")[1]
        said += [f"joined what was told of incident {incident}" if notice.joined else f"once for incident {incident}"]
    return ", ".join(filter(None, said))


def _fate(clock: ClockState, zone: str) -> str:
    """What became of a clock, in words."""
    if clock.status == "ended":
        return clock.end_reason or ""
    done = f"done {local(clock.done_at, zone)}" if clock.done_at else ""
    late = f", {timedelta(seconds=clock.late_seconds)} late" if clock.late_seconds else ""
    told = [done + late] if done else []
    told += ["missed before its due moved"] if clock.lifted_at else []
    told += [_reported(clock)] if clock.refuted_at and not clock.lifted_at else []
    told += [f"found by {clock.found_by}"] if clock.found_by else []
    told += [f"waited for {party} {timedelta(seconds=n)}" for party, n in (clock.waited or {}).items()]
    told += [f"stands still since {local(clock.paused_at, zone)}"] if clock.paused_at and not done else []
    told += ["due counted anew"] if clock.replans else []
    return ", ".join(told)


def _reported(clock: ClockState) -> str:
    lag = timedelta(seconds=clock.lag_seconds or 0)
    return f"reported late, {lag} afterwards: {(clock.report or 'confirmed').replace('_', ' ')}"


def _who(entry: Entry) -> str:
    return "/".join(filter(None, (entry.by.role, entry.by.person)))


_SHOWN = (
    *("entry", "happened_at", "void", "clock", "rung", "was_due_at", "due_at", "provisional", "report", "found_by"),
    *(
        "of",
        "due",
        "request",
        "party",
        "agrees",
        "why",
        "reason",
        "outcome",
        "level",
        "category",
        "to",
        "into",
        "complaint",
        "person",
        "opens",
        "follow",
        "flags",
    ),
)


def _said(data: dict[str, Any]) -> str:
    """The part of an entry's data that a person looks for."""
    return "  ".join(f"{name}: {data[name]}" for name in _SHOWN if data.get(name))


def table(title: str, heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """Print a table; nothing in it is read as markup."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    made = Table(*heads, title=title or None, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    console = _console()
    console.print(made)
    console.print()


def _console() -> Console:
    """Piped, a row stays one line."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 10_000)
