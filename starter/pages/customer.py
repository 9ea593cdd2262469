"""The customer of one complaint, as a link of theirs finds it: the case folded from its ledger, and who speaks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.calendar import calendar_for
from rules.complaint import Complaint
from rules.contract import Language
from rules.fold import fold
from rules.law import InForce, in_force
from rules.ledger import Entry
from rules.values import Actor
from starter.pages.ground import Ground, PageError
from storage import reading
from storage.tables import complaints
from templates.links import ANYBODY, Purpose


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody with a good link to their own complaint."""

    complaint: str
    """`contract/reference`."""
    person: str
    language: Language
    zone: ZoneInfo
    """The contract's: customers are in no directory."""
    expires_at: datetime
    case: Complaint
    law: InForce
    entries: tuple[Entry, ...]

    @property
    def reference(self) -> str:
        return self.complaint.partition("/")[2]

    @property
    def by(self) -> Actor:
        """As whom the customer speaks."""
        return Actor(role="complainant", person=None if self.person == ANYBODY else self.person)

    def since_rejection(self) -> list[Entry]:
        """What happened since the customer last rejected a result."""
        since = self.case.rejections[-1] if self.case.rejections else 0
        return [entry for entry in self.entries if entry.seq > since]


async def customer_of(ground: Ground, db: AsyncConnection, purpose: Purpose, token: str) -> Customer:
    """Whom a token of this purpose lets in. Raises PageError, also when the complaint is another person's by now."""
    (complaint, person), expires_at = ground.opened_until(purpose, token)
    query = select(complaints.c.version, complaints.c.complainant).where(complaints.c.id == complaint)
    row = (await db.execute(query)).one_or_none()
    if row is None or person not in (ANYBODY, row.complainant):
        raise PageError("bad", 404, "no case on record" if row is None else "the case is another customer's")
    contract = await ground.contract(db, row.version)
    if contract is None:
        raise PageError("unreadable", 500)
    entries = await reading.entries(db, complaint)
    try:
        case = fold(entries)
    except (LookupError, ValueError, TypeError):
        raise PageError("unreadable", 500) from None
    known: dict[str | None, Language] = {"en": "en", "zh-CN": "zh-CN"}
    return Customer(
        complaint=complaint,
        person=person,
        language=known.get(case.language, contract.language),
        zone=ZoneInfo(contract.calendar.zone),
        expires_at=expires_at.replace(second=0, microsecond=0),
        case=case,
        law=in_force(InForce(contract, calendar_for(contract.calendar)), case),
        entries=tuple(entries),
    )
