"""What a contract means for a date: the clocks that a complaint would have, without a complaint.

The same terms, calendar and restrictions as the judge's; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from rules import terms
from rules.conditions import known
from rules.contract import Kind, Language, Obligation
from rules.law import InForce
from rules.ledger import Refused, explain_invalid
from rules.values import Instant, Level, Value

AT_RECEIPT = ("receipt", "level reached")
"""The starts that a complaint has when it is opened; every other waits for something to happen."""


class Asked(Value):
    """The complaint somebody asks about."""

    received_at: Instant
    kind: Kind = "complaint"
    category: str | None = None
    level: Level | None = None
    """The category's own level when left out."""
    grade: str | None = None


def asked(given: dict[str, Any]) -> Asked:
    """The question in these fields. Raises Refused for a field that is missing, unknown or malformed."""
    try:
        return Asked.model_validate(given)
    except ValidationError as invalid:
        raise Refused(explain_invalid("The question", invalid)) from None


@dataclass(frozen=True, slots=True)
class Preview:
    """One clock as it would be."""

    clock: str
    promise: Obligation
    due: terms.Due

    def json(self, language: Language, outside_term: bool) -> dict[str, object]:
        """The clock for programs; times with their offset, in the calendar's zone."""
        return {
            "clock": self.clock,
            "clause": self.promise.clause,
            "due_at": self.due.at.isoformat(),
            "provisional": self.due.provisional,
            "explanation": self.due.explanation.text(language),
            "details": self.due.explanation.model_dump(mode="json", exclude_defaults=True),
            "outside_term": outside_term,
        }


def preview(asked: Asked, law: InForce) -> list[Preview]:
    """Every clock that such a complaint would have at its receipt, in the contract's order.

    Raises Refused for a kind, category, level or grade that the contract does not have, and for a date so late that
    no calendar holds its dues.
    """
    try:
        law.calendar.local(asked.received_at)
        return [
            Preview(name, promise, terms.due(promise.due, asked.received_at, law.calendar))
            for name, promise in _covering(asked, law)
            if promise.starts in AT_RECEIPT
        ]
    except (OverflowError, ValueError) as late:
        raise Refused(f"No calendar holds what is due for {asked.received_at.isoformat()}: {late}") from None


def later(asked: Asked, law: InForce) -> list[tuple[str, Obligation]]:
    """The obligations whose clocks start when something happens to such a complaint. Raises Refused as preview does."""
    return [(name, promise) for name, promise in _covering(asked, law) if promise.starts not in AT_RECEIPT]


def outside_term(asked: Asked, law: InForce) -> str:
    """Nothing, or that such a complaint would be flagged, as received while the contract is not in force (rule 127)."""
    term, day = law.contract.term, law.calendar.local(asked.received_at).date()
    if term.covers(day):
        return ""
    until = f"to {term.ends}" if term.ends else "on"
    return f"{day} lies outside the contract's term, {term.starts} {until}; such a complaint is taken and flagged"


def _covering(asked: Asked, law: InForce) -> Iterator[tuple[str, Obligation]]:
    contract = law.contract
    known("kind", asked.kind, contract.kinds)
    known("category", asked.category, tuple(contract.categories))
    known("level", asked.level, tuple(contract.levels))
    known("grade", asked.grade, tuple(contract.grades))
    category = contract.categories[asked.category] if asked.category else None
    level = asked.level or (category.default_level if category else None)
    return contract.obligations_for(asked.kind, asked.category, level, asked.grade)
