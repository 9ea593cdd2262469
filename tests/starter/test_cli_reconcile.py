"""`ombud reconcile` as people and monitors run it."""

from __future__ import annotations

import json

from activities.interface import retention_id
from tests.starter.conftest import Cli
from tests.support.system import System
from tests.support.wait import eventually


async def test_it_says_what_is_wrong_and_heals_when_asked(system: System, cli: Cli) -> None:
    """A table for people, JSON for programs, 1 while anything is wrong, and nothing changed without --apply."""
    handle = await system.open("maintenance-service", "C-1", level="2")
    await handle.execute_update("note", {"text": "Before."})
    await eventually(lambda: system.rows("SELECT 1 FROM ledger WHERE type = 'noted'"))
    await handle.terminate("lost")
    told = await cli("reconcile")
    assert told.code == 1
    assert "lost (1): Open in Postgres, and no workflow runs it" in told.out
    assert "maintenance-service/C-1" in told.out
    assert "`ombud reconcile --apply` heals what it can" in told.out
    read = await cli("reconcile", "--json", "--no-tables")
    assert read.code == 1
    report = json.loads(read.out)
    assert report["applied"] is False
    assert {damage["kind"] for damage in report["damages"]} == {"lost", "schedule missing"}
    done = await cli("reconcile", "--apply", "--thorough")
    assert done.code == 0, done.out
    assert "brought back from its ledger" in done.out
    assert "2 healed, 0 remaining." in done.out
    sound = await cli("reconcile")
    assert (sound.code, "Nothing is wrong." in sound.out) == (0, True), sound.out
    await system.client.get_schedule_handle(retention_id(system.settings.task_queue)).delete()
