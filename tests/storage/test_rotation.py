"""Master keys change while workers run: nothing becomes unreadable, whoever has which settings."""

from __future__ import annotations

import asyncio
import base64

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from storage import rotation
from storage.content import ErasedError, Vault
from storage.database import transaction
from storage.keys import BadKeyError, Keyring, MasterKeyError
from tests.support.recorded import at_noon

OLD, NEW, THIRD = bytes(range(32)), bytes(32), b"3" * 32
BEFORE, BOTH, AFTER = Keyring([OLD]), Keyring([NEW, OLD]), Keyring([NEW])
OLD_ID, NEW_ID = BEFORE.current.id, AFTER.current.id


async def seal(engine: AsyncEngine, ring: Keyring, *streams: str) -> None:
    """One text in each stream, which says its name."""
    async with transaction(engine) as connection:
        await Vault(ring).seal(connection, {stream: {1: {"text": stream}} for stream in streams})


async def reads(engine: AsyncEngine, ring: Keyring, *streams: str) -> bool:
    """Whether each of these streams opens with the keys of the ring."""
    async with transaction(engine) as connection:
        return all([await Vault(ring).read(connection, s) == {1: {"text": s}} for s in streams])


async def rotate(engine: AsyncEngine, ring: Keyring) -> int:
    """Every batch; how many keys were sealed."""
    done, behind, more = 0, "", True
    while more:
        async with transaction(engine) as connection:
            batch = await rotation.rewrap(connection, ring, behind)
        assert not batch.lost
        done, behind, more = done + batch.done, batch.last, bool(batch.last)
    return done


async def test_nobody_stops_reading(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers with the settings from before, both keys or the new one alone read all through a rotation and write."""
    monkeypatch.setattr(rotation, "BATCH", 2)
    olds = [f"complaint/small/{n}" for n in range(5)]
    await seal(engine, BEFORE, *olds)
    await seal(engine, BOTH, "complaint/small/between")
    assert await reads(engine, BEFORE, "complaint/small/between")
    assert await rotate(engine, BOTH) == 5
    assert await reads(engine, BEFORE, *olds)
    assert await reads(engine, AFTER, *olds, "complaint/small/between")
    await seal(engine, BEFORE, "complaint/small/late")  # by a worker that nobody has restarted yet
    with pytest.raises(MasterKeyError, match=f"{OLD_ID}.*OMBUD_MASTER_KEY"):
        await reads(engine, AFTER, "complaint/small/late")
    assert await rotate(engine, BOTH) == 1
    assert await rotate(engine, BOTH) == 0
    assert await reads(engine, AFTER, "complaint/small/late")


async def test_it_goes_on_where_it_broke_off(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that was given up leaves nothing half done, and two rotations at once do each key once."""
    monkeypatch.setattr(rotation, "BATCH", 3)
    streams = [f"complaint/small/{n}" for n in range(7)]
    await seal(engine, BEFORE, *streams)
    with pytest.raises(KeyboardInterrupt):
        await _broken_off(engine)
    async with transaction(engine) as connection:
        assert await rotation.remaining(connection, BOTH) == 7
        assert (await rotation.rewrap(connection, BOTH)).done == 3
    assert sum(await asyncio.gather(rotate(engine, BOTH), rotate(engine, BOTH))) == 4
    assert await reads(engine, AFTER, *streams)


async def _broken_off(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        assert (await rotation.rewrap(connection, BOTH)).done == 3
        raise KeyboardInterrupt


async def test_which_keys_are_needed(engine: AsyncEngine) -> None:
    """A key is needed while something is sealed under it alone; one that is missing is named with what hangs on it."""
    await seal(engine, BEFORE, "complaint/small/A", "complaint/small/B")
    await seal(engine, Keyring([THIRD]), "complaint/small/C")
    async with transaction(engine) as connection:
        await Vault(BEFORE).destroy(connection, "complaint/small/B", at_noon(3))
        third = Keyring([THIRD]).current.id
        found = {use.key_id: (use.streams, use.alone) for use in await rotation.uses(connection, BOTH)}
        assert found == {NEW_ID: (0, 0), OLD_ID: (1, 1), third: (1, 1)}
        batch = await rotation.rewrap(connection, BOTH)
        assert (batch.done, batch.lost) == (1, ("complaint/small/C",))
        found = {use.key_id: (use.streams, use.alone) for use in await rotation.uses(connection, BOTH)}
        assert found == {NEW_ID: (1, 0), OLD_ID: (1, 0), third: (1, 1)}


async def test_old_seals_go(engine: AsyncEngine) -> None:
    """After the last step a stolen old key opens nothing; what is sealed under it alone is left for it."""
    await seal(engine, BEFORE, "complaint/small/A")
    await rotate(engine, BOTH)
    await seal(engine, BEFORE, "complaint/small/B")
    async with transaction(engine) as connection:
        assert await rotation.drop(connection, BOTH) == 1
        assert await rotation.drop(connection, BOTH) == 0
    with pytest.raises(MasterKeyError):
        await reads(engine, BEFORE, "complaint/small/A")
    assert await reads(engine, AFTER, "complaint/small/A")
    assert await reads(engine, BEFORE, "complaint/small/B")


async def test_erased_stays_erased(engine: AsyncEngine) -> None:
    """A rotation gives no key to what was erased, be it before the first text or after."""
    await seal(engine, BEFORE, "complaint/small/A")
    async with transaction(engine) as connection:
        for stream in ("complaint/small/A", "complaint/small/none"):
            assert await Vault(BEFORE).destroy(connection, stream, at_noon(3))
    assert await rotate(engine, BOTH) == 0
    await seal(engine, BOTH, "complaint/small/none")
    async with transaction(engine) as connection:
        with pytest.raises(ErasedError):
            await Vault(BOTH).read(connection, "complaint/small/A")
        assert await connection.scalar(text("SELECT count(*) FROM content")) == 1


async def test_a_key_moved_to_another_stream_does_not_open(engine: AsyncEngine) -> None:
    """A wrap belongs to its stream: put into another row it is told from a missing key."""
    await seal(engine, BEFORE, "complaint/small/A", "complaint/small/B")
    async with transaction(engine) as connection:
        await connection.execute(
            text(
                "UPDATE content_keys SET wraps = "
                "(SELECT wraps FROM content_keys WHERE stream = 'complaint/small/A') WHERE stream = 'complaint/small/B'"
            )
        )
        with pytest.raises(MasterKeyError, match="damaged or moved"):
            await Vault(BEFORE).read(connection, "complaint/small/B")


def test_how_keys_are_written() -> None:
    """Several keys stand apart by commas, blanks or lines, with remarks; the first is current."""
    one, two = (base64.b64encode(key).decode() for key in (OLD, NEW))
    for written in (f"{one},{two}", f" {one}\n{two}\n", f"# since March\n{one} # current\n\n{two}"):
        assert Keyring.parse(written).ids == (OLD_ID, NEW_ID)
    for wrong, said in ((f"{one},{one}", "twice"), (f"{one},abc", "key 2 of 2 must be 32"), ("# none", "names no key")):
        with pytest.raises(BadKeyError, match=said):
            Keyring.parse(wrong)
