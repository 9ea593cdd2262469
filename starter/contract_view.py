"""Contracts and dues as people read them in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rules.contract import AppliesTo, Contract, DeliveryOf, Language, MissOf, Obligation, Start, Step
from rules.law import InForce
from rules.preview import Asked, Preview

PIPED_WIDTH = 160


def _console() -> Console:
    return Console() if sys.stdout.isatty() else Console(width=PIPED_WIDTH)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def show_contract(contract: Contract, language: Language) -> None:
    """Everything a contract promises, and who is told."""
    console = _console()

    def words(text: dict[Language, str]) -> str:
        return escape(contract.words(text, language))

    ends = f"to {contract.term.ends}" if contract.term.ends else "on"
    console.print(f"[bold]{words(contract.title)}[/] ({contract.contract}), {contract.term.starts} {ends}")
    calendar = contract.calendar
    hours = "; ".join(f"{days} {', '.join(windows)}" for days, windows in calendar.hours.items())
    holidays = f", public holidays of {calendar.statutory}" if calendar.statutory else ""
    console.print(f"{hours} ({calendar.zone}){holidays}", highlight=False)
    console.print()

    table = _table("Obligations", "Obligation", "Clause", "Applies to", "Starts", "Due", "Met by")
    for name, promise in contract.obligations.items():
        table.add_row(
            f"{name}\n[dim]{words(promise.title)}[/]",
            escape(promise.clause),
            _applies(promise.applies_to),
            _starts(promise.starts),
            str(promise.due),
            ("all of\n" if promise.met_by.all_of else "") + "\n".join(promise.met_by.parts),
            end_section=True,
        )
    console.print(table)

    table = _table("Ladders", "Of", "Tells")
    for ladder, names in _ladders(contract):
        table.add_row("\n".join(names), "\n".join(_step(step) for step in ladder), end_section=True)
    console.print(table)

    table = _table("Stages", "Applies to", "Path")
    for path in contract.stages:
        table.add_row(_applies(path.applies_to), " → ".join(path.stages))
    console.print(table)

    if contract.categories:
        table = _table("Categories", "Category", "Level", "Handled by", "Measures")
        for key, category in contract.categories.items():
            title = f"{key} [dim]{words(category.title)}[/]"
            route = category.route or contract.owner
            table.add_row(title, category.default_level or "", route, words(category.measures))
        console.print(table)

    table = _table("Parties and roles", "Party or role", "Who", "Reached")
    for key, party in contract.parties.items():
        address = " · ".join(text for text in (party.address, party.phone, party.email) if text)
        table.add_row(key, escape(party.name), escape(address))
        for role, office in contract.roles.items():
            if role.startswith(f"{key}."):
                table.add_row(f"  {role}", words(office.title), "at any hour" if office.on_call else "in office hours")
    console.print(table)

    if contract.notices:
        table = _table("Told of acts", "Act", "Roles")
        for act, roles in contract.notices.items():
            table.add_row(act, ", ".join(roles))
        console.print(table)
    closing = contract.confirmation
    console.print(
        f"Closed after {closing.silence} of silence on the result; reopened by a rejection up to "
        f"{closing.reopenings} times.",
        highlight=False,
    )
    late = contract.late_reports
    asked = [f"within {late.within}"] if late.within else []
    asked += [f"with {late.needs}"] if late.needs else []
    asked += [f"once {late.confirmed_by} agrees"] if late.confirmed_by else []
    console.print(f"A late report clears a miss {', '.join(asked) or 'at once'}.", highlight=False)


def show_dues(
    asked: Asked, clocks: Iterable[Preview], later: Iterable[tuple[str, Obligation]], law: InForce, language: Language
) -> None:
    """The clocks of one complaint, and those that wait for something to happen."""
    console, contract = _console(), law.contract
    received = asked.received_at.astimezone(law.calendar.zone)
    classes = (asked.kind, asked.category, asked.level and f"level {asked.level}", asked.grade)
    about = ", ".join(text for text in classes if text)
    title = f"{contract.contract}: {about}, received {received:%a %Y-%m-%d %H:%M:%S %z}"
    table = _table(escape(title), "Clock", "Clause", "Due", "Why")
    for clock in clocks:
        due = f"{clock.due.at:%a %Y-%m-%d %H:%M:%S %z}" + ("\n[yellow]provisional[/]" if clock.due.provisional else "")
        why = escape(clock.due.explanation.text(language))
        table.add_row(clock.clock, escape(clock.promise.clause), due, why, end_section=True)
    console.print(table)
    waiting = [f"{name} ({escape(promise.clause)}) on {_starts(promise.starts)}" for name, promise in later]
    if waiting:
        console.print(f"Later: {'; '.join(waiting)}", highlight=False)


def _applies(applies: AppliesTo) -> str:
    said = (
        f"{what} {', '.join(values)}"
        for what, values in (
            ("kind", applies.kinds),
            ("category", applies.categories),
            ("level", applies.levels),
            ("grade", applies.grades),
        )
        if values
    )
    return "\n".join(said) or "all"


def _starts(start: Start) -> str:
    match start:
        case MissOf(miss_of=missed):
            return f"miss of {missed}"
        case DeliveryOf(delivery_of=command):
            return f"delivery of {command}"
        case _:
            return str(start)


def _ladders(contract: Contract) -> list[tuple[tuple[Step, ...], list[str]]]:
    """Each different ladder with the obligations that have it."""
    found: list[tuple[tuple[Step, ...], list[str]]] = []
    for name, promise in contract.obligations.items():
        said = f"{name} (urgent)" if promise.urgent else name
        same = next((names for ladder, names in found if ladder == promise.ladder), None)
        if same is not None:
            same.append(said)
        elif promise.ladder:
            found.append((promise.ladder, [said]))
    return found


def _step(step: Step) -> str:
    unless = ", unless acknowledged" if step.unless == "acknowledged" else ""
    hours = ", in hours" if step.hours == "working" else ""
    per = ", once an incident" if step.per == "incident" else ""
    return f"{step.label} → {', '.join(step.tell)}{unless}{hours}{per}"
