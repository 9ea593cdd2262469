"""Temporal's data file is gone: every open complaint comes back from its ledger (invariant 18)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import Client

from rules.commands import OpenComplaint
from tests.support.machine import Machine
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(400)

OPEN = 200

CLOCKS = """
SELECT complaint, obligation, n, started_at, due_at, status, missed_at, done_at, ladder FROM clocks ORDER BY 1, 2, 3
"""
WAITING = "SELECT count(*) FROM notices WHERE state IN ('planned', 'claimed')"
PASSED = """
SELECT count(*) FROM clocks c, jsonb_array_elements(c.ladder) r
WHERE c.status IN ('running', 'missed') AND c.done_at IS NULL
AND (r ->> 'at')::timestamptz < now() - interval '5 seconds' AND NOT c.reached ? (r ->> 'rung')
"""


async def test_two_hundred_open_complaints_outlive_temporals_data(
    machine: Machine, record_property: Callable[[str, object], None]
) -> None:
    """Clocks as they were, steps missed meanwhile marked, no notice sent twice; every one takes commands again."""
    process = await machine.ready()
    client = await Client.connect(machine.announced("TEMPORAL_ADDRESS"))
    names = [f"L-{n}" for n in range(OPEN)]
    await asyncio.gather(*(_open(client, name, n) for n, name in enumerate(names)))
    database = await machine.database()
    await eventually(lambda: _all(database, "SELECT count(*) FROM complaints", OPEN), 180)
    await eventually(lambda: _all(database, WAITING, 0), 180)
    before = [tuple(row) for row in await database.fetch(CLOCKS)]
    told = await database.fetchval("SELECT count(*) FROM notices")
    mails = len(list(machine.folder.mail.glob("*.eml")))
    await database.close()
    assert await machine.stop(process) == 0

    for file in machine.folder.path.glob("temporal.db*"):
        file.unlink()
    process = await machine.ready()
    said = await machine.ombud("reconcile", "--apply")
    assert f"{OPEN} complaints brought back" in said
    database = await machine.database()
    client = await Client.connect(machine.announced("TEMPORAL_ADDRESS"))
    answers = await asyncio.gather(*(_note(client, name) for name in names))
    assert len(answers) == OPEN
    await eventually(lambda: _all(database, "SELECT count(*) FROM ledger WHERE type = 'noted'", OPEN), 120)
    await eventually(lambda: _all(database, PASSED, 0), 120)
    after = {row[:3]: row for row in map(tuple, await database.fetch(CLOCKS))}
    for row in before:
        now = after[row[:3]]
        assert (now[3:5], now[8]) == (row[3:5], row[8]), "started, due and ladder stand as they were"
        assert now[5:8] == row[5:8] or (row[5], now[5]) == ("running", "missed"), "what was judged stands"
    await eventually(lambda: _all(database, WAITING, 0), 120)
    carried = await database.fetchval(
        "SELECT count(*) FROM (SELECT jsonb_array_elements_text(body -> 'data' -> 'notices') AS key FROM ledger "
        "WHERE stream LIKE 'message/%' AND type = 'claimed') c GROUP BY key ORDER BY 1 DESC LIMIT 1"
    )
    assert carried == 1, "no notice is in two messages"
    record_property("revived", OPEN)
    record_property("notices before", told)
    record_property("mails before", mails)
    record_property("mails after", len(list(machine.folder.mail.glob("*.eml"))))
    await database.close()
    assert await machine.stop(process) == 0


async def _open(client: Client, reference: str, n: int) -> None:
    """Some of now, some long overdue, of every level and kind."""
    start = OpenComplaint.model_validate(
        {
            "contract": "maintenance-service",
            "reference": reference,
            "channel": "phone",
            "content": "Broken.",
            "kind": ("complaint", "enquiry")[n % 2],
            "level": str(1 + n % 3),
            "received_at": datetime.now(UTC) - timedelta(minutes=17 * (n % 40)),
        }
    )
    await client.start_workflow(
        "Complaint",
        start.model_dump(mode="json", exclude_none=True),
        id=f"complaint/maintenance-service/{reference}",
        task_queue="ombud",
    )


async def _note(client: Client, reference: str) -> Any:
    handle = client.get_workflow_handle(f"complaint/maintenance-service/{reference}")
    return await handle.execute_update("note", {"text": "Back.", "key": f"back {reference}"})


async def _all(database: Any, query: str, expected: int) -> bool:
    return bool(await database.fetchval(query) == expected)
