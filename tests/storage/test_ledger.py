"""The ledger is appended to, and nothing else."""

import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from rules.ledger import Entry
from storage import ledger
from storage.database import transaction
from tests.support.story import Story

STREAM = "complaint/small/R-1"


def story() -> list[Entry]:
    told = Story().open("2026-03-02 10:00", level="2")
    told.tell("respond", "2026-03-02 10:05", key="k1")
    return told.entries


async def test_what_was_written_is_read(engine: AsyncEngine) -> None:
    """Entries come back equal, with their offsets, in their order."""
    entries = story()
    async with transaction(engine) as connection:
        await ledger.append(connection, {STREAM: entries})
        assert await ledger.read(connection, STREAM) == entries
        assert await ledger.read(connection, "complaint/small/R-2") == []


async def test_a_repetition_adds_nothing(engine: AsyncEngine) -> None:
    """Appending again returns only the entries that were not there, and changes none."""
    entries = story()
    async with transaction(engine) as connection:
        first = await ledger.append(connection, {STREAM: entries[:3]})
        again = await ledger.append(connection, {STREAM: entries})
        assert first == {STREAM: entries[:3]}
        assert again == {STREAM: entries[3:]}
        assert await ledger.read(connection, STREAM) == entries


async def test_appending_at_once_writes_once(engine: AsyncEngine) -> None:
    """Of two that append the same entries at the same moment exactly one is told that they are new."""
    entries = story()

    async def write() -> int:
        async with transaction(engine) as connection:
            return len((await ledger.append(connection, {STREAM: entries}))[STREAM])

    assert sorted(await asyncio.gather(*(write() for _ in range(4)))) == [0, 0, 0, len(entries)]


async def test_another_entry_is_never_overwritten(engine: AsyncEngine) -> None:
    """Another entry at a sequence is reported as divergence, and nothing of the batch is written."""
    entries = story()
    other = entries[1].model_copy(update={"type": "noted"})
    async with transaction(engine) as connection:
        await ledger.append(connection, {STREAM: entries[:2]})
    with pytest.raises(ledger.DivergedError, match=f"{STREAM} holds another entry at 2"):
        async with transaction(engine) as connection:
            await ledger.append(connection, {STREAM: [entries[0], other, *entries[2:]]})
    async with transaction(engine) as connection:
        assert await ledger.read(connection, STREAM) == entries[:2]


async def test_a_nul_does_not_stop_the_record(engine: AsyncEngine) -> None:
    """A NUL character, which Postgres cannot hold, is written as U+FFFD, and a repetition still finds it the same."""
    hostile = story()[0].model_copy(update={"data": {"a\x00b": ["\x00", "\\u0000"]}})
    entry = ledger.storable(hostile)
    async with transaction(engine) as connection:
        await ledger.append(connection, {STREAM: [entry]})
        await ledger.append(connection, {STREAM: [ledger.storable(hostile)]})
        (found,) = await ledger.read(connection, STREAM)
    assert found.data == {"a\ufffdb": ["\ufffd", "\\u0000"]}
