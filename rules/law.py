"""From a pinned contract snapshot to what the judge needs; shared by every complaint under the same version."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from rules.calendar import calendar_for
from rules.contract import Contract
from rules.judge import InForce


def law_of(snapshot: dict[str, Any]) -> InForce:
    """The contract and its compiled calendar, from the snapshot pinned at receipt (invariant 8)."""
    return _compiled(json.dumps(snapshot))


@lru_cache(maxsize=256)
def _compiled(snapshot: str) -> InForce:
    contract = Contract.model_validate_json(snapshot)
    return InForce(contract, calendar_for(contract.calendar))
