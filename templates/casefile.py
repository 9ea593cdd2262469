"""The file of one case as values that a template only has to put into words: clocks, entries, notices, proofs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from templates.letter import Task
from templates.timeline import Drawn, Label

State = Literal[
    "running",
    "paused",
    "over",
    "overdue",
    "late",
    "refuted",
    "unconfirmed",
    "not_agreed",
    "not_counted",
    "met",
    "ended",
]
"""How a clock stands. `over`: its due time has passed and nobody has judged it yet. `overdue` was missed and is not
done, `late` is; `refuted` to `not_counted` are misses that a late report answers."""

Texts = Literal["shown", "hidden", "erased", "locked"]
"""Whether words are shown: not to this reader, not any more, or not with the key of this server."""


class Who(NamedTuple):
    """A role, in the contract's words where it has any, and the person who acted in it."""

    role: str
    title: str = ""
    person: str = ""
    """The name as the directory has it now, else the id."""


class Fact(NamedTuple):
    """Something an entry says: its name, what kind of value it is, and the value."""

    name: str
    kind: Literal["time", "length", "word", "text"]
    value: Any


class Took(NamedTuple):
    """Time of a clock that was another party's, in the clock's own unit."""

    party: str
    time: timedelta
    days: float | None = None
    """Of a clock in working days, how many of them."""


class Part(NamedTuple):
    """An act that met a clock, and when."""

    task: Task
    at: datetime


@dataclass(frozen=True, slots=True)
class ClockLine:
    """One clock of the case."""

    id: str
    title: str
    clause: str
    state: State
    started_at: datetime
    due_at: datetime
    drawn: Drawn
    provisional: bool = False
    done_at: datetime | None = None
    missed_at: datetime | None = None
    lifted_at: datetime | None = None
    """When its miss fell away, since its due moved or its start was none."""
    ended_at: datetime | None = None
    end_reason: str = ""
    behind: timedelta = timedelta()
    """How long after its due it was done, or runs by now; zero while there is time left."""
    left: timedelta = timedelta()
    lag: timedelta = timedelta()
    """How long after it was done Ombud heard of it."""
    found_by: str = ""
    replans: int = 0
    paused_at: datetime | None = None
    took: tuple[Took, ...] = ()
    tasks: tuple[Task, ...] = ()
    all_of: bool = False
    parts: tuple[Part, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Asking:
    """A request to another party, and what came of it."""

    seq: int
    of: Who
    asked_at: datetime
    due_at: datetime
    answered_at: datetime | None = None
    contested_at: datetime | None = None
    waited: timedelta = timedelta()
    """On the wall clock, so far."""


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the ledger."""

    seq: int
    type: str
    command: str
    at: datetime
    recorded_at: datetime
    by: Who
    reported_by: Who | None = None
    on_behalf_of: Who | None = None
    via: str = ""
    proved: str = ""
    """The identity that was proved, where one was."""
    internal: bool = False
    about: str = ""
    """The clock it judges, in the contract's words with its clause."""
    facts: tuple[Fact, ...] = ()
    flags: tuple[str, ...] = ()
    texts: tuple[tuple[str, str], ...] = ()
    evidence: tuple[str, ...] = ()
    told: tuple[Who, ...] = ()
    judgement: bool = False
    """Whether Ombud says it, not people."""

    @property
    def lag(self) -> timedelta:
        """How long after it happened Ombud learned of it."""
        return self.recorded_at - self.at


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """One notice, and the proof of what became of it (rules 123, 124)."""

    seq: int
    to: Who
    state: str
    planned_at: datetime
    about: str = ""
    clause: str = ""
    rung: str = ""
    command: str = ""
    message_id: str = ""
    claimed_at: datetime | None = None
    accepted_at: datetime | None = None
    reply: str = ""
    delivered_at: datetime | None = None
    bounced_at: datetime | None = None
    undeliverable_at: datetime | None = None
    reason: str = ""
    attempts: int = 0
    last_error: str = ""
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    follow: str = ""
    until: datetime | None = None
    passed_to: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """Where a proof lies. Its bytes are elsewhere; the digest says which ones are meant."""

    id: str
    sha256: str
    media_type: str
    source: str
    seq: int


@dataclass(frozen=True, slots=True)
class CaseFile:
    """Everything about one case that its reader may see."""

    complaint: str
    reference: str
    contract_title: str
    version: str
    kind: str
    category: str
    level: str
    level_title: str
    grade: str
    channel: str
    stage: str
    path: tuple[str, ...]
    """The stages that the contract asks of it."""
    received_at: datetime
    recorded_at: datetime
    raised_at: datetime | None
    closed_at: datetime | None
    closed_reason: str
    outcome: str
    history: bool
    merged_into: str
    """Reference of the case that goes on in its place."""
    related: tuple[tuple[str, str, bool], ...]
    """References of cases that belong to it, the relation, and whether this case has it to the other."""
    has_it: Who
    zone: ZoneInfo
    now: datetime
    clocks: tuple[ClockLine, ...]
    labels: tuple[Label, ...]
    now_x: float | None
    """The place of now on the line; nothing once the case is closed."""
    asked: tuple[Asking, ...]
    events: tuple[Event, ...]
    notices: tuple[NoticeLine, ...]
    evidence: tuple[Proof, ...]
    texts: Texts
    hidden: int
    """Entries that are internal to the handler and not shown to this reader."""
    counts: dict[str, int]
    """How many clocks there are of each state."""
