"""Work that many ask for at once and that is cheaper done for all of them together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

Item = TypeVar("Item")
Done = TypeVar("Done")

SLOW = 0.25
"""Seconds after which a group no longer holds up the next one: it may wait for a lock that concerns nobody else."""


class Together(Generic[Item, Done]):
    """While a group is under way, all that comes meanwhile makes the next; what comes to nobody waits for nobody.

    `do` takes a group and answers each of it, in order. No two of a group have the same `key`. When a group fails, each
    of it is tried alone, so that one pays for no other, unless the error is of a kind that `everybody` would meet.
    """

    def __init__(
        self,
        do: Callable[[Sequence[Item]], Awaitable[Sequence[Done]]],
        *,
        key: Callable[[Item], Hashable],
        most: int,
        everybody: tuple[type[Exception], ...] = (),
    ) -> None:
        self._do = do
        self._key = key
        self._most = most
        self._everybody = everybody
        self._waiting: list[tuple[Item, asyncio.Future[Done]]] = []
        self._groups: set[asyncio.Task[None]] = set()
        self._ahead: asyncio.Task[None] | None = None
        """The group that the next one waits for."""

    async def add(self, item: Item) -> Done:
        """The answer to this one. Raises what doing it raises."""
        answer: asyncio.Future[Done] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if self._ahead is None:
            self._begin()
        return await answer

    def _begin(self) -> None:
        # In a context of its own: it works for many, not for whoever happened to come first.
        group = asyncio.create_task(self._work_off(), context=Context())
        slow = asyncio.get_running_loop().call_later(SLOW, self._pass, group)
        self._ahead = group
        self._groups.add(group)

        def done(_: asyncio.Task[None]) -> None:
            slow.cancel()
            self._groups.discard(group)
            self._pass(group)

        group.add_done_callback(done)

    def _pass(self, group: asyncio.Task[None]) -> None:
        """The next group may begin, unless this one let it before."""
        if self._ahead is group:
            self._ahead = None
            if self._waiting:
                self._begin()

    async def _work_off(self) -> None:
        """Chosen when it comes to run: what was asked for in the same moment is in it."""
        await self._work(self._next())

    def _next(self) -> list[tuple[Item, asyncio.Future[Done]]]:
        group: dict[Hashable, tuple[Item, asyncio.Future[Done]]] = {}
        later = []
        for item, answer in self._waiting:
            if answer.done():  # whoever asked has gone
                continue
            key = self._key(item)
            if key in group or len(group) == self._most:
                later.append((item, answer))
            else:
                group[key] = item, answer
        self._waiting = later
        return list(group.values())

    async def _work(self, group: list[tuple[Item, asyncio.Future[Done]]]) -> None:
        if not group:
            return
        try:
            done = await self._do([item for item, _ in group])
        except Exception as error:  # noqa: BLE001  whoever asked gets it
            if len(group) > 1 and not isinstance(error, self._everybody):
                for one in group:
                    await self._work([one])
                return
            for _, answer in group:
                if not answer.done():
                    answer.set_exception(error)
        else:
            for (_, answer), result in zip(group, done, strict=True):
                if not answer.done():
                    answer.set_result(result)
