"""What the customer says, and whether it asks for a reply."""

from __future__ import annotations

from pydantic import model_validator

from rules.commands.base import Command, Content, MaybeContent
from rules.values import Code


class Accept(Command):
    """The customer accepts the result; the complaint closes."""

    name, event, needs = "accept", "accepted", ("resolved", "answered")
    who = ("complainant",)
    text: MaybeContent = None


class Reject(Command):
    """The customer rejects the result; the complaint reopens (rule 33), after closing too where the contract says."""

    name, event, needs = "reject", "rejected", ("resolved", "answered")
    who, after_closure = ("complainant",), True
    text: Content


class _Proved(Command):
    """What the customer decides about the complaint; the handler who enters it shows that it did."""

    who = ("complainant", "handler")
    text: MaybeContent = None

    @model_validator(mode="after")
    def _proved(self) -> _Proved:
        told_by = self.reported_by or self.by
        if told_by and told_by.role.partition(".")[0] == "handler" and not self.evidence:
            raise ValueError(f"{self.name} entered by the handler needs evidence: add the customer's message")
        return self


class Withdraw(_Proved):
    """The customer withdraws the complaint. Reported by the handler it needs evidence."""

    name, event = "withdraw", "withdrawn"


class TakeBack(_Proved):
    """The customer takes the withdrawal back: the complaint goes on, and the time between stops every clock. Reported
    by the handler it needs evidence."""

    name, event, after_closure = "take_back", "withdrawal_taken_back", True


class CustomerWrites(Command):
    """The customer wrote or called again (rule 24). After closing it reopens the complaint, is attached to it, or opens
    one that follows, as the contract says."""

    name, event, after_closure = "customer_writes", "customer_wrote", True
    who = ("complainant", "handler")
    text: Content
    channel: Code | None = None


class NoReplyNeeded(Command):
    """The customer's message asks for no reply, and why."""

    name, event = "no_reply_needed", "no_reply_needed"
    text: Content
