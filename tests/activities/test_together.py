"""Work done together: grouped while a group is under way, and nobody pays for a neighbour."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from activities import together
from activities.together import Together
from tests.support.wait import eventually


class Work:
    """Keeps the groups it was given; holds each until the test lets it go on."""

    def __init__(self, *, most: int = 10, everybody: tuple[type[Exception], ...] = ()) -> None:
        self.groups: list[list[str]] = []
        self.go_on = asyncio.Event()
        self.together: Together[str, str] = Together(self.do, key=lambda item: item[0], most=most, everybody=everybody)

    async def do(self, items: Sequence[str]) -> list[str]:
        self.groups.append(list(items))
        await self.go_on.wait()
        if "z: down" in items:
            raise ConnectionError("down")
        if "x: bad" in items:
            raise ValueError("bad")
        return [item.upper() for item in items]

    async def add(self, *items: str) -> list[str | BaseException]:
        return await asyncio.gather(*(self.together.add(item) for item in items), return_exceptions=True)


async def test_what_comes_meanwhile_makes_the_next_group() -> None:
    """The first waits for nobody; all that come while it is under way share the second, each with its own answer."""
    work = Work()
    first = asyncio.create_task(work.add("a"))
    await eventually(lambda: work.groups == [["a"]])
    rest = asyncio.create_task(work.add("b", "c", "d"))
    await asyncio.sleep(0)
    work.go_on.set()
    assert await first == ["A"]
    assert await rest == ["B", "C", "D"]
    assert work.groups == [["a"], ["b", "c", "d"]]


async def test_a_group_has_each_key_once_and_no_more_than_it_may() -> None:
    """Two batches of one complaint never share a transaction, and a group is no larger than `most`."""
    work = Work(most=2)
    work.go_on.set()
    assert await work.add("a1", "a2", "b1", "c1") == ["A1", "A2", "B1", "C1"]
    assert work.groups == [["a1", "b1"], ["a2", "c1"]]


async def test_nobody_pays_for_a_neighbour() -> None:
    """When one of a group cannot be done, each is tried alone, and only that one hears of it."""
    work = Work()
    work.go_on.set()
    answers = await work.add("a", "x: bad", "b")
    assert (answers[0], answers[2]) == ("A", "B")
    assert isinstance(answers[1], ValueError)


async def test_an_outage_is_everybodys() -> None:
    """What the whole group would meet again is not tried by each of it: one failure, told to all."""
    work = Work(everybody=(ConnectionError,))
    work.go_on.set()
    answers = await work.add("a", "z: down", "b")
    assert all(isinstance(answer, ConnectionError) for answer in answers)
    assert len(work.groups) == 1


async def test_a_slow_group_holds_up_nobody_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a group waits for a lock, the next goes on beside it."""
    monkeypatch.setattr(together, "SLOW", 0.01)
    work = Work()
    slow = asyncio.create_task(work.add("a"))
    await eventually(lambda: work.groups == [["a"]])
    next_ = asyncio.create_task(work.add("b"))
    await eventually(lambda: work.groups == [["a"], ["b"]])
    assert not slow.done()
    work.go_on.set()
    assert (await slow, await next_) == (["A"], ["B"])


async def test_whoever_has_gone_is_not_worked_for() -> None:
    """A caller that was cancelled before its group began costs nothing."""
    work = Work()
    first = asyncio.create_task(work.add("a"))
    await eventually(lambda: work.groups == [["a"]])
    gone = asyncio.create_task(work.together.add("b"))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    work.go_on.set()
    await first
    assert await work.add("c") == ["C"]
    assert work.groups == [["a"], ["c"]]
