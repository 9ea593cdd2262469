"""How long what a customer said is kept after closing, as the contract says (rules 112-115)."""

from __future__ import annotations

from datetime import datetime

from rules.law import InForce
from rules.terms import due


def erased_from(law: InForce, closed_at: datetime) -> datetime | None:
    """When the content of a complaint closed then is to be erased; nothing where the contract keeps it."""
    term = law.contract.retention.content
    return due(term, closed_at, law.calendar).at if term else None


def kept_until(law: InForce, closed_at: datetime) -> datetime | None:
    """Until when nobody may have it erased; nothing where the contract asks for no such time."""
    term = law.contract.retention.at_least
    return due(term, closed_at, law.calendar).at if term else None
