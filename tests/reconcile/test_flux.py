"""What is under way is no damage."""

from __future__ import annotations

import asyncio

from tests.reconcile.conftest import Reconcile, found, quiet
from tests.support.system import System

AT_ONCE = 24


async def test_complaints_in_flux_are_no_alarm(settled: System, run: Reconcile) -> None:
    """Complaints open, are told things, and close, while they are compared again and again: nothing is found."""
    over = asyncio.Event()

    async def live(n: int) -> None:
        handle = await settled.open("maintenance-service", f"F-{n}", kind="enquiry")
        await handle.execute_update("note", {"text": "Opened."})
        await handle.execute_update("answer", {"text": "So it is."})
        if n % 2:
            await handle.execute_update("accept", {})

    async def compare() -> list[set[tuple[str, str]]]:
        seen: list[set[tuple[str, str]]] = []
        while not over.is_set():
            seen.append(found(await run(thorough=bool(len(seen) % 2))))
        return seen

    comparing = asyncio.create_task(compare())
    for start in range(0, 3 * AT_ONCE, AT_ONCE):
        await asyncio.gather(*(live(n) for n in range(start, start + AT_ONCE)))
    over.set()
    seen = await comparing
    assert seen
    assert not set().union(*seen)
    await quiet(settled)
    assert found(await run(thorough=True)) == set()
