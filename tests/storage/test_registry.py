"""Starting twice starts once (invariant 17), under the version in force at receipt (invariant 8)."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from storage import contracts, registry
from storage.content import Vault
from storage.database import transaction
from storage.tables import registry as registered
from storage.tables import rejects
from tests.support.recorded import at_noon, claim, on_record, published
from tests.support.story import Story, law


async def standing(engine: AsyncEngine, asked: registry.Claim) -> registry.Standing:
    async with transaction(engine) as connection:
        return (await registry.register(connection, [asked]))[0]


async def test_who_is_new(engine: AsyncEngine) -> None:
    """The first claim is new, also when the same run repeats it; another run is a duplicate, or a conflict when its
    content differs."""
    async with transaction(engine) as connection:
        version = await published(connection)
    new = await standing(engine, claim())
    assert (new.standing, new.version) == ("new", version.version)
    assert new.law is not None
    assert new.law.contract == law().contract
    assert await standing(engine, claim()) == replace(new, before=True)
    assert (await standing(engine, claim(first_run="run-2"))).standing == "duplicate"
    conflict = await standing(engine, claim(first_run="run-2", digest="d2"))
    assert conflict.standing == "conflict"
    assert "reference of its own" in conflict.message
    assert conflict.law is None


async def test_of_two_at_once_one_is_new(engine: AsyncEngine) -> None:
    """However many runs register one reference at the same moment, exactly one is new."""
    async with transaction(engine) as connection:
        await published(connection)
    runs = [standing(engine, claim(first_run=f"run-{n}", digest=f"d{n % 2}")) for n in range(8)]
    found = sorted(result.standing for result in await asyncio.gather(*runs))
    assert found == ["conflict"] * 4 + ["duplicate"] * 3 + ["new"]


async def test_an_unknown_contract_is_named(engine: AsyncEngine) -> None:
    """A contract nobody published is refused with the names of those that are."""
    assert "none is published yet" in (await standing(engine, claim())).message
    async with transaction(engine) as connection:
        await published(connection)
    unknown = await standing(engine, claim(contract="other"))
    assert unknown.standing == "unknown contract"
    assert "'other'; published are small" in unknown.message


@pytest.mark.parametrize(
    ("received", "name"),
    [("2020-01-01", "old"), ("2026-01-31", "old"), ("2026-02-01", "new"), ("2030-01-01", "new")],
)
async def test_the_version_in_force_at_receipt_holds(engine: AsyncEngine, received: str, name: str) -> None:
    """The version is chosen by the receipt; before the first one took force the first holds."""
    versions = {}
    async with transaction(engine) as connection:
        versions["old"] = await published(connection)
        later = law(owner="handler.manager").contract
        versions["new"] = await contracts.publish(
            connection, later, datetime(2026, 2, 1, tzinfo=UTC), "test", at_noon(1)
        )
    found = await standing(engine, replace(claim(), received_at=datetime.fromisoformat(received).replace(tzinfo=UTC)))
    assert found.version == versions[name].version


async def test_a_rejected_start_frees_its_reference(engine: AsyncEngine) -> None:
    """After a rejection the corrected start is new; the reject stays on record, once, with a NUL made harmless."""
    async with transaction(engine) as connection:
        await published(connection)
    await standing(engine, claim())
    bad = registry.Reject("complaint/small/R-1", "run-1", "bad\x00 level", at_noon(2), "small", "R-1")
    for _ in range(2):
        async with transaction(engine) as connection:
            await registry.reject(connection, bad)
    assert (await standing(engine, claim(first_run="run-2", digest="d2"))).standing == "new"
    async with transaction(engine) as connection:
        (row,) = await connection.execute(select(rejects))
    assert row.reason == "bad\ufffd level"


async def test_a_rejection_takes_nothing_from_others(engine: AsyncEngine, vault: Vault) -> None:
    """A reject neither frees a complaint whose ledger has begun, nor what another run registered."""
    await on_record(engine, vault, Story().open("2026-03-02 10:00"))
    await standing(engine, claim("R-2"))
    async with transaction(engine) as connection:
        for reference, run in (("R-1", "run-1"), ("R-1", "run-2"), ("R-2", "run-2")):
            late = registry.Reject(f"complaint/small/{reference}", run, "no", at_noon(2), "small", reference)
            await registry.reject(connection, late)
        assert (await connection.scalars(select(registered.c.first_run))).all() == ["run-1", "run-1"]
