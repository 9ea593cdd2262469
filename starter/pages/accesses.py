"""Every access to words of a complaint from a page, and whoever was turned away, is on record (rule 111)."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.directory import EVERY
from starter.limits import origin
from storage import access_log
from storage.access_log import Access
from templates.links import PAGES, Addressed, Purpose

BY_PATH = {page.path: purpose for purpose, page in PAGES.items()}


def address_of(request: Request) -> str:
    """Where a visitor comes from, as the server sees it."""
    return origin(request.scope)


def page_of(request: Request) -> tuple[Purpose, str] | None:
    """Which page an address leads to, and the token in it; nothing for an address without a page."""
    first, _, rest = request.scope["path"].lstrip("/").partition("/")
    purpose = BY_PATH.get(first)
    return (purpose, rest.partition("/")[0]) if purpose else None


async def record(db: AsyncConnection, page: Purpose, subject: str, person: str, address: str | None) -> None:
    """Somebody read words of a complaint (`contract/reference`) on this page."""
    await access_log.record(
        db,
        Access(
            at=datetime.now(UTC),
            via="page",
            action=f"{page}:read",
            allowed=True,
            person=person,
            address=address,
            contract=subject.partition("/")[0],
            complaint=subject,
        ),
    )


def refusal(request: Request, page: Purpose, link: Addressed | None, reason: str, complaint: str = "") -> Access:
    """Somebody was turned away. Of a link that is not of ours nothing is kept: whatever stands in it is a stranger's.

    `complaint` is the one that they asked for, where it is not what the link stands for.
    """
    subject = link.subject if link else ""
    if page == "acknowledge" and link:
        subject, reason = "", f"{reason}: message {link.subject}"
    about = complaint or subject
    contract, _, reference = about.partition("/")
    return Access(
        at=datetime.now(UTC),
        via="page",
        action=f"{page}:{'read' if request.method in ('GET', 'HEAD') else 'act'}",
        allowed=False,
        person=link.person if link else None,
        address=address_of(request),
        contract=contract if contract not in ("", EVERY) else None,
        complaint=about if reference else None,
        reason=reason,
    )
