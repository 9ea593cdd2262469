"""Making, renewing and ending tokens, for the command line and the API alike. Each step is on record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field, StringConstraints, ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.access import ComplaintId, Grant, Party, Scope
from rules.ledger import explain_invalid, plain
from rules.values import Name, Value
from starter.errors import Invalid, NotFound
from storage import access_log, tokens
from storage.access_log import Access
from storage.tables import contract_versions, people

LONGEST = 366
"""Days that a token may live."""

MOST_GRACE = 7 * 24
"""Hours that a replaced secret may stay good."""

Days = Annotated[int, Field(ge=1, le=LONGEST)]
Hours = Annotated[int, Field(ge=0, le=MOST_GRACE)]


class TokenWanted(Value):
    """A token to be made."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    """What it is for, such as the system or the person that holds it."""
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]
    roles: Annotated[tuple[Name, ...], Field(min_length=1)]
    """Roles, or a party for all of its roles; all of one party."""
    reports_for: tuple[Party, ...] = ()
    """Other parties whose words it may pass on."""
    contracts: tuple[Name, ...] | None = None
    """All, when left out."""
    complaints: tuple[ComplaintId, ...] | None = None
    """Only these, when given."""
    person: Name | None = None
    days: Days = 90
    """How long it lives."""


@dataclass(frozen=True, slots=True)
class By:
    """Who makes or ends a token: what the record says of it, and a check that may raise Denied."""

    name: str
    access: Callable[[str, str], Access]
    """The record of an action on a token: its name, and what exactly was done."""
    may: Callable[[Grant], None]


@dataclass(frozen=True, slots=True)
class Made:
    """A token whose secret is shown this once."""

    id: str
    token: str = ""
    expires_at: datetime | None = None


async def create(connection: AsyncConnection, wanted: TokenWanted, by: By) -> Made:
    """Raises Invalid, Denied."""
    fields = {name: getattr(wanted, name) for name in Grant.model_fields if name != "token"}
    try:
        grant = Grant(token=tokens.new_id(), **fields)
    except ValidationError as error:
        raise Invalid(explain_invalid("The token", error)) from None
    by.may(grant)
    await _exist(connection, grant)
    now = datetime.now(UTC)
    expires_at = now + timedelta(days=wanted.days)
    secret = await tokens.create(connection, grant, name=wanted.name, expires_at=expires_at, by=by.name, now=now)
    said = f"{grant.token}: {', '.join(grant.scopes)} as {', '.join(grant.roles)}"
    await access_log.record(connection, by.access("token:create", said))
    return Made(grant.token, tokens.written(grant.token, secret), expires_at)


async def rotate(connection: AsyncConnection, id_: str, grace: int, by: By) -> Made:
    """A new secret; the old one stays good for `grace` hours. Raises NotFound, Denied."""
    stored = await _found(connection, id_, by)
    now = datetime.now(UTC)
    secret = await tokens.rotate(connection, id_, until=now + timedelta(hours=grace), now=now)
    if secret is None:
        raise NotFound(f"The token {id_} is {stored.standing(now)}; make a new one.")
    await access_log.record(connection, by.access("token:rotate", f"{id_}: the old one good for {grace} hours"))
    return Made(id_, tokens.written(id_, secret), stored.expires_at)


async def revoke(connection: AsyncConnection, id_: str, by: By) -> bool:
    """End a token at once; false when it was revoked before. Raises NotFound, Denied."""
    await _found(connection, id_, by)
    done = await tokens.revoke(connection, id_, now=datetime.now(UTC))
    if done:
        await access_log.record(connection, by.access("token:revoke", id_))
    return done


async def _found(connection: AsyncConnection, id_: str, by: By) -> tokens.Stored:
    stored = await tokens.find(connection, id_)
    if stored is None:
        raise NotFound(f"There is no token {plain(id_[:20])}; `ombud token list` shows them.")
    by.may(stored.grant)
    return stored


async def _exist(connection: AsyncConnection, grant: Grant) -> None:
    """A slip in a name would make a token that opens nothing, or a person whom nobody knows. Raises Invalid."""
    known = set((await connection.scalars(select(contract_versions.c.contract).distinct())).all())
    if unknown := sorted(set(grant.contracts or ()) - known):
        there = ", ".join(sorted(known)) or "none"
        raise Invalid(f"Unknown contract {unknown[0]}; published are {there}.")
    if grant.person is None or grant.party == "complainant":
        return
    if await connection.scalar(select(people.c.id).where(people.c.id == grant.person)) is None:
        raise Invalid(f"{grant.person} is not in the directory; import the directory first, or leave the person out.")
