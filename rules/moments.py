"""A judgement whose time has come, and whom it tells."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

from rules.complaint import Complaint
from rules.contract import Contract
from rules.ledger import Notice


class Moment(NamedTuple):
    """A judgement whose time has come, sorted by time, then rank: what starts comes before what ends."""

    at: datetime
    rank: int
    order: int
    type: str
    data: dict[str, Any]
    notices: tuple[Notice, ...] = ()


def notices(
    case: Complaint,
    about: str,
    roles: tuple[str, ...],
    urgent: bool = False,
    *,
    crowd: str = "",
    crowded: Collection[str] = (),
) -> tuple[Notice, ...]:
    """One notice a role, keyed by what it tells of; those to the `crowded` roles stand in the crowd of this name."""
    return tuple(
        Notice(
            key=f"{case.id}/{about}/{role}",
            role=role,
            urgent=urgent,
            crowd=f"{crowd}/{role}" if crowd and role in crowded else None,
        )
        for role in dict.fromkeys(roles)
    )


def notices_of_act(case: Complaint, contract: Contract, command: str) -> tuple[Notice, ...]:
    """Whom the contract tells of an act; the key names the entry that is about to record it."""
    return notices(case, f"{command}#{case.seq + 1}", contract.notices.get(command, ()))
