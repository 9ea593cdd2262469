"""What the database itself refuses, whoever asks."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from storage import ledger, registry
from storage.content import Vault
from storage.database import transaction
from tests.support.recorded import claim, on_record, published
from tests.support.story import Story

CHANGES = [
    f"{change.format(table)}"
    for table, column in {
        "ledger": "type = 'x'",
        "contract_versions": "published_by = 'x'",
        "content": "field = 'x'",
        "registry": "digest = 'x'",
    }.items()
    for change in ("UPDATE {0} SET " + column, "DELETE FROM {0}", "TRUNCATE {0} CASCADE")
]


@pytest.mark.parametrize("statement", CHANGES)
async def test_the_sources_cannot_be_changed(engine: AsyncEngine, vault: Vault, statement: str) -> None:
    """Ledger, contract versions, content and registry refuse UPDATE, DELETE and TRUNCATE in the database itself."""
    await on_record(engine, vault, Story().open("2026-03-02 10:00"))
    with pytest.raises(DBAPIError, match=r"append-only|its ledger has begun"):
        async with engine.begin() as connection:
            await connection.execute(text(statement))
    async with transaction(engine) as connection:
        assert await ledger.read(connection, "complaint/small/R-1") != []


async def test_a_ledger_has_no_gap(engine: AsyncEngine) -> None:
    """An entry whose predecessor is missing is refused, with a message that says what is lost."""
    entries = Story().open("2026-03-02 10:00", level="2").entries
    async with transaction(engine) as connection:
        await ledger.append(connection, {"complaint/small/R-1": entries[:1]})
    with pytest.raises(ledger.LedgerGapError, match=r"complaint/small/R-1 has no entry 2.*backup"):
        async with transaction(engine) as connection:
            await ledger.append(connection, {"complaint/small/R-1": entries[2:]})


async def test_a_registration_without_a_ledger_can_go(engine: AsyncEngine) -> None:
    """A registration goes only as long as its ledger has not begun."""
    async with transaction(engine) as connection:
        await published(connection)
        await registry.register(connection, [claim()])
        assert (await connection.execute(text("DELETE FROM registry"))).rowcount == 1
