"""What people report to a complaint, one class a command.

A command records an act done elsewhere; only notices are sent by Ombud. Its class says what it carries, who may
report it, which acts it counts as, and what becomes of its words. The docstring is what people read in the Web UI.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from rules.contract import Kind, Stage
from rules.values import Actor, Code, Currency, Evidences, Level, Name, Reference, Stated, Text, Value, fitting

Via = Literal["ui", "cli", "http", "client", "signal", "import", "page"]
"""The way something reached Ombud."""

CONTENT = "content"
Content = Annotated[Text, CONTENT]
"""Text that goes to the content table; the ledger keeps its id and digest."""
MaybeContent = Annotated[Text | None, CONTENT]
"""The same where it may be left out. The mark stands outside the union, where it is found."""


EntryNumber = Annotated[int, Field(ge=1, le=10**9)]
"""A ledger entry of the complaint by its number."""
ClockId = Annotated[str, Field(max_length=120)]
"""A clock of the complaint as `ombud show` names it, such as `first_response#1`."""


class Command(Value):
    """What every command may say besides its own fields. All of it is optional."""

    name: ClassVar[str]
    event: ClassVar[str]
    """The type of the ledger entry that records it."""
    who: ClassVar[tuple[str, ...]] = ("handler",)
    """Parties that may do it; the first stands in when the command names nobody."""
    needs: ClassVar[tuple[Stage, ...]] = ()
    """One of these stages must have been reached, where the complaint's path has it."""

    key: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    """Idempotency key; the update's id when left out (invariant 16)."""
    by: Actor | None = None
    """Who did it."""
    reported_by: Actor | None = None
    """Who tells us, when not the doer."""
    on_behalf_of: Actor | None = None
    via: Via | None = None
    occurred_at: Stated | None = None
    """When it happened; the moment it reaches us when left out (invariant 1)."""
    evidence: Evidences = ()
    internal: bool = False
    """Not for the principal's eyes."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        fitting(self.texts())
        return self

    def acts(self) -> tuple[str, ...]:
        """The names under which obligations list this act in `met by`."""
        return (self.name,)

    def texts(self) -> dict[str, str]:
        """The free text it carries, by field."""
        return {
            field: value
            for field, info in type(self).model_fields.items()
            if CONTENT in info.metadata and (value := getattr(self, field)) is not None
        }

    def facts(self) -> dict[str, Any]:
        """What the ledger keeps of its own fields: everything but free text."""
        fields = type(self).model_fields.keys() - Command.model_fields.keys()
        kept = {f for f in fields if CONTENT not in type(self).model_fields[f].metadata}
        return self.model_dump(mode="json", include=kept, exclude_none=True)


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
    """Somebody was called: reached, or every number of the role tried (rule 23)."""

    name, event = "contact", "contacted"
    role: Name
    outcome: Literal["reached", "tried"]
    text: MaybeContent = None

    def acts(self) -> tuple[str, ...]:
        return (f"contact.{self.outcome}", f"contact.{self.outcome}:{self.role}")


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

    name, event = "confirm_report", "report_answered"
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

    name, event = "contest_request", "request_contested"
    who = ("principal", "third_party", "complainant")
    request: EntryNumber
    text: Content


class Correct(Command):
    """An entry of the ledger is wrong: when it really happened, or that it did not (invariant 7). It counts once a
    second person approves it."""

    name, event = "correct", "corrected"
    who = ("handler", "principal")
    entry: EntryNumber
    happened_at: Stated | None = None
    """The right time; of the opening the receipt, of a classification when the facts became known."""
    void: Literal[True] | None = None
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

    name, event = "approve_correction", "correction_approved"
    who = ("handler", "principal")
    entry: EntryNumber
    """That of the correction."""
    text: MaybeContent = None

    def acts(self) -> tuple[str, ...]:
        return ()


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


class Note(Command):
    """A note on the file. It meets no clock."""

    name, event = "note", "noted"
    who = ("handler", "principal", "third_party", "complainant")
    text: Content


class Close(Command):
    """Close the case: confirmed, or without agreement after the last rejection."""

    name, event, needs = "close", "closed", ("resolved", "answered")
    agreement: bool = True
    text: MaybeContent = None


COMMANDS: dict[str, type[Command]] = {
    c.name: c
    for c in (
        Respond, Answer, HandOver, UpdateCustomer, Contact, PreliminaryPlan, Findings, Propose, TellResult, Resolve,
        Accept, Reject, Withdraw, CustomerWrites, NoReplyNeeded, Reclassify, Assign, Explain,
        Request, AnswerRequest, ContestRequest, Waive, ConfirmReport, Correct, ApproveCorrection,
        Acknowledge, Note, Close,
    )
}  # fmt: skip
"""Every command by its name, which is also the name of its update and its signal."""


class Complainant(Value):
    """Who complains. The id is the backend's own; names and numbers belong in `content`."""

    id: Name | None = None
    grade: Code | None = None
    language: Literal["en", "zh-CN"] | None = None
    needs: Annotated[tuple[Code, ...], Field(max_length=100)] = ()
    """Flags such as `older` or `hardship`."""


class OpenComplaint(Value):
    """The start of a complaint: the argument of the workflow `Complaint`."""

    contract: Name
    reference: Reference
    kind: Kind
    category: Code | None = None
    level: Level | None = None
    channel: Code
    raised_at: Stated | None = None
    """When the customer first spoke, perhaps to somebody else (rule 43)."""
    received_at: Stated
    """When the handler got it: day 0 of its clocks."""
    received_how: Literal["stamped", "declared"] = "declared"
    content: Text
    remedy_sought: Text | None = None
    complainant: Complainant = Complainant()
    against: Name | None = None
    """The person complained about (rule 37)."""
    incident: Reference | None = None
    follows: Reference | None = None
    evidence: Evidences = ()
    language: Literal["en", "zh-CN"] | None = None
    by: Actor | None = None
    """Who took it in; `handler` when left out."""
    reported_by: Actor | None = None
    via: Via = "client"
    history: bool = False
    """An old case brought in for the record: nobody is told anything about it."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.raised_at and self.raised_at > self.received_at:
            raise ValueError("raised_at lies after received_at: a complaint is raised before it is received")
        fitting({"content": self.content} | ({"remedy_sought": self.remedy_sought} if self.remedy_sought else {}))
        return self
