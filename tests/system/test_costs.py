"""A quiet complaint stays cheap: counted, not timed."""

from __future__ import annotations

from bench.costs import count
from bench.stories import LIVES
from tests.support.system import System


async def test_a_quiet_life_stays_within_its_budget(system: System) -> None:
    """At most 14 billable actions and 55 history events from receipt to closure; it sends no mail."""
    life = LIVES["quiet"]
    handle = await system.open("maintenance-service", "C-1", **life.opening)
    for step in life.steps:
        await handle.execute_update(step.command, step.body)
    await handle.result()
    events, actions = count(await handle.fetch_history())
    assert actions <= 14
    assert events <= 55
    assert await system.rows("SELECT 1 FROM notices") == []
