"""How a complaint begins."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rules.commands.base import Authenticated, Via
from rules.contract import Kind
from rules.values import Actor, Code, Evidences, Level, Name, Reference, Stated, Text, Value, fitting


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
    authenticated_as: Authenticated | None = None
    """Whose identity was proved: filled by the front door and by nobody else."""
    history: bool = False
    """An old case brought in for the record: nobody is told anything about it."""

    @property
    def complaint(self) -> str:
        """`contract/reference`."""
        return f"{self.contract}/{self.reference}"

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.raised_at and self.raised_at > self.received_at:
            raise ValueError("raised_at lies after received_at: a complaint is raised before it is received")
        fitting(self.texts())
        return self

    def texts(self) -> dict[str, str]:
        """What was said in words, by field; kept apart from the ledger (invariant 19)."""
        return {"content": self.content} | ({"remedy_sought": self.remedy_sought} if self.remedy_sought else {})
