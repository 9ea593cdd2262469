"""Every access to words of a complaint from a page, and whoever was turned away, is on record (rule 111)."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import access_log
from storage.access_log import Access
from templates.links import Purpose


def address_of(request: Request) -> str | None:
    """Where a visitor comes from, as the server sees it."""
    return request.client.host if request.client else None


async def record(
    db: AsyncConnection, page: Purpose, subject: str, person: str, address: str | None, refused: str = ""
) -> None:
    """Somebody read words of a complaint (`contract/reference`) on this page; or was `refused` a contract, and why."""
    contract, _, reference = subject.partition("/")
    await access_log.record(
        db,
        Access(
            at=datetime.now(UTC),
            via="page",
            action=f"{page}:read",
            allowed=not refused,
            person=person,
            address=address,
            contract=contract,
            complaint=subject if reference else None,
            reason=refused or None,
        ),
    )
