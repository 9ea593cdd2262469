"""What every command carries, and what its class says of it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from rules.contract import Stage
from rules.values import Actor, Evidences, Stated, Text, Value, fitting

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


Authenticated = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:@/+-]{0,199}$")]
"""A proved identity: `token:<id>`, or `link:<purpose>/<person>`."""


class Command(Value):
    """What every command may say besides its own fields. All of it is optional."""

    name: ClassVar[str]
    event: ClassVar[str]
    """The type of the ledger entry that records it."""
    who: ClassVar[tuple[str, ...]] = ("handler",)
    """Parties that may do it; the first stands in when the command names nobody."""
    needs: ClassVar[tuple[Stage, ...]] = ()
    """One of these stages must have been reached, where the complaint's path has it."""
    after_closure: ClassVar[bool] = False
    """Whether it is taken once the complaint is closed, by a run that goes on from the ledger."""

    key: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    """Idempotency key; the update's id when left out (invariant 16)."""
    by: Actor | None = None
    """Who did it."""
    reported_by: Actor | None = None
    """Who tells us, when not the doer."""
    on_behalf_of: Actor | None = None
    via: Via | None = None
    authenticated_as: Authenticated | None = None
    """Whose identity was proved: filled by the front door and by nobody else, never mixed with what `by` claims."""
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
