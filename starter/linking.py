"""Links for people who ask for one, and the files that operations print: each goes on record (rule 111)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, get_args

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.contract import Contract
from rules.directory import EVERY
from rules.duty import offices
from settings import Settings
from starter.errors import Misconfigured, NotFound, Refused
from storage import access_log, contracts
from storage.access_log import Access
from storage.casefile import record
from storage.directory import stored
from storage.tables import complaints
from templates.links import ANYBODY, Addressed, Links

Page = Literal["case", "desk", "standard", "principal"]
PAGES: tuple[Page, ...] = get_args(Page)

OfCustomer = Literal["status", "survey"]
OF_CUSTOMERS: tuple[OfCustomer, ...] = get_args(OfCustomer)
"""Pages whose links a backend gives to the customer; Ombud mails no customers."""

PARTY = {"desk": "handler.", "principal": "principal."}
"""Pages for one party alone, by the first part of its roles."""


async def link(db: AsyncConnection, settings: Settings, page: Page, subject: str, person: str, by: str) -> str:
    """The address at which a person reads a page. Raises Misconfigured, NotFound, and Refused for somebody whom the
    page would not be shown to."""
    if not settings.base_url:
        raise Misconfigured("OMBUD_BASE_URL is not set: a link needs the public address of `ombud serve`.")
    await _may_read(db, page, subject, person)
    await access_log.record(db, accessed(f"link:{page}", subject, by, f"for {person}"))
    return Links(settings.signing_key.get_secret_value(), settings.base_url, page).url(Addressed(subject, person))


async def customer_link(db: AsyncConnection, settings: Settings, page: OfCustomer, complaint: str, by: str) -> str:
    """The address at which the customer of a complaint reads a page. Raises Misconfigured and NotFound."""
    if not settings.base_url:
        raise Misconfigured("OMBUD_BASE_URL is not set: a link needs the public address of `ombud serve`.")
    query = select(complaints.c.complainant).where(complaints.c.id == complaint)
    row = (await db.execute(query)).one_or_none()
    if row is None:
        raise NotFound(f"Postgres has no complaint {complaint}; write it as contract/reference.")
    to = Addressed(complaint, row.complainant or ANYBODY)
    await access_log.record(db, accessed(f"link:{page}", complaint, by, f"for {to.person}"))
    return Links(settings.signing_key.get_secret_value(), settings.base_url, page).url(to)


def accessed(action: str, subject: str, by: str, reason: str | None = None) -> Access:
    """What goes on record of something done at the command line, by whoever is logged in there."""
    contract, _, reference = subject.partition("/")
    return Access(
        at=datetime.now(UTC),
        via="cli",
        action=action,
        allowed=True,
        person=by,
        contract=contract if contract != EVERY else None,
        complaint=subject if reference else None,
        reason=reason,
    )


async def _may_read(db: AsyncConnection, page: Page, subject: str, person: str) -> None:
    """As the page itself asks when the link is opened."""
    directory = await stored(db)
    if directory is None or person not in directory.people:
        raise NotFound(f"{person} is not in the directory; `ombud directory show` lists who is.")
    if page == "case":
        found = await record(db, subject)
        if found is None:
            raise NotFound(f"Postgres has no complaint {subject}; write it as contract/reference.")
        if person in (found.case["against"] or "").split():
            raise Refused(f"{subject} is against {person}, who may not read it (rule 37).")
        of = {found.case["contract"]: (await contracts.load(db, found.case["version"])).parsed()}
    else:
        of = await _contracts(db, page, subject)
    now, party = datetime.now(UTC), PARTY.get(page, "")
    for name, contract in of.items():
        if offices(directory, name, [role for role in contract.roles if role.startswith(party)], person, now):
            return
    kind = f"office of the {party[:-1]}" if party else "office"
    raise Refused(f"{person} holds no {kind} in {', '.join(of)}, so the page would stay closed.")


async def _contracts(db: AsyncConnection, page: Page, subject: str) -> dict[str, Contract]:
    in_force = await contracts.latest(db, datetime.now(UTC))
    if page == "desk" and subject == EVERY:
        return in_force
    if subject not in in_force:
        there = ", ".join(in_force) or "none"
        raise NotFound(f"No contract {subject} is in force; in force are {there}.")
    return {subject: in_force[subject]}
