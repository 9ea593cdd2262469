"""The directory: who stands behind a role now. Live, not pinned (invariant 8): asked when a message is sent.

The file names people and, for each contract, who holds its roles; roles under `"*"` hold in every contract that has no
line of its own for them. Of several holders the first is told, unless the complaint is about that person (rule 37).
"""

from __future__ import annotations

from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from sqlalchemy import ColumnElement, Text, delete, func, insert, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.ledger import explain_invalid
from rules.values import Name, Value
from storage.tables import holders, people

EVERY = "*"
"""Stands for every contract that has no line of its own for a role."""

_Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")
]


class Reached(Value):
    """How a person is reached."""

    name: _Line
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s<>,;\x00-\x1f]+@[^@\s<>,;\x00-\x1f]+$", max_length=254)]
    language: Literal["en", "zh-CN"]
    zone: str
    """IANA time zone in which this person reads times."""

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, OSError, ValueError):
            raise ValueError(f"unknown time zone {zone!r}; use an IANA name such as Asia/Shanghai") from None
        return zone


class Person(Reached):
    """Somebody who can be told."""

    id: Name


class Directory(Value):
    """The whole directory, as its file has it."""

    people: dict[Name, Reached] = Field(min_length=1)
    roles: dict[Name | Literal["*"], dict[Name, Annotated[tuple[Name, ...], Field(min_length=1)]]]
    """Contract, or `*`, to role to its holders, the first to be told first."""

    @model_validator(mode="after")
    def _everybody_is_known(self) -> Directory:
        for contract, roles in self.roles.items():
            for role, persons in roles.items():
                if unknown := [person for person in persons if person not in self.people]:
                    raise ValueError(f"{contract}: {role} names {', '.join(unknown)}, who is not among the people")
                if len(set(persons)) < len(persons):
                    raise ValueError(f"{contract}: {role} names somebody twice")
        return self


class DirectoryError(Exception):
    """The directory file cannot be used; the message says where and why."""


def read_directory(text: str, name: str) -> Directory:
    """The directory in a YAML file called `name`. Raises DirectoryError."""
    try:
        return Directory.model_validate(YAML(typ="safe").load(text))
    except ValidationError as error:
        raise DirectoryError(explain_invalid(name, error)) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise DirectoryError(f"{name} is no YAML: {' '.join(str(error).split())}") from None


async def replace(connection: AsyncConnection, directory: Directory) -> None:
    """Put this directory in the place of whatever there is. Notices that wait go to whom it names."""
    await connection.execute(delete(holders))
    await connection.execute(delete(people))
    await connection.execute(insert(people), [{"id": id_, **p.model_dump()} for id_, p in directory.people.items()])
    rows = [
        {"contract": contract, "role": role, "person": person, "position": position}
        for contract, roles in directory.roles.items()
        for role, persons in roles.items()
        for position, person in enumerate(persons, 1)
    ]
    if rows:
        await connection.execute(insert(holders), rows)


async def stored(connection: AsyncConnection) -> Directory | None:
    """The directory in Postgres, or nothing when none was imported."""
    known = {row.id: row._asdict() for row in await connection.execute(select(people).order_by(people.c.id))}
    if not known:
        return None
    roles: dict[str, dict[str, tuple[str, ...]]] = {}
    for row in await connection.execute(
        select(holders).order_by(holders.c.contract, holders.c.role, holders.c.position)
    ):
        held = roles.setdefault(row.contract, {})
        held[row.role] = (*held.get(row.role, ()), row.person)
    reached = {id_: {name: row[name] for name in Reached.model_fields} for id_, row in known.items()}
    return Directory.model_validate({"people": reached, "roles": roles})


async def holder_of(connection: AsyncConnection, contract: str, role: str, against: str | None = None) -> Person | None:
    """Who stands behind a role of a contract now, passing over the person a complaint is `against`."""
    person = holder(literal(contract), literal(role), literal(against, Text))
    row = (await connection.execute(select(people).where(people.c.id == person))).one_or_none()
    return Person.model_validate(row._asdict()) if row else None


def holder(
    contract: ColumnElement[str], role: ColumnElement[str], against: ColumnElement[str | None]
) -> ColumnElement[str | None]:
    """SQL for the id of the person behind a role, for use in any query; NULL when nobody stands there."""
    own = holders.alias("own")
    its_own = select(own.c.person).where(own.c.contract == contract, own.c.role == role).correlate_except(own).exists()
    held = holders.alias("held")
    return (
        select(held.c.person)
        .where(
            held.c.role == role,
            or_(held.c.contract == contract, (held.c.contract == EVERY) & ~its_own),
            func.coalesce(held.c.person != against, True),
        )
        .order_by(held.c.position)
        .limit(1)
        .correlate_except(held)
        .scalar_subquery()
    )
