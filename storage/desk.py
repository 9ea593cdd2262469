"""The lists of whoever leads: what is due, what is overdue, which notices nobody answered. The view `desk`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, get_args

from sqlalchemy import Select, any_, column, func, literal, select, table, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

List = Literal["overdue", "today", "24 hours", "standing still", "unacknowledged", "undeliverable"]
"""`24 hours` is what is due within them and not today; a day is one of the contract's zone."""
LISTS: tuple[List, ...] = get_args(List)


@dataclass(frozen=True, slots=True)
class Listed:
    """One clock or one notice that somebody must see to. Times are in UTC."""

    complaint: str
    contract: str
    reference: str
    version: str
    kind: str
    category: str | None
    level: str | None
    stage: str
    owner: str | None
    route: str
    zone: str
    """Of its contract."""
    id: str
    at: datetime
    """The due time; of a notice, when its server took it or when it proved undeliverable."""
    obligation: str | None
    clause: str | None
    status: str | None
    due_at: datetime | None
    provisional: bool | None
    rung: str | None
    command: str | None
    role: str | None
    person: str | None
    reason: str | None


_DESK = table("desk", *(column(name) for name in ("list", "responsible", "against", *Listed.__slots__)))


class Cursor(NamedTuple):
    """Where a list goes on: behind this line."""

    at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose lists: of these contracts, for somebody who sees nothing of cases against themselves (rule 37)."""

    contracts: tuple[str, ...]
    person: str
    category: str | None = None
    level: str | None = None
    responsible: str | None = None
    """The owner, or of cases without one the role that handles them."""


async def counts(connection: AsyncConnection, wanted: Wanted) -> dict[List, int]:
    """How much stands on each list, all of it."""
    query = _within(select(_DESK.c.list, func.count()), wanted).group_by(_DESK.c.list)
    found = {row[0]: row[1] for row in await connection.execute(query)}
    return {name: found.get(name, 0) for name in LISTS}


async def listed(
    connection: AsyncConnection, wanted: Wanted, list_: List, limit: int, after: Cursor | None = None
) -> list[Listed]:
    """A list from its beginning or from behind a line, what is due first or was told first on top."""
    query = _within(select(*(_DESK.c[name] for name in Listed.__slots__)), wanted).where(_DESK.c.list == list_)
    if after is not None:
        query = query.where(tuple_(_DESK.c.at, _DESK.c.id) > tuple_(*after))
    query = query.order_by(_DESK.c.at, _DESK.c.id).limit(limit)
    return [Listed(**row) for row in (await connection.execute(query)).mappings()]


async def responsible(connection: AsyncConnection, wanted: Wanted) -> Sequence[str]:
    """Everybody who has something on these lists: people, and roles of cases that nobody owns."""
    query = _within(select(_DESK.c.responsible).distinct(), wanted).order_by(_DESK.c.responsible)
    return (await connection.scalars(query)).all()


def _within(query: Select[Any], wanted: Wanted) -> Select[Any]:
    barred = func.string_to_array(func.coalesce(_DESK.c.against, ""), " ")
    query = query.where(_DESK.c.contract.in_(wanted.contracts), ~(literal(wanted.person) == any_(barred)))
    for name in ("category", "level", "responsible"):
        if (value := getattr(wanted, name)) is not None:
            query = query.where(_DESK.c[name] == value)
    return query
