"""What two complaints say to each other when one is merged into the other. Sent by Ombud alone."""

from __future__ import annotations

from pydantic import Field

from rules.commands.base import Command
from rules.values import Instant, Reference, Value


class Done(Value):
    """An act of the merged complaint, as `rules.complaint.Act` has it."""

    names: tuple[str, ...]
    at: Instant
    recorded_at: Instant
    proved: bool = False


class Absorb(Command):
    """Another complaint is merged into this one: its receipt counts if it is the earlier, and so do its acts."""

    name, event = "absorb", "absorbed"
    who = ("ombud",)
    complaint: Reference
    received_at: Instant
    done: tuple[Done, ...] = Field(default=(), repr=False)
    unanswered: Instant | None = None
    """The oldest message of the customer there that nobody has answered yet."""

    def acts(self) -> tuple[str, ...]:
        return ()


class Release(Command):
    """The merge was undone."""

    name, event, after_closure = "release", "released", True
    who = ("ombud",)
    complaint: Reference

    def acts(self) -> tuple[str, ...]:
        return ()
