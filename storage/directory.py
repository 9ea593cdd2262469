"""The directory in Postgres: replaced as a whole, read as a whole, and resolved to a person when a message is sent."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from functools import cache

from sqlalchemy import delete, func, insert, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection

from rules import duty
from rules.directory import Directory, Member, Reached
from rules.values import Name
from storage.tables import directory_version, holders, people

_LOCK = 0x70656F706C65  # "people": imports wait for each other

Resolve = Callable[[str, str, str | None], "str | duty.Nobody"]
"""From contract, role and the person complained about to whoever is told now, or why nobody is."""


class Person(Reached):
    """Somebody who can be told."""

    id: Name


async def replace(connection: AsyncConnection, directory: Directory) -> None:
    """Put this directory in the place of whatever there is. Notices that wait go to whom it names."""
    await connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    for table in (holders, people, directory_version):
        await connection.execute(delete(table))
    members = [{"id": id_, **member.model_dump(mode="json", by_alias=True)} for id_, member in directory.people.items()]
    await connection.execute(insert(people), members)
    rows = [
        {"contract": contract, "role": role, "person": person, "position": position}
        for contract, roles in directory.roles.items()
        for role, persons in roles.items()
        for position, person in enumerate(persons, 1)
    ]
    if rows:
        await connection.execute(insert(holders), rows)
    await connection.execute(insert(directory_version).values(version=uuid.uuid4()))


async def person(connection: AsyncConnection, id_: str) -> Person | None:
    """Who this is now; nothing for somebody who left the directory."""
    columns = [people.c[name] for name in Person.model_fields]
    row = (await connection.execute(select(*columns).where(people.c.id == id_))).one_or_none()
    return Person.model_validate(row._asdict()) if row else None


class _Latest:
    """The directory read last: it is small, asked for at every message, and changes by whole versions."""

    version: uuid.UUID | None = None
    directory: Directory | None = None


async def stored(connection: AsyncConnection) -> Directory | None:
    """The directory in Postgres, or nothing when none was imported. One small query while it stays the same."""
    version: uuid.UUID | None = await connection.scalar(select(directory_version.c.version))
    if version is None:
        return None
    if version != _Latest.version:
        version, directory = await _read(connection)
        _Latest.version, _Latest.directory = version, directory
    return _Latest.directory


async def _read(connection: AsyncConnection) -> tuple[uuid.UUID, Directory]:
    """Version, people and roles in one statement, so that they belong together whoever imports meanwhile."""
    fields = [part for name in Member.model_fields for part in (literal(name), people.c[name])]
    members = select(func.jsonb_object_agg(people.c.id, func.jsonb_build_object(*fields)))
    line = func.jsonb_build_array(holders.c.contract, holders.c.role, holders.c.person)
    order = holders.c.contract, holders.c.role, holders.c.position
    held = select(func.jsonb_agg(aggregate_order_by(line, *order)))
    query = select(directory_version.c.version, members.scalar_subquery(), held.scalar_subquery())
    version, known, lines = (await connection.execute(query)).one()
    roles: dict[str, dict[str, tuple[str, ...]]] = {}
    for contract, role, person in lines or ():
        of_contract = roles.setdefault(contract, {})
        of_contract[role] = (*of_contract.get(role, ()), person)
    return version, Directory.model_validate({"people": dict(sorted(known.items())), "roles": roles})


async def resolver(connection: AsyncConnection, at: datetime) -> Resolve:
    """Who is told what a role is told at this instant; each question is answered once, however many notices ask."""
    directory = await stored(connection)

    @cache
    def resolve(contract: str, role: str, against: str | None) -> str | duty.Nobody:
        return duty.holder(directory, contract, role, at, against)

    return resolve
