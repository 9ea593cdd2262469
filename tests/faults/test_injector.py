"""Faults happen as they are planned, and a storm lasts until they have."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from faults.injector import Injector, Plan


class Machine:
    """A process that may be killed."""

    def __init__(self) -> None:
        self.kills = 0

    def kill(self) -> None:
        self.kills += 1

    def allow(self) -> None:
        """It may run again."""


async def test_a_fault_that_is_waited_for_is_still_to_come() -> None:
    """No more stories are played once nothing is to come, so a plan counts until somebody has stood at its point."""
    plan, server = Plan("worker", "forgetting"), cast("Any", SimpleNamespace(leavers=None))
    injector = Injector(1, [plan], server, server, pace=0.01)
    worker = Machine()
    machines = cast(
        "Any", SimpleNamespace(by_name=dict.fromkeys(("worker", "temporal", "postgres", "gateway"), worker))
    )
    await injector.start()

    async def at_once(since: Any) -> Any:
        return since

    running = asyncio.create_task(injector.run(machines, cast("Any", SimpleNamespace(recorded_since=at_once))))
    await asyncio.sleep(0)
    assert injector.left == [plan]
    reader, writer = await asyncio.open_connection("127.0.0.1", injector.port)
    writer.write(b"forgetting\n")
    assert await reader.readline() == b"go on\n"
    writer.close()
    injector.finish()
    await running
    await injector.stop()
    assert injector.left == []
    assert [one.plan for one in injector.injected] == [plan]
    assert worker.kills == 1
