"""The record of who had access: what is on it stays."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from storage import access_log
from storage.access_log import Access
from storage.database import transaction

REFUSED = Access(datetime(2026, 3, 2, tzinfo=UTC), "http", "read:state", False, "t1", complaint="a/b", reason="no")


async def test_it_takes_no_change(engine: AsyncEngine) -> None:
    """The database itself refuses to change, remove or empty it."""
    async with transaction(engine) as connection:
        await access_log.record(connection, REFUSED)
    for statement in ("UPDATE access_log SET allowed = true", "DELETE FROM access_log", "TRUNCATE access_log"):
        with pytest.raises(DBAPIError, match="append-only"):
            async with engine.begin() as connection:
                await connection.execute(text(statement))
    async with transaction(engine) as connection:
        assert [seen for _, seen in await access_log.listed(connection)] == [REFUSED]


async def test_it_is_read_filtered_and_in_parts(engine: AsyncEngine) -> None:
    """By token, contract, complaint, refusal and time; the latest first, each part behind the one before."""
    allowed = Access(datetime(2026, 3, 3, tzinfo=UTC), "http", "list", True, "t2", contract="a")
    async with transaction(engine) as connection:
        for access in (REFUSED, allowed, REFUSED):
            await access_log.record(connection, access)
        (last,) = await access_log.listed(connection, limit=1)
        assert last[1] == REFUSED
        rest = await access_log.listed(connection, before=last[0])
        assert [seen for _, seen in rest] == [allowed, REFUSED]
        assert [seen for _, seen in await access_log.listed(connection, token="t2")] == [allowed]
        assert [seen for _, seen in await access_log.listed(connection, contract="a")] == [allowed]
        assert len(await access_log.listed(connection, complaint="a/b")) == 2
        assert len(await access_log.listed(connection, refused=True)) == 2
        assert [seen for _, seen in await access_log.listed(connection, since=allowed.at)] == [allowed]
