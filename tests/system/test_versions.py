"""What is published while a complaint is open changes nothing about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from storage import contracts
from storage.database import transaction
from storage.rebuild import rebuild
from tests.support.people import everybody
from tests.support.story import SMALL, law
from tests.support.system import System

EARLIER, LATER = datetime(2001, 1, 1, tzinfo=UTC), datetime(2002, 1, 1, tzinfo=UTC)


async def test_an_open_complaint_keeps_the_version_of_its_receipt(system: System) -> None:
    """Invariant 8: a version published after receipt, though in force since before it, holds for new ones alone."""
    await everybody(system)
    old = await _publish(system, "20 minutes", EARLIER)
    first = await system.open("small", "V-1")
    await first.execute_update("respond", {"text": "We look."})
    new = await _publish(system, "5 minutes", LATER)
    await first.execute_update("customer_writes", {"text": "And?"})
    second = await system.open("small", "V-2")
    await second.execute_update("respond", {"text": "We look."})
    await second.execute_update("customer_writes", {"text": "And?"})
    for handle in (first, second):
        await handle.execute_update("answer", {"text": "Yes."})
        await handle.execute_update("accept", {})
        await handle.result()
    pinned = {row["reference"]: row["version"] for row in await system.rows("SELECT * FROM complaints")}
    assert pinned == {"V-1": old, "V-2": new}
    clocks = await system.rows("SELECT complaint, due_at - started_at AS time FROM clocks")
    assert {(row["complaint"], row["time"]) for row in clocks} == {
        ("small/V-1", timedelta(minutes=20)),
        ("small/V-2", timedelta(minutes=5)),
    }
    assert await rebuild(system.engine, apply=False) == []


async def _publish(system: System, due: str, effective_from: datetime) -> str:
    """The small contract with nothing but replies, due after so long; its version."""
    promises = {name: SMALL["obligations"][name] | {"due": due} for name in ("first_response", "message_reply")}
    async with transaction(system.engine) as connection:
        made = await contracts.publish(
            connection, law(obligations=promises).contract, effective_from, "test", effective_from
        )
    return made.version
