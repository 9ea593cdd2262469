"""What a complaint is judged by: from a pinned contract snapshot, shared by every complaint under the same version."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rules.calendar import WorkingCalendar, calendar_for
from rules.contract import Contract


@dataclass(frozen=True, slots=True)
class InForce:
    """What a complaint is judged by, pinned at receipt (invariant 8)."""

    contract: Contract
    calendar: WorkingCalendar


def law_of(snapshot: dict[str, Any]) -> InForce:
    """The contract and its compiled calendar, from the snapshot pinned at receipt (invariant 8)."""
    return _compiled(json.dumps(snapshot))


@lru_cache(maxsize=256)
def _compiled(snapshot: str) -> InForce:
    contract = Contract.model_validate_json(snapshot)
    return InForce(contract, calendar_for(contract.calendar))
