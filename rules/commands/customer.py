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
    """The customer rejects the result; the complaint reopens (rule 33)."""

    name, event, needs = "reject", "rejected", ("resolved", "answered")
    who = ("complainant",)
    text: Content


class Withdraw(Command):
    """The customer withdraws the complaint. Reported by the handler it needs evidence."""

    name, event = "withdraw", "withdrawn"
    who = ("complainant", "handler")
    text: MaybeContent = None

    @model_validator(mode="after")
    def _proved(self) -> Withdraw:
        told_by = self.reported_by or self.by
        if told_by and told_by.role.partition(".")[0] == "handler" and not self.evidence:
            raise ValueError("a withdrawal entered by the handler needs evidence: add the customer's message")
        return self


class CustomerWrites(Command):
    """The customer wrote or called again (rule 24)."""

    name, event = "customer_writes", "customer_wrote"
    who = ("complainant", "handler")
    text: Content
    channel: Code | None = None


class NoReplyNeeded(Command):
    """The customer's message asks for no reply, and why."""

    name, event = "no_reply_needed", "no_reply_needed"
    text: Content
