"""What a year that became known means for the open complaints of a contract, and the circular that tells them."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from rules import ledger as ledger_of
from rules.calendar_years import Years, plain
from rules.circular import Circular
from rules.commands import Replan
from rules.decide import decide
from rules.fold import fold
from rules.ledger import Entry
from rules.values import Actor
from starter.errors import Invalid, Refused
from storage import circulars, contracts, reading, registry


@dataclass(frozen=True, slots=True)
class Outstanding:
    """Open complaints that are counted by other days than are known now."""

    years: Years
    """The years in which any of them differs, as the contract was published last."""
    behind: list[circulars.Behind]
    published_at: datetime


class Change(NamedTuple):
    """A due that a re-plan would move across this moment."""

    complaint: str
    clock: str
    clause: str
    was_due_at: datetime
    due_at: datetime
    becomes: str
    """`missed` or `running`."""


@dataclass(slots=True)
class Forecast:
    """What a re-plan would do, complaint by complaint."""

    complaints: int = 0
    clocks: Counter[str] = field(default_factory=Counter)
    """`re-planned`, and of those `moved`."""
    across: list[Change] = field(default_factory=list)


async def outstanding(connection: AsyncConnection, contract: str) -> Outstanding:
    """What the calendar published last means for the open complaints of a contract. Raises Refused."""
    versions = [v for v in await contracts.published(connection) if v.contract == contract]
    if not versions:
        raise Refused(f"Unknown contract {contract!r}; publish it: ombud contract publish FILE.")
    newest = max(versions, key=lambda v: (v.published_at, v.effective_from))
    calendar = newest.parsed().calendar
    if calendar.statutory is None:
        raise Refused(f"The calendar of {contract} has no public holidays, so no year can change it.")
    found = [one async for one in circulars.behind(connection, contract, calendar.published)]
    differing = frozenset[int]().union(*(one.years for one in found))
    years = {year: holidays for year, holidays in calendar.published.items() if year in differing}
    return Outstanding(years, found, newest.published_at)


def signed(by: str) -> Actor:
    """Who signs a re-plan: a person's id, or `role/person`. Raises Invalid."""
    role, slash, person = by.partition("/")
    try:
        return Actor(role=role, person=person) if slash else Actor(role="handler", person=by)
    except ValidationError:
        raise Invalid(f"{by!r} names nobody: write --by PERSON or --by ROLE/PERSON, with the person's id.") from None


def circular(contract: str, years: Years, by: Actor, why: str) -> Circular:
    """The command for all of them."""
    body = {"years": plain(years), "text": why}
    return Circular(command=Replan.name, body=body, contract=contract, by=by)


async def forecast(connection: AsyncConnection, found: Outstanding, by: Actor, why: str) -> Forecast:
    """What the re-plan would do now; nothing is written."""
    command = Replan(years=found.years, text=why, by=by)
    made = Forecast()
    async for complaint, entries in _decided(connection, found, command):
        made.complaints += 1
        for entry in entries:
            if entry.type == "clock_replanned":
                made.clocks["re-planned"] += 1
                made.clocks["moved"] += entry.data["was_due_at"] != entry.data["due_at"]
                if change := _across(complaint, entry):
                    made.across.append(change)
    return made


async def _decided(
    connection: AsyncConnection, found: Outstanding, command: Replan
) -> AsyncIterator[tuple[str, list[Entry]]]:
    now = datetime.now(UTC)
    for one in found.behind:
        standing = await registry.pinned(connection, one.complaint)
        entries = await reading.entries(connection, one.complaint)
        if standing.law is None or not entries:
            continue
        try:
            decision = decide(fold(entries), standing.law, command, now, None, "cli")
        except ledger_of.Refused:
            continue  # closed since, or re-planned
        yield one.complaint, decision.entries


def _across(complaint: str, entry: Entry) -> Change | None:
    was, due = (datetime.fromisoformat(entry.data[name]) for name in ("was_due_at", "due_at"))
    if (was < entry.recorded_at) == (due < entry.recorded_at):
        return None
    becomes = "missed" if due < entry.recorded_at else "running"
    return Change(complaint, entry.data["clock"], entry.data["clause"], was, due, becomes)
