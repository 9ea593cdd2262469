"""Who reads a page: the person that its link was sent to, with the offices that person holds now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from rules.contract import Contract, Language
from rules.directory import EVERY
from rules.duty import offices
from starter.pages.ground import Ground, PageError
from storage import contracts
from storage.directory import stored

NO_OFFICE = "without an office that may read it"


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody with a good link and an office of a contract."""

    id: str
    name: str
    language: Language
    zone: str
    held: Mapping[str, tuple[str, ...]]
    """By contract the roles held now, or filled for an absent holder."""
    offices: str
    """Their titles, for the head of the page."""
    expires_at: datetime | None
    """When the link does; nothing for who reads without one."""


async def reader_of(
    ground: Ground, db: AsyncConnection, of: Mapping[str, Contract], id_: str, expires_at: datetime, party: str = ""
) -> Reader:
    """Who may read something of these contracts: an office of one, of this party if any is named, must be theirs now.
    Raises PageError."""
    person = await ground.person(db, id_)
    directory = await stored(db)
    now = datetime.now(UTC)
    held = {
        name: offices(directory, name, (r for r in contract.roles if r.startswith(party)), id_, now)
        for name, contract in of.items()
        if directory
    }
    if not any(held.values()):
        raise PageError("not_yours", 403, NO_OFFICE)
    titles = (
        of[name].words(of[name].roles[role].title, person.language) for name, roles in held.items() for role in roles
    )
    return Reader(
        id=id_,
        name=person.name,
        language=person.language,
        zone=person.zone,
        held=held,
        offices=", ".join(dict.fromkeys(titles)),
        expires_at=expires_at.replace(second=0),
    )


async def readable(
    ground: Ground, db: AsyncConnection, subject: str, id_: str, expires_at: datetime, party: str = ""
) -> tuple[Reader, dict[str, Contract]]:
    """A reader of one contract, or with `*` of all, and those in which they hold an office, as they are in force.
    Raises PageError."""
    in_force = await contracts.latest(db, datetime.now(UTC))
    wanted = in_force if subject == EVERY else {name: one for name, one in in_force.items() if name == subject}
    reader = await reader_of(ground, db, wanted, id_, expires_at, party)
    return reader, {name: contract for name, contract in wanted.items() if reader.held[name]}
