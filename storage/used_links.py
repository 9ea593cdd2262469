"""Which links have acted already. A form of a page is taken once; the token itself is never stored."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import used_links

WHOLE = ""
"""What a link with a single form uses up."""


async def use(connection: AsyncConnection, token: str, what: Collection[str], at: datetime) -> set[str]:
    """Use up these forms of a link; those of them that nobody had used before.

    Until the caller's transaction ends, whoever sends the same form at the same time waits here; when it is rolled
    back, the form is as good as new.
    """
    if not what:
        return set()
    rows = [{"token": _hash(token), "what": one, "used_at": at} for one in sorted(set(what))]
    made = insert(used_links).values(rows).on_conflict_do_nothing().returning(used_links.c.what)
    return set((await connection.scalars(made)).all())


async def release(connection: AsyncConnection, token: str, what: Collection[str]) -> None:
    """These forms did not act after all and can be sent again."""
    its = used_links.c.token == _hash(token)
    await connection.execute(delete(used_links).where(its, used_links.c.what.in_(what)))


async def used(connection: AsyncConnection, token: str) -> dict[str, datetime]:
    """What of a link is used up, and since when."""
    query = select(used_links.c.what, used_links.c.used_at).where(used_links.c.token == _hash(token))
    return {row.what: row.used_at for row in await connection.execute(query)}


def _hash(token: str) -> str:
    """Over what is signed: the last letter of a signature can be written in several ways that all prove the same."""
    return hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest()
