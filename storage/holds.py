"""Holds: content that must be kept, for a dispute or by law, whatever else asks for its erasure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.values import Actor
from storage.content import Vault
from storage.privacy_record import lock, put
from storage.tables import complaints, holds


class NoComplaintError(Exception):
    """There is no such complaint on record."""


class NoHoldError(Exception):
    """No hold stands on the complaint."""


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold on a complaint."""

    complaint: str
    n: int
    """The entry that set it, in the complaint's stream `privacy/`."""
    set_at: datetime
    set_by: str
    until: datetime | None
    """Nothing for one that stands until it is lifted."""
    lifted_at: datetime | None
    lifted_by: str | None

    @property
    def stands(self) -> str:
        """Until when, in words."""
        return f"until {self.until.isoformat()}" if self.until else "until it is lifted"


async def set_hold(
    connection: AsyncConnection,
    vault: Vault,
    complaint: str,
    by: Actor,
    reason: str,
    now: datetime,
    until: datetime | None = None,
) -> int:
    """Keep the content of a complaint; several holds stand side by side. Raises NoComplaintError.

    What was erased before stays erased.
    """
    await lock(connection, [complaint])
    if await connection.scalar(select(complaints.c.id).where(complaints.c.id == complaint)) is None:
        raise NoComplaintError(complaint)
    data = {"until": until.isoformat()} if until else {}
    return (await put(connection, vault, complaint, "held", by, now, data, reason)).seq


async def lift(
    connection: AsyncConnection, vault: Vault, complaint: str, by: Actor, reason: str, now: datetime
) -> list[Hold]:
    """Lift every hold that stands on a complaint. Raises NoHoldError."""
    await lock(connection, [complaint])
    found = await standing(connection, [complaint], now)
    if not found:
        raise NoHoldError(complaint)
    for hold in found:
        await put(connection, vault, complaint, "hold_lifted", by, now, {"hold": hold.n}, reason)
    return found


async def standing(connection: AsyncConnection, of: Sequence[str], now: datetime) -> list[Hold]:
    """The holds that stand on these complaints, the one that stands longest first."""
    query = select(holds).where(holds.c.complaint.in_(of), stand(now))
    found = [Hold(**row._asdict()) for row in await connection.execute(query)]
    return sorted(found, key=lambda hold: (hold.until is not None, -(hold.until.timestamp() if hold.until else 0)))


async def listed(connection: AsyncConnection, now: datetime, *, every: bool = False) -> list[Hold]:
    """The holds that stand, or all there ever were, the oldest first."""
    query = select(holds).order_by(holds.c.set_at, holds.c.complaint, holds.c.n)
    query = query if every else query.where(stand(now))
    return [Hold(**row._asdict()) for row in await connection.execute(query)]


def stand(now: datetime) -> ColumnElement[bool]:
    """Whether a hold stands then."""
    return and_(holds.c.lifted_at.is_(None), or_(holds.c.until.is_(None), holds.c.until > now))
