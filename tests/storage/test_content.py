"""Content lies apart, sealed with a key per stream; destroying the key is erasure (invariant 19)."""

import pytest
from cryptography.exceptions import InvalidTag
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.content import ErasedError, MasterKeyError, Vault
from storage.database import transaction
from storage.recording import record
from tests.support.recorded import at_noon, batch, on_record
from tests.support.story import Story

A, B = "complaint/small/A", "complaint/small/B"


async def test_texts_come_back(engine: AsyncEngine, vault: Vault) -> None:
    """What was sealed is read again, by sequence and field, in any script and length."""
    long = "投诉 📦 \x00" * 20_000
    async with transaction(engine) as connection:
        await vault.seal(connection, {A: {1: {"content": long, "remedy_sought": "a refund"}}, B: {1: {"content": "b"}}})
        await vault.seal(connection, {A: {4: {"text": "later"}}})
        assert await vault.read(connection, A) == {
            1: {"content": long, "remedy_sought": "a refund"},
            4: {"text": "later"},
        }
        assert await vault.read(connection, B) == {1: {"content": "b"}}


async def test_the_database_alone_reads_nothing(engine: AsyncEngine, vault: Vault) -> None:
    """No text of a recorded complaint stands readable in any table; only the vault with its master key opens it."""
    secret = "My neighbour Ms Zhang saw it"
    await on_record(engine, vault, Story().open("2026-03-02 10:00", content=secret))
    async with transaction(engine) as connection:
        tables = await connection.scalars(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
        )
        for table in tables.all():
            dump = await connection.scalars(text(f"SELECT t::text FROM {table} t"))
            assert not any(part in row for row in dump for part in (secret, secret.encode().hex())), table
        assert (await vault.read(connection, "complaint/small/R-1"))[1]["content"] == secret
        with pytest.raises(MasterKeyError, match="OMBUD_MASTER_KEY"):
            await Vault(bytes(32)).read(connection, "complaint/small/R-1")


async def test_a_destroyed_key_erases(engine: AsyncEngine, vault: Vault) -> None:
    """After the key is destroyed nobody reads the stream, what comes later is not kept, and others stay readable."""
    async with transaction(engine) as connection:
        await vault.seal(connection, {A: {1: {"content": "a"}}, B: {1: {"content": "b"}}})
        assert await vault.destroy(connection, A, at_noon(5))
        assert not await vault.destroy(connection, A, at_noon(6))
        await vault.seal(connection, {A: {2: {"text": "later"}}})
        with pytest.raises(ErasedError, match="2026-03-05"):
            await vault.read(connection, A)
        assert await connection.scalar(text("SELECT count(*) FROM content WHERE stream = :s"), {"s": A}) == 1
        assert await vault.read(connection, B) == {1: {"content": "b"}}


async def test_recording_goes_on_after_erasure(engine: AsyncEngine, vault: Vault) -> None:
    """An erased complaint still takes entries: the ledger needs no content."""
    story = Story().open("2026-03-02 10:00")
    version = await on_record(engine, vault, story)
    later = story.tell("respond", "2026-03-02 10:05")
    async with transaction(engine) as connection:
        await vault.destroy(connection, "complaint/small/R-1", at_noon(3))
        await record(connection, vault, [batch(story, version, later)])


async def test_a_text_cannot_pass_for_another(engine: AsyncEngine, vault: Vault) -> None:
    """Ciphertext moved to another place does not open: its place is authenticated with it."""
    async with transaction(engine) as connection:
        await vault.seal(connection, {A: {1: {"content": "a"}}})
        moved = "INSERT INTO content SELECT stream, 2, field, nonce, ciphertext FROM content"
        await connection.execute(text(moved))
        with pytest.raises(InvalidTag):
            await vault.read(connection, A)
