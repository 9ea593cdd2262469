"""A random story: an opening and what people then tell, each with the second at which it happened and was told.

One seed and number give one story, whenever it is played. The acts carry the time at which they happened, so that what
becomes of a clock is decided by the story and not by when a worker woke up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from faults.tale import Tale
from rules.access import Grant
from rules.commands import Command

PROOF = [{"id": "letter", "sha256": "0" * 64}]

NUMBERS = {
    "correct": "entry",
    "approve_correction": "entry",
    "answer_request": "request",
    "contest_request": "request",
    "answer_demand": "demand",
}
"""The field by which a command names an earlier entry of the ledger."""


@dataclass
class Step:
    """One command, as a program sends it."""

    at: timedelta
    """When it is told, counted from the opening."""
    name: str
    body: dict[str, Any]
    of: int | None = None
    """The step whose entry it names; its number is known once that step has been answered."""
    durable: bool = False
    """Left as a signal, for which nobody answers."""
    again: float | None = None
    """Sent once more under the same key so many seconds later, or at once."""
    refused: bool = False
    """No complaint takes it, whenever it comes."""
    settled: bool = False
    """Told once every notice of the complaint has reached its end, and dated then: the end of the story."""
    sees: str = ""
    """What its teller has seen: a `notice`, a `miss` or a late `report`. Where a machine looked so late that there
    never was one, nobody tells it."""


@dataclass
class Story:
    """What is played, and what the fault-free run makes of it."""

    number: int
    opening: dict[str, Any]
    began: datetime
    twice: bool
    refused: bool
    """An opening that nobody takes: the clock of its sender is an hour ahead."""
    steps: list[Step] = field(default_factory=list)
    tale: Tale | None = None
    erased: timedelta | None = None
    """When somebody asks for the erasure of what was said, counted from the opening."""
    twin: Story | None = None
    """The complaint that this one is merged into, in a story of two."""
    twin_of: str = ""
    """The complaint that is merged into this one."""

    @property
    def complaint(self) -> str:
        return f"{self.opening['contract']}/{self.opening['reference']}"

    def key(self, index: int) -> str:
        """The idempotency key of a step."""
        return f"{self.opening['reference']}:{index}"


def as_sent(grant: Grant, command: Command, key: str) -> Command:
    """A command as the complaint gets it from the gateway. Raises ValidationError where it takes none such."""
    acting = grant.acting(command.model_copy(update={"key": key}))
    return type(command).model_validate(acting.model_dump(mode="json", exclude_none=True))
