"""What the parties ask of each other, agree to and acknowledge."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from rules.commands.base import ClockId, Command, Content, EntryNumber, MaybeContent
from rules.values import Name, Stated


class Waive(Command):
    """The principal waives a promise in writing: its clock ends, neither met nor missed from then on (invariant 5)."""

    name, event = "waive", "waived"
    who = ("principal",)
    clock: ClockId
    text: Content

    @model_validator(mode="after")
    def _in_writing(self) -> Waive:
        if not self.evidence:
            raise ValueError("a waiver is in writing: add the principal's letter as evidence")
        return self


class ConfirmReport(Command):
    """The role that the contract names agrees, or does not, that a late report clears a miss (invariant 2)."""

    name, event, after_closure = "confirm_report", "report_answered", True
    who = ("principal", "handler", "third_party")
    clock: ClockId
    agrees: bool
    text: Content


class Request(Command):
    """Something is asked of another party by a time. From then until the answer the time is that party's (rule 60)."""

    name, event = "request", "requested"
    of: Name
    """The role asked; a third party or the complainant may be named without an office."""
    due: Stated
    text: Content


class AnswerRequest(Command):
    """What was asked came."""

    name, event = "answer_request", "request_answered"
    who = ("handler", "principal", "third_party", "complainant")
    request: EntryNumber
    """The entry of the request."""
    text: Content


class ContestRequest(Command):
    """The party asked says that nobody waited for it; the time stays the handler's."""

    name, event, after_closure = "contest_request", "request_contested", True
    who = ("principal", "third_party", "complainant")
    request: EntryNumber
    text: Content


class Demand(Command):
    """The principal demands a more detailed solution or another remedy, after a promise was missed (rule 46)."""

    name, event = "demand", "demanded"
    who = ("principal",)
    wants: Literal["detail", "remedy"]
    clock: ClockId | None = None
    """The missed clock it follows; any that was missed when left out."""
    text: Content


class AnswerDemand(Command):
    """What the handler says to a demand of the principal (rule 46)."""

    name, event = "answer_demand", "demand_answered"
    demand: EntryNumber
    """The entry of the demand."""
    text: Content


class Acknowledge(Command):
    """Answers notices, by whoever got them, and says what follows (invariant 13)."""

    name, event = "acknowledge", "acknowledged"
    who = ("handler", "principal", "third_party")
    notices: Annotated[tuple[Annotated[str, Field(max_length=1000)], ...], Field(max_length=1000)] = ()
    """Keys of the notices; every open notice to the role when left out."""
    follow: Literal["taken_over", "passed", "noted"] = "noted"
    until: Stated | None = None
    """Taken over until then; after it the ladder goes on."""
    to: Name | None = None
    """The role it is passed to."""
    text: MaybeContent = None

    @model_validator(mode="after")
    def _complete(self) -> Acknowledge:
        if (self.follow == "taken_over") != (self.until is not None):
            raise ValueError("`taken_over` needs `until`, and nothing else has it")
        if (self.follow == "passed") != (self.to is not None):
            raise ValueError("`passed` needs `to`, and nothing else has it")
        return self


class GiveUp(Command):
    """What stands in the queue is given up: a notice that reached nobody counts as undeliverable at once, so that its
    ladder goes on (invariant 13); a signal that was refused is dealt with."""

    name, event, after_closure = "give_up", "given_up", True
    notices: Annotated[tuple[Annotated[str, Field(max_length=1000)], ...], Field(max_length=1000)] = ()
    """Keys of notices."""
    refused: EntryNumber | None = None
    """The entry of a refused signal."""
    text: Content
    """Why, and who was told another way."""

    def acts(self) -> tuple[str, ...]:
        return ()

    @model_validator(mode="after")
    def _something(self) -> GiveUp:
        if bool(self.notices) == (self.refused is not None):
            raise ValueError("name either `notices`, or the entry of a `refused` signal")
        return self
