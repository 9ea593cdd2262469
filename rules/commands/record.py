"""How the case is filed, and what is put right on its record."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from rules.calendar_years import Holidays, YearNumber, mistakes
from rules.commands.base import Command, Content, EntryNumber, MaybeContent
from rules.contract import Kind
from rules.values import Actor, Code, Level, Name, Reference, Stated


class Reclassify(Command):
    """Another kind, category or level. Because of new facts its clocks start when those became known; misjudged, at
    receipt. Lowering a level needs an approver."""

    name, event = "reclassify", "reclassified"
    kind: Kind | None = None
    category: Code | None = None
    level: Level | None = None
    reason: Literal["first_assessment", "new_facts", "misjudged"]
    known_at: Stated | None = None
    """When the new facts became known; `occurred_at` when left out."""
    approved_by: Actor | None = None
    text: Content

    @model_validator(mode="after")
    def _changes_something(self) -> Reclassify:
        if self.kind is None and self.category is None and self.level is None:
            raise ValueError("name what changes: kind, category or level")
        return self


class Assign(Command):
    """Another person owns the case."""

    name, event = "assign", "assigned"
    person: Name
    text: MaybeContent = None


class Replan(Command):
    """The holidays of a year became known, or were changed: every due that they touch is counted anew, and what was
    provisional becomes final (invariants 8, 9)."""

    name, event = "replan", "replanned"
    who = ("handler", "principal")
    years: Annotated[dict[YearNumber, Holidays], Field(min_length=1, max_length=50)]
    """Each year whole, as it holds now: holidays by name with their days `off`, and those worked in return (`work`)."""
    text: Content
    """Why."""

    def acts(self) -> tuple[str, ...]:
        return ()

    @model_validator(mode="after")
    def _sound(self) -> Replan:
        if wrong := next(mistakes(self.years), None):
            where, reason = wrong
            raise ValueError(f"{'.'.join(map(str, where))}: {reason}")
        return self


class Recuse(Command):
    """A person is complained about, or too near to the matter: may not own, decide, acknowledge, be told of or read
    this complaint (rule 37)."""

    name, event = "recuse", "recused"
    who = ("handler", "principal")
    person: Name
    text: Content


class Link(Command):
    """Another complaint of the same contract belongs to this one. It changes no clock; a duplicate is merged."""

    name, event = "link", "linked"
    to: Reference
    relation: Literal["follows", "duplicate_of", "part_of", "split_from"]
    """What this complaint is to the other."""
    text: MaybeContent = None


class Merge(Command):
    """This complaint is a duplicate: it closes, and the other goes on with the earlier receipt of both and with what
    was done here. The other answers, so it is an update and no signal."""

    name, event = "merge", "merged"
    into: Reference
    text: MaybeContent = None


class UndoMerge(Command):
    """It was no duplicate: this complaint goes on as if it had never been merged, and so does the other."""

    name, event, after_closure = "undo_merge", "merge_undone", True
    text: Content


class Note(Command):
    """A note on the file. It meets no clock."""

    name, event, after_closure = "note", "noted", True
    who = ("handler", "principal", "third_party", "complainant")
    text: Content


class Correct(Command):
    """An entry of the ledger is wrong: when it really happened, or that it did not (invariant 7). It counts once a
    second person approves it."""

    name, event, after_closure = "correct", "corrected", True
    who = ("handler", "principal")
    entry: EntryNumber
    happened_at: Stated | None = None
    """The right time; of the opening the receipt, of a classification when the facts became known."""
    void: Annotated[Literal[True], BeforeValidator(lambda given: given == "true" or given)] | None = None
    """It did not happen."""
    text: Content

    def acts(self) -> tuple[str, ...]:
        return ()

    @model_validator(mode="after")
    def _says_what(self) -> Correct:
        if (self.happened_at is None) == (self.void is None):
            raise ValueError("give the right time as `happened_at`, or `void: true` when it did not happen")
        return self


class ApproveCorrection(Command):
    """A second person agrees with a correction; from then on the right value counts (invariant 7)."""

    name, event, after_closure = "approve_correction", "correction_approved", True
    who = ("handler", "principal")
    entry: EntryNumber
    """That of the correction."""
    text: MaybeContent = None

    def acts(self) -> tuple[str, ...]:
        return ()
