"""What the handler does for the customer, from the first reply to the closing."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, model_validator

from rules.commands.base import Command, Content, MaybeContent
from rules.values import Code, Currency, Name, Value


class Respond(Command):
    """A first response or any reply of a person to the customer."""

    name, event = "respond", "responded"
    text: Content
    channel: Code | None = None
    account: Code | None = None
    """The account used (rule 13)."""


class Answer(Command):
    """The answer to the question asked (rule 21)."""

    name, event = "answer", "answered"
    text: Content
    channel: Code | None = None
    script: Code | None = None
    """The approved script it follows (rules 92, 93)."""


class HandOver(Command):
    """The department that can solve it has the case (rule 22)."""

    name, event = "hand_over", "handed_over"
    to: Name
    text: MaybeContent = None


class UpdateCustomer(Command):
    """The customer was told how things stand (rule 22)."""

    name, event = "update_customer", "customer_updated"
    text: Content
    channel: Code | None = None
    account: Code | None = None


class Contact(Command):
    """Somebody was called: reached, or every number of the role tried (rule 23). Tried with the `complainant`, it
    counts towards closing as unreachable."""

    name, event = "contact", "contacted"
    role: Name
    outcome: Literal["reached", "tried"]
    text: MaybeContent = None

    def acts(self) -> tuple[str, ...]:
        named = f"contact.{self.outcome}:{self.role}"
        return (named,) if self.role == "complainant" else (f"contact.{self.outcome}", named)


class PreliminaryPlan(Command):
    """A first plan for a grave case (rule 23)."""

    name, event = "preliminary_plan", "plan_given"
    text: Content


class Findings(Command):
    """What the investigation found, and the cause (rules 28, 29)."""

    name, event = "findings", "findings_recorded"
    text: Content
    cause: Content
    cause_code: Code | None = None


class Measure(Value):
    """One remedy offered (rule 31)."""

    type: Literal["improvement", "refund", "compensation", "replacement", "repair", "apology", "other"]
    amount: Annotated[Decimal, Field(ge=0)] | None = None
    currency: Currency | None = None


class Propose(Command):
    """A solution is proposed (rules 30, 31, 41)."""

    name, event, needs = "propose", "proposed", ("investigating",)
    text: Content
    measures: Annotated[tuple[Measure, ...], Field(max_length=100)] = ()


class TellResult(Command):
    """The result was told to the customer or to the principal (rules 33, 35)."""

    name, event, needs = "tell_result", "result_told", ("resolved", "answered")
    to: Literal["customer", "principal"] = "customer"
    text: MaybeContent = None
    channel: Code | None = None

    def acts(self) -> tuple[str, ...]:
        return (f"tell_result.{self.to}",)


class Resolve(Command):
    """The matter is resolved (rule 42)."""

    name, event, needs = "resolve", "resolved", ("proposed",)
    outcome: Literal["upheld", "partly", "not_upheld"]
    text: MaybeContent = None


class Explain(Command):
    """Why it was not resolved in time, and what follows (rule 45)."""

    name, event = "explain", "explained"
    reason: MaybeContent = None
    plan: MaybeContent = None

    def acts(self) -> tuple[str, ...]:
        return tuple(f"explain.{part}" for part in ("reason", "plan") if getattr(self, part) is not None)

    @model_validator(mode="after")
    def _says_something(self) -> Explain:
        if self.reason is None and self.plan is None:
            raise ValueError("give the reason, the plan, or both")
        return self


class Close(Command):
    """Close the case: confirmed, without agreement after the last rejection, or because the customer cannot be reached
    after as many attempts as the contract asks."""

    name, event, needs = "close", "closed", ("resolved", "answered")
    agreement: bool = True
    unreachable: bool = False
    text: MaybeContent = None
