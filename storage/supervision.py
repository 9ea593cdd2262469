"""The lists of whoever supervises: what was reported late, corrected, lowered, withdrawn, waived and so on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

List = Literal[
    "reported late",
    "corrected",
    "lowered",
    "withdrawn",
    "merged",
    "waived",
    "waited for us",
    "nobody on duty",
    "passed before registration",
]
"""`waited for us` are the requests to the principal, whom most of the lists are for."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One thing on a list. Times are in UTC."""

    complaint: str
    seq: int | None
    """The ledger entry; nothing of a list of clocks."""
    clock: str | None
    at: datetime
    recorded_at: datetime
    by: str | None
    detail: dict[str, Any]


async def supervised(connection: AsyncConnection, wanted: List, contract: str | None = None) -> list[Listed]:
    """Everything on a list, of one contract or of all, the latest recorded first."""
    query = text(
        "SELECT complaint, seq, clock, at, recorded_at, by, detail FROM supervision "
        "WHERE list = :list AND (cast(:contract AS text) IS NULL OR contract = :contract) "
        "ORDER BY recorded_at DESC, complaint, seq"
    )
    rows = await connection.execute(query, {"list": wanted, "contract": contract})
    return [Listed(**row) for row in rows.mappings()]
