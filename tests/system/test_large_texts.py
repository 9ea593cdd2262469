"""Texts as long as they may be, while nothing can be recorded: what gathers must still fit through Temporal."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from temporalio.testing import WorkflowEnvironment

from rules.values import LIMIT_TEXT
from tests.support.memory import Memory
from tests.support.wait import eventually


async def test_long_texts_that_gather_in_an_outage_are_recorded_after_it(temporal_env: WorkflowEnvironment) -> None:
    """Six notes of the greatest length wait for the database; together they exceed what Temporal carries at once."""
    memory, queue, reference = Memory(), f"q-{uuid.uuid4()}", f"R-{uuid.uuid4()}"
    start = {
        "contract": "small",
        "reference": reference,
        "kind": "enquiry",
        "channel": "phone",
        "received_at": datetime.now(UTC).isoformat(),
        "content": "It does not work.",
    }
    async with memory.serving(temporal_env.client, queue):
        handle = await temporal_env.client.start_workflow(
            "Complaint", start, id=f"complaint/small/{reference}", task_queue=queue
        )
        await handle.execute_update("note", {"text": "Before."})
        memory.away = True
        for number in range(6):
            await handle.execute_update("note", {"text": str(number) + "投" * (LIMIT_TEXT - 1)})
        memory.away = False
        await eventually(lambda: [e.type for e in memory.ledger.get(f"small/{reference}", [])].count("noted") == 7, 60)
        assert (await handle.execute_update("note", {"text": "After."}))["event"] == "noted"
