"""Who reads a page: the person that its link was sent to, with the offices that person holds now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from rules.contract import Contract, Language
from rules.directory import Directory
from rules.duty import offices
from starter.pages.ground import Ground, PageError
from storage.directory import Person, stored


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody with a good link and an office of the contract."""

    id: str
    name: str
    language: Language
    zone: str
    roles: tuple[str, ...]
    """Of the contract, held now or for an absent holder."""
    offices: str
    """Their titles, for the head of the page."""
    expires_at: datetime | None
    """When the link does; nothing for who reads without one."""


async def directory_and_person(ground: Ground, db: AsyncConnection, id_: str) -> tuple[Directory, Person]:
    """The directory as it is now, and somebody in it. Raises PageError."""
    person = await ground.person(db, id_)
    directory = await stored(db)
    if directory is None:
        raise PageError("gone", 410)
    return directory, person


async def reader_of(ground: Ground, db: AsyncConnection, contract: Contract, id_: str, expires_at: datetime) -> Reader:
    """Who may read something of this contract: its offices must be theirs now. Raises PageError."""
    directory, person = await directory_and_person(ground, db, id_)
    roles = offices(directory, contract.contract, contract.roles, id_, datetime.now(UTC))
    if not roles:
        raise PageError("not_yours", 403)
    titles = (contract.words(contract.roles[role].title, person.language) for role in roles)
    return Reader(
        id=id_,
        name=person.name,
        language=person.language,
        zone=person.zone,
        roles=roles,
        offices=", ".join(dict.fromkeys(titles)),
        expires_at=expires_at.replace(second=0),
    )
