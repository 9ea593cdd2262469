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

    @property
    def reference(self) -> str:
        return self.complaint.partition("/")[2]

    @property
    def told_late(self) -> timedelta:
        """How long after its moment Ombud came to tell of it (invariant 11)."""
        if self.at is None or self.recorded_at is None:
            return timedelta()
        return self.recorded_at - self.at

    def late(self, now: datetime) -> timedelta:
        """How long after its due time the clock was met, or runs by now; below zero while there is time left."""
        return (self.done_at or now) - self.due_at if self.due_at else timedelta()


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
        counted = {purpose: sum(line.purpose == purpose for line in self.lines) for purpose in GRAVITY}
        object.__setattr__(self, "counts", {purpose: n for purpose, n in counted.items() if n})

    @cached_property
    def offices(self) -> str:
        """The roles as whose holder the recipient is told."""
        return ", ".join(dict.fromkeys(line.role_title or line.role for line in self.lines))

    @cached_property
    def complaints(self) -> tuple[str, ...]:
        """The cases it is about, each once."""
        return tuple(dict.fromkeys(line.complaint for line in self.lines))

    @cached_property
    def clauses(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(line.clause for line in self.lines if line.clause))
