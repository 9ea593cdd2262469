"""Who reads the principal's pages: a person with an office of the principal in this contract now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from rules.contract import Contract
from rules.sight import PRINCIPAL
from rules.values import Actor
from starter.pages.accesses import record
from starter.pages.ground import Ground, PageError
from starter.pages.reader import NO_OFFICE, Reader, readable
from storage import directory
from storage.content import ErasedError, MasterKeyError
from storage.ledger import stream_of
from templates.lines import title_of

Said = Mapping[str, Mapping[int, Mapping[str, str]]]
"""The words of complaints, by complaint, entry and field."""


_TIMES = {"due", "due_at", "happened_at", "undone_at", "taken_back_at", "answered_at"}


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact about an item of a list: a time, a length of time, or words."""

    name: str
    text: str = ""
    at: datetime | None = None
    length: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """A reader, the offices of the principal they hold, and the contract in the version in force now."""

    reader: Reader
    contract: Contract
    expires_at: datetime
    people: Mapping[str, str]
    """Names of the directory, by id."""

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.contract.calendar.zone)

    @property
    def roles(self) -> tuple[str, ...]:
        """The offices of the principal they hold now, or fill for an absent holder."""
        return self.reader.held[self.contract.contract]

    def acting(self, role: str | None = None) -> Actor:
        """As whom they speak: in this office if they hold it, else in their first."""
        return Actor(role=role if role in self.roles and role else self.roles[0], person=self.reader.id)

    def title(self, role: str) -> str:
        """A role in the contract's words."""
        return title_of(self.contract, role, self.reader.language)

    def promise(self, clock: str) -> str:
        """What a clock is called, by its id."""
        promise = self.contract.obligations.get(clock.partition("#")[0])
        return self.contract.words(promise.title, self.reader.language) if promise else clock

    def name(self, person: str | None) -> str:
        """A person by name, a role by title."""
        if not person:
            return ""
        return self.people.get(person) or self.title(person)

    def about(self, category: str | None, level: str | None) -> str:
        """What a case is about and how grave it is, in words."""
        titled = (self.contract.categories.get(category or ""), self.contract.levels.get(level or ""))
        return " · ".join(self.contract.words(one.title, self.reader.language) for one in titled if one)

    def facts(self, detail: Mapping[str, Any]) -> list[Fact]:
        """What a list says of one of its items, as values that a template puts into words."""
        return [self._fact(name, value) for name, value in detail.items() if value not in (None, "", [], {})]

    def _fact(self, name: str, value: Any) -> Fact:
        if name in _TIMES and isinstance(value, str):
            return Fact(name, at=datetime.fromisoformat(value))
        if name == "lag_seconds" and isinstance(value, int):
            return Fact(name, length=timedelta(seconds=value))
        if name in ("lowered_from", "level") and value in self.contract.levels:
            return Fact(name, text=self.contract.words(self.contract.levels[value].title, self.reader.language))
        if name in ("approved_by", "answered_by"):
            person = value.get("person") or value.get("role") if isinstance(value, dict) else value
            return Fact(name, text=self.name(person))
        return Fact(name, text=self.title(value) if name == "of" else str(value))

    async def words(self, ground: Ground, db: AsyncConnection, complaints: Iterable[str], address: str | None) -> Said:
        """The words of these complaints, each access on record (rule 111); what was erased is left out."""
        found: dict[str, Mapping[int, Mapping[str, str]]] = {}
        for complaint in dict.fromkeys(complaints):
            try:
                found[complaint] = await ground.vault.read(db, stream_of(complaint))
                await record(db, "principal", complaint, self.reader.id, address)
            except (ErasedError, MasterKeyError):
                found[complaint] = {}
        return found


async def principal_of(ground: Ground, db: AsyncConnection, token: str) -> Principal:
    """Whom a token lets in. Raises PageError for anybody without an office of the principal in its contract now."""
    (name, person), expires_at = ground.opened_until("principal", token)
    reader, found = await readable(ground, db, name, person, expires_at, f"{PRINCIPAL}.")
    if name not in found:
        raise PageError("not_yours", 403, NO_OFFICE)
    known = await directory.stored(db)
    people = {id_: member.name for id_, member in known.people.items()} if known else {}
    return Principal(reader, found[name], expires_at, people)
