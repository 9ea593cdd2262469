"""Pokes of one instant share their way, and none of them is lost."""

from __future__ import annotations

import asyncio

import pytest

from activities.poke import Joined


class Way:
    """Where pokes leave; each takes until the test lets it arrive."""

    def __init__(self) -> None:
        self.left: list[str] = []
        self.arrive = asyncio.Event()
        self.fails = False

    async def send(self, whom: str) -> None:
        self.left.append(whom)
        await self.arrive.wait()
        if self.fails:
            raise ConnectionError(whom)


async def turns() -> None:
    """Lets everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_crowd_is_two_pokes() -> None:
    """The first leaves at once; all that come while it is on its way leave together after it."""
    way = Way()
    joined = Joined(way.send)
    first = asyncio.create_task(joined.poke("a"))
    await turns()
    crowd = [asyncio.create_task(joined.poke("a")) for _ in range(50)]
    other = asyncio.create_task(joined.poke("b"))
    await turns()
    assert way.left == ["a", "b"]
    assert not any(task.done() for task in crowd), "whoever came later waits for a poke that left after that"
    way.arrive.set()
    await asyncio.gather(first, other, *crowd)
    assert way.left == ["a", "b", "a"]
    await joined.poke("a")
    assert way.left == ["a", "b", "a", "a"]


async def test_whoever_asked_hears_of_a_failure() -> None:
    """A record whose poke failed is told, so that it is tried again; the next poke leaves as usual."""
    way = Way()
    joined = Joined(way.send)
    way.fails = True
    crowd = [asyncio.create_task(joined.poke("a")) for _ in range(3)]
    await turns()
    later = asyncio.create_task(joined.poke("a"))
    await turns()
    way.arrive.set()
    assert {type(error) for error in await asyncio.gather(*crowd, later, return_exceptions=True)} == {ConnectionError}
    way.fails = False
    await joined.poke("a")
    assert len(way.left) == 3


async def test_one_who_is_cancelled_takes_nobody_along() -> None:
    """A record that is given up leaves the poke to the others who wait for it."""
    way = Way()
    joined = Joined(way.send)
    one, other = asyncio.create_task(joined.poke("a")), asyncio.create_task(joined.poke("a"))
    await turns()
    one.cancel()
    way.arrive.set()
    await other
    with pytest.raises(asyncio.CancelledError):
        await one
    assert way.left == ["a"]
