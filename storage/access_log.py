"""Who had access to what, and whoever was refused: append-only, as the ledger is (rule 111)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import access_log


@dataclass(frozen=True, slots=True)
class Access:
    """One access to a complaint's content, one attempt that was refused, or one change to a token."""

    at: datetime
    via: Literal["http", "cli"]
    action: str
    allowed: bool
    token: str | None = None
    """Its id; nothing where none was known."""
    person: str | None = None
    """Whose token it is; on the command line the user of the machine."""
    address: str | None = None
    contract: str | None = None
    complaint: str | None = None
    """`contract/reference`."""
    reason: str | None = None
    """Why it was refused, or what exactly was done."""


async def record(connection: AsyncConnection, access: Access) -> None:
    await connection.execute(insert(access_log).values(asdict(access)))


async def listed(
    connection: AsyncConnection,
    *,
    token: str | None = None,
    contract: str | None = None,
    complaint: str | None = None,
    refused: bool = False,
    since: datetime | None = None,
    before: int | None = None,
    limit: int | None = None,
) -> list[tuple[int, Access]]:
    """What is on record, the latest first, each with its number; `before` goes on behind a number."""
    columns = [access_log.c[name] for name in Access.__slots__]
    query = select(access_log.c.id, *columns).order_by(access_log.c.id.desc())
    for column, value in (("token", token), ("contract", contract), ("complaint", complaint)):
        if value is not None:
            query = query.where(access_log.c[column] == value)
    if refused:
        query = query.where(~access_log.c.allowed)
    if since is not None:
        query = query.where(access_log.c.at >= since)
    if before is not None:
        query = query.where(access_log.c.id < before)
    if limit is not None:
        query = query.limit(limit)
    return [(number, Access(*rest)) for number, *rest in await connection.execute(query)]
