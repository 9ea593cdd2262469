"""Published contracts never change."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from rules.contract_file import read
from storage import contracts
from storage.database import transaction
from tests.support.recorded import EARLY, at_noon, published
from tests.support.story import law

SHIPPED = sorted(path for path in Path("contracts").glob("*.yaml") if path.stem != "directory")


async def test_publishing_again_changes_nothing(engine: AsyncEngine) -> None:
    """The same contract for the same moment is one version, however often and by whomever it is published."""
    async with transaction(engine) as connection:
        first = await published(connection)
        again = await contracts.publish(connection, law().contract, EARLY, "somebody else", at_noon(3))
        assert again == first
        assert await contracts.published(connection) == [first]


async def test_a_moment_has_one_version(engine: AsyncEngine) -> None:
    """Another contract for a moment that has one is refused, and says what to do."""
    async with transaction(engine) as connection:
        await published(connection)
        with pytest.raises(contracts.AlreadyInForceError, match="later --effective"):
            await published(connection, law(owner="handler.manager").contract)


async def test_an_old_text_can_take_force_again(engine: AsyncEngine) -> None:
    """Going back to an earlier text is a version of its own."""
    async with transaction(engine) as connection:
        first = await published(connection)
        back = await contracts.publish(connection, law().contract, at_noon(1), "test", at_noon(1))
        assert back.version != first.version
        assert back.body == first.body
        assert await contracts.in_force(connection, "small", at_noon(2)) == back
        assert await contracts.load(connection, first.version) == first


async def test_an_unknown_version_is_an_error(engine: AsyncEngine) -> None:
    """Asking for a version nobody published raises, and names it."""
    async with transaction(engine) as connection:
        with pytest.raises(LookupError, match="abc"):
            await contracts.load(connection, "abc")
        assert await contracts.in_force(connection, "small", at_noon(2)) is None


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
async def test_a_shipped_contract_survives_publication(engine: AsyncEngine, path: Path) -> None:
    """What is read back from Postgres is the contract that was published, to the last term and holiday."""
    contract = read(await asyncio.to_thread(path.read_text, encoding="utf-8"), str(path)).contract
    async with transaction(engine) as connection:
        version = await published(connection, contract)
        stored = await contracts.load(connection, version.version)
    assert stored.parsed() == contract
    assert stored == version


async def test_a_snapshot_leaves_out_the_years_before_receipt(engine: AsyncEngine) -> None:
    """A complaint is pinned to the calendar's years from its receipt on, counted in the calendar's zone."""
    years = {str(year): [{"name": "New Year", "off": [f"{year}-01-01"]}] for year in (2025, 2026, 2027)}
    calendar = {"zone": "Asia/Shanghai", "hours": {"mon-fri": ["09:00-18:00"]}, "statutory": "CN", "published": years}
    async with transaction(engine) as connection:
        version = await published(connection, law(calendar=calendar).contract)
    pinned = version.pinned(datetime(2025, 12, 31, 17, tzinfo=UTC))
    assert sorted((pinned.snapshot or {})["calendar"]["published"]) == ["2026", "2027"]
    assert sorted(version.body["calendar"]["published"]) == ["2025", "2026", "2027"]
