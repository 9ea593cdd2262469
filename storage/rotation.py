"""Changing the master key while workers run: every stream's key is sealed under the current one too, batch by batch.

Nothing is taken away by that, so whoever still runs on the settings from before goes on reading. Only `drop` takes the
seals of earlier keys away, once every process has the current one.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, bindparam, cast, func, select, update
from sqlalchemy.dialects.postgresql import JSONPATH
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.keys import Keyring, MasterKeyError
from storage.tables import content_keys

BATCH = 500
"""Streams in one transaction; whoever seals a text of one of them waits that long."""


@dataclass(frozen=True, slots=True)
class Use:
    """What hangs on one master key."""

    key_id: str
    streams: int
    """Streams whose key is sealed under it."""
    alone: int
    """Of them those whose key is sealed under no other key of the ring: without this one nobody reads them."""


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """One batch done."""

    last: str
    """The stream to go on behind; empty when there is none left."""
    done: int
    lost: tuple[str, ...]
    """Streams whose key no master key of the ring opens."""


async def uses(connection: AsyncConnection, ring: Keyring) -> list[Use]:
    """Every master key that seals anything, or is in the ring; in the ring's order, unknown ones behind."""
    under = func.jsonb_path_query_array(content_keys.c.wraps, cast("$.keyvalue().key", JSONPATH)).label("under")
    groups = (await connection.execute(select(under, func.count()).where(_ALIVE).group_by(under))).all()
    streams: dict[str, int] = dict.fromkeys(ring.ids, 0)
    alone: dict[str, int] = {}
    for ids, count in groups:
        for id_ in ids:
            streams[id_] = streams.get(id_, 0) + count
            if not (set(ids) & set(ring.ids)) - {id_}:
                alone[id_] = alone.get(id_, 0) + count
    return [Use(id_, count, alone.get(id_, 0)) for id_, count in streams.items()]


async def remaining(connection: AsyncConnection, ring: Keyring) -> int:
    """How many streams' keys are not sealed under the current master key yet."""
    query = select(func.count()).select_from(content_keys).where(_ALIVE, ~_has(ring.current.id))
    return (await connection.scalar(query)) or 0


async def rewrap(connection: AsyncConnection, ring: Keyring, behind: str = "") -> Rewrapped:
    """Seal the next batch of keys under the current master key. Done twice it changes nothing the second time."""
    waiting = (
        select(content_keys.c.stream, content_keys.c.wraps)
        .where(content_keys.c.stream > behind, _ALIVE, ~_has(ring.current.id))
        .order_by(content_keys.c.stream)
        .limit(BATCH)
        .with_for_update()
    )
    rows = (await connection.execute(waiting)).all()
    sealed, lost = [], []
    for stream, wraps in rows:
        try:
            sealed.append({"at": stream, "more": ring.rewrap(wraps, stream)})
        except MasterKeyError:
            lost.append(stream)
    if sealed:
        more = content_keys.c.wraps.op("||")(bindparam("more", type_=content_keys.c.wraps.type))
        await connection.execute(
            update(content_keys).where(content_keys.c.stream == bindparam("at")).values(wraps=more), sealed
        )
    return Rewrapped(rows[-1].stream if len(rows) == BATCH else "", len(sealed), tuple(lost))


async def drop(connection: AsyncConnection, ring: Keyring) -> int:
    """Take away every other seal of the keys that are sealed under the current master key; of how many."""
    current = func.jsonb_build_object(ring.current.id, content_keys.c.wraps[ring.current.id])
    several = content_keys.c.wraps != current
    done = await connection.execute(
        update(content_keys).where(_ALIVE, _has(ring.current.id), several).values(wraps=current)
    )
    return done.rowcount


_ALIVE = content_keys.c.wraps.is_not(None)


def _has(key_id: str) -> ColumnElement[bool]:
    return content_keys.c.wraps.op("?", is_comparison=True)(key_id)
