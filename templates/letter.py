"""What one message carries: a line for each notice, as values that a template only has to put into words."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from rules.contract import Language

Purpose = Literal["still", "missed", "passed", "warning", "act"]
"""Why somebody is told, gravest first: still missed, missed, passed before registration, a warning, an act."""

GRAVITY: tuple[Purpose, ...] = ("still", "missed", "passed", "warning", "act")
UTC = ZoneInfo("UTC")
FEW = 5
"""Lines that are shown in full on a page; more are gathered by what they are about."""


class Task(NamedTuple):
    """One act that meets an obligation, and whom it concerns."""

    act: str
    of: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An acknowledgement of a notice."""

    at: datetime
    by: str
    """The person, else the role."""
    follow: str = "noted"
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One notice. Only the key and the case are always there: a notice leaves even when the rest cannot be read."""

    key: str
    complaint: str
    """`contract/reference`."""
    role: str
    purpose: Purpose = "act"
    urgent: bool = False
    role_title: str = ""
    contract_title: str = ""
    kind: str = ""
    category: str = ""
    level: str = ""
    level_title: str = ""
    title: str = ""
    """The obligation in the contract's words; of notices handed on, theirs."""
    clause: str = ""
    at: datetime | None = None
    """When the rung was reached or the act happened."""
    recorded_at: datetime | None = None
    since: datetime | None = None
    due_at: datetime | None = None
    provisional: bool = False
    calendar: str = ""
    """The years whose holidays became known, where that is why somebody is told."""
    percent: str = ""
    act: str = ""
    """The command it tells of, or `passed` when somebody handed notices on to the recipient."""
    by: str = ""
    reason: str = ""
    outcome: str = ""
    done_at: datetime | None = None
    ended: bool = False
    who: str = ""
    """Who has the case: the role's title and the person's id."""
    tasks: tuple[Task, ...] = ()
    all_of: bool = False
    zone: ZoneInfo = UTC
    """The contract's zone."""
    case_url: str = ""
    content: str = ""
    """Words of the customer, only where the contract lets them into mails (rule 112)."""
    answer: Answer | None = None
    number: int = 0
    """Its place in the message, by which a form names it."""
    crowd: str = ""
    """What it is told together with, once for all cases of an incident."""
    joined: bool = False
    """Its crowd had been told already."""
    incident: str = ""
    cases: tuple[str, ...] = ()
    """The complaints of a crowd, of which this line tells together."""
    settled: int = 0
    """How many of them have nothing left to do."""
    open_cases: int = 0
    """The open complaints of the incident, those that were not told included."""

    @property
    def reference(self) -> str:
        return self.complaint.partition("/")[2]

    @property
    def size(self) -> int:
        """How many cases it tells of."""
        return len(self.cases) or 1

    @property
    def references(self) -> tuple[str, ...]:
        """Of each case of a crowd."""
        return tuple(case.partition("/")[2] for case in self.cases)

    @property
    def told_late(self) -> timedelta:
        """How long after its moment Ombud came to tell of it (invariant 11)."""
        if self.at is None or self.recorded_at is None:
            return timedelta()
        return self.recorded_at - self.at

    def late(self, now: datetime) -> timedelta:
        """How long after its due time the clock was met, or runs by now; below zero while there is time left."""
        return (self.done_at or now) - self.due_at if self.due_at else timedelta()


@dataclass(frozen=True, slots=True)
class Group:
    """Lines about the same."""

    lines: tuple[Line, ...]

    @property
    def size(self) -> int:
        """How many cases it tells of."""
        return sum(line.size for line in self.lines)

    @property
    def due_at(self) -> datetime | None:
        """The earliest due of what is still to be done, else of all."""
        open_ = [line.due_at for line in self.lines if line.due_at and not line.done_at and not line.ended]
        return min(open_ or [line.due_at for line in self.lines if line.due_at], default=None)

    def late(self, now: datetime) -> timedelta:
        """How late the latest of them is."""
        return max(line.late(now) for line in self.lines)


@dataclass(frozen=True)
class Letter:
    """One message to one person."""

    id: str
    language: Language
    zone: ZoneInfo
    name: str
    lines: tuple[Line, ...]
    written_at: datetime
    acknowledge_url: str = ""
    counts: dict[Purpose, int] = field(init=False)

    def __post_init__(self) -> None:
        counted = {purpose: sum(line.size for line in self.lines if line.purpose == purpose) for purpose in GRAVITY}
        object.__setattr__(self, "counts", {purpose: n for purpose, n in counted.items() if n})

    @cached_property
    def offices(self) -> str:
        """The roles as whose holder the recipient is told."""
        return ", ".join(dict.fromkeys(line.role_title or line.role for line in self.lines))

    @cached_property
    def complaints(self) -> tuple[str, ...]:
        """The cases it is about, each once."""
        return tuple(dict.fromkeys(case for line in self.lines for case in line.cases or (line.complaint,)))

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Its lines by what they are about: the same clock, clause and gravity, and whether they are answered."""
        found: dict[tuple[str, ...], list[Line]] = {}
        for line in self.lines:
            about = (line.purpose, line.percent, line.act, line.clause, line.title, str(line.answer is not None))
            found.setdefault(about, []).append(line)
        return tuple(Group(tuple(lines)) for lines in found.values())

    @cached_property
    def many(self) -> bool:
        """More lines than somebody looks at one by one."""
        return len(self.lines) > FEW

    @cached_property
    def clauses(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(line.clause for line in self.lines if line.clause))
