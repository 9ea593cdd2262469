"""What a complaint is judged by: a pinned contract snapshot, shared by every complaint under the same version, and the
years whose holidays became known since.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic_core import to_json

from rules.calendar import WorkingCalendar, calendar_for
from rules.calendar_years import Years, years_json, years_of
from rules.complaint import Complaint
from rules.contract import Contract


@dataclass(frozen=True, slots=True, eq=False)
class InForce:
    """What a complaint is judged by (invariant 8). Compared by identity: there is one for each snapshot."""

    contract: Contract
    calendar: WorkingCalendar
    pinned: InForce | None = None
    """The law as it was at receipt, where a re-plan has put years into it."""
    snapshot: dict[str, Any] | None = None
    """What it was made from; held here once for every complaint under it, for it is many times their size."""


def law_of(snapshot: dict[str, Any]) -> InForce:
    """The contract and its compiled calendar, from the snapshot pinned at receipt (invariant 8)."""
    return _compiled(to_json(snapshot))


def in_force(law: InForce, case: Complaint, until: int | None = None) -> InForce:
    """The pinned law with the years that re-plans of this complaint brought, those up to an entry if one is given.

    It follows from snapshot and ledger alone, so every run and every revival comes to the same.
    """
    if not case.calendars:
        return law
    pinned = law.pinned or law
    years: Years = {}
    for change in case.calendars:
        if until is None or change.seq <= until:
            years |= change.years
    return _with_years(pinned, years_json(years)) if years else pinned


@lru_cache(maxsize=256)
def _compiled(snapshot: bytes) -> InForce:
    contract = Contract.model_validate_json(snapshot)
    return InForce(contract, calendar_for(contract.calendar), snapshot=json.loads(snapshot))


@lru_cache(maxsize=256)
def _with_years(pinned: InForce, years: bytes) -> InForce:
    known = pinned.contract.calendar.published | years_of(years)
    calendar = pinned.contract.calendar.model_copy(update={"published": known})
    contract = pinned.contract.model_copy(update={"calendar": calendar})
    return InForce(contract, calendar_for(calendar), pinned, pinned.snapshot)
