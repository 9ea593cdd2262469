"""What a contract promises, as values that pages only have to put into words: the service standard (rule 85), and the
flow of a complaint with time points and responsible roles (rule 39)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from rules.contract import Stage
from templates.letter import Task


class Window(NamedTuple):
    """Weekdays from one to another, Monday is 0, and their hours as a wall shows them."""

    first: int
    last: int
    hours: tuple[str, ...]


class Starts(NamedTuple):
    """What sets a clock going: a name that pages have words for, and what it is about."""

    kind: str
    of: str = ""


class Who(NamedTuple):
    """A role and its party's name."""

    title: str
    party: str


class Route(NamedTuple):
    """Who handles a category, and what is done about it (rules 18-20)."""

    title: str
    level: str
    who: str
    measures: str


@dataclass(frozen=True, slots=True)
class Promise:
    """One obligation, ready to be read by customers and principals."""

    name: str
    title: str
    clause: str
    kinds: tuple[str, ...]
    only: tuple[str, ...]
    """Titles of the categories, levels and grades that it is restricted to."""
    starts: Starts
    due: str
    tasks: tuple[Task, ...]
    all_of: bool
    missed: tuple[Who, ...]
    """Who is told at the due time when it is missed."""
    pauses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One stage of the flow."""

    stage: Stage
    who: tuple[Who, ...]
    points: tuple[Promise, ...]
    """The promises to be kept there."""
    routes: tuple[Route, ...]
    """Where the categories part, at the stage that decides it."""
    told: tuple[tuple[str, str], ...]
    """Acts of this stage and the title of who is told of them."""


@dataclass(frozen=True, slots=True)
class Flow:
    """The stages that some complaints go through, in order."""

    kinds: tuple[str, ...]
    only: tuple[str, ...]
    steps: tuple[Step, ...]
    back: Stage | None
    """Where a rejected result leads back to."""


class Officer(NamedTuple):
    """A role of a party, as people look it up."""

    title: str
    authority: str
    on_call: bool


class Party(NamedTuple):
    """A party with its address for notices (rules 6, 122)."""

    role: str
    name: str
    address: str
    phone: str
    email: str
    offices: tuple[Officer, ...]


@dataclass(frozen=True, slots=True)
class Standard:
    """What a contract promises."""

    contract: str
    title: str
    since: str
    until: str
    zone: str
    hours: tuple[Window, ...]
    statutory: str
    parties: tuple[Party, ...]
    channels: tuple[str, ...]
    kinds: tuple[str, ...]
    levels: tuple[str, ...]
    routes: tuple[Route, ...]
    promises: tuple[Promise, ...]
    flows: tuple[Flow, ...]
    silence: str
    reopenings: int
    readings: dict[str, str]
