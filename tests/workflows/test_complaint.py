"""The complaint as a workflow: real Temporal, neighbours in memory, weeks in virtual time."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import RawValue
from temporalio.testing import WorkflowEnvironment

from tests.support.memory import Memory
from tests.support.wait import eventually

Handle = WorkflowHandle[Any, Any]


def start_of(reference: str, **fields: Any) -> dict[str, Any]:
    received = datetime.now(UTC).isoformat()
    return {
        "contract": "small",
        "reference": reference,
        "kind": "enquiry",
        "channel": "phone",
        "received_at": received,
        "content": "It does not work.",
    } | fields


async def begin(client: Client, queue: str, *args: Any, reference: str = "") -> Handle:
    reference = reference or f"R-{uuid.uuid4()}"
    return await client.start_workflow(
        "Complaint", args=args or (start_of(reference),), id=f"complaint/small/{reference}", task_queue=queue
    )


async def refusal(handle: Handle, command: str, *args: Any) -> str:
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await handle.execute_update(command, args=args)
    return str(caught.value.cause)


async def test_a_quiet_complaint_runs_from_receipt_to_closure(
    temporal_env: WorkflowEnvironment, queue: str, memory: Memory
) -> None:
    """Open, respond, answer, accept: the ledger stands complete, and texts lie apart from it."""
    reference = f"R-{uuid.uuid4()}"
    handle = await begin(temporal_env.client, queue, reference=reference)
    taken = await handle.execute_update("respond", {"text": "We look into it."})
    assert taken["event"] == "responded"
    await handle.execute_update("answer", {"text": "Turn it on."})
    await handle.execute_update("accept", {})
    assert (await handle.result())["closed"] == "accepted"
    ledger = memory.ledger[f"small/{reference}"]
    assert [e.type for e in ledger if e.type in ("opened", "responded", "answered", "accepted", "closed")] == [
        "opened",
        "responded",
        "answered",
        "accepted",
        "closed",
    ]
    assert memory.texts[f"small/{reference}"][1]["content"] == "It does not work."


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("a string",),
        ({"contract": "small"},),
        ({"contract": "small", "reference": "x", "surprise": 1},),
        (1, 2, 3),
        (RawValue(Payload(metadata={"encoding": b"json/plain"}, data=b"{not json")),),
    ],
)
async def test_a_bad_start_ends_with_one_clear_failure_and_a_reject(
    temporal_env: WorkflowEnvironment, queue: str, memory: Memory, args: tuple[Any, ...]
) -> None:
    """Invariant 17: whatever JSON arrives, no workflow task is wedged."""
    reference = f"bad-{uuid.uuid4()}"
    handle = await temporal_env.client.start_workflow(
        "Complaint", args=args, id=f"complaint/small/{reference}", task_queue=queue
    )
    with pytest.raises(WorkflowFailureError) as caught:
        await asyncio.wait_for(handle.result(), 20)
    assert [r.reason for r in memory.rejects] == [str(caught.value.cause).removeprefix("Rejected: ")]
    assert memory.ledger == {}


async def test_a_start_the_contract_refuses_leaves_its_reference_free(
    temporal_env: WorkflowEnvironment, queue: str, memory: Memory
) -> None:
    """A start with an unknown level is rejected; the corrected one has the reference."""
    reference = f"R-{uuid.uuid4()}"
    client = temporal_env.client
    wrong = await begin(client, queue, start_of(reference, level="9"), reference=reference)
    with pytest.raises(WorkflowFailureError) as caught:
        await wrong.result()
    assert "Unknown level" in str(caught.value.cause)
    right = await begin(client, queue, start_of(reference, level="1"), reference=reference)
    await right.execute_update("note", {"text": "Here."})
    assert f"small/{reference}" in memory.ledger


async def test_starting_twice_starts_once(temporal_env: WorkflowEnvironment, queue: str) -> None:
    """Invariant 17: the same start after closure is a duplicate, other content under the reference a conflict."""
    reference = f"R-{uuid.uuid4()}"
    client = temporal_env.client
    start = start_of(reference)
    first = await begin(client, queue, start, reference=reference)
    await first.execute_update("answer", {"text": "Yes."})
    await first.execute_update("accept", {})
    await first.result()
    again = await begin(client, queue, start, reference=reference)
    assert (await again.result())["duplicate"] is True
    other = await begin(client, queue, start | {"content": "Something else."}, reference=reference)
    with pytest.raises(WorkflowFailureError) as caught:
        await other.result()
    assert "other content" in str(caught.value.cause)


async def test_a_refused_command_says_why_and_writes_nothing(
    temporal_env: WorkflowEnvironment, queue: str, memory: Memory
) -> None:
    """Validators refuse before anything is written: wrong order, unknown fields, empty text, no object at all."""
    handle = await begin(temporal_env.client, queue)
    await handle.signal("note", {"text": "Begun.", "key": "k"})
    await handle.execute_update("note", {"text": "Begun.", "key": "k"})
    events = len([e async for e in handle.fetch_history_events()])
    assert "comes after answer" in await refusal(handle, "accept", {})
    assert "colour: unknown field" in await refusal(handle, "respond", {"text": "x", "colour": "red"})
    assert "text" in await refusal(handle, "respond", {"text": "  "})
    assert "one argument" in await refusal(handle, "respond")
    assert "one argument" in await refusal(handle, "respond", "words")
    assert "occurred_at: has no offset" in await refusal(
        handle, "respond", {"text": "x", "occurred_at": "2026-03-02T10:00:00"}
    )
    assert len([e async for e in handle.fetch_history_events()]) == events


async def test_an_update_id_makes_a_command_count_once(
    temporal_env: WorkflowEnvironment, queue: str, memory: Memory
) -> None:
    """Invariant 16: a repetition gets the same answer; the key with another command is refused."""
    reference = f"R-{uuid.uuid4()}"
    handle = await begin(temporal_env.client, queue, reference=reference)
    first = await handle.execute_update("note", {"text": "Once.", "key": "k1"})
    assert await handle.execute_update("note", {"text": "Once.", "key": "k1"}) == first
    assert "used for another command" in await refusal(handle, "note", {"text": "Twice.", "key": "k1"})
    await handle.signal("note", {"text": "By signal."})

    def noted() -> list[str | None]:
        return [entry.key for entry in memory.ledger[f"small/{reference}"] if entry.type == "noted"]

    await eventually(lambda: None in noted())
    assert noted() == ["k1", None]


async def test_a_signal_that_cannot_be_taken_becomes_an_entry(
    temporal_env: WorkflowEnvironment, queue: str, memory: Memory
) -> None:
    """Invariant 16: nobody waits for a signal's answer, so its refusal stands in the ledger; good ones count."""
    reference = f"R-{uuid.uuid4()}"
    handle = await begin(temporal_env.client, queue, reference=reference)
    await handle.signal("respond", {"text": "By signal."})
    await handle.signal("accept", {})
    await handle.signal("no_such_command", {})
    await handle.signal("respond")
    await handle.signal("respond", RawValue(Payload(metadata={"encoding": b"json/plain"}, data=b"{no")))
    await handle.execute_update("note", {"text": "After them."})
    ledger = memory.ledger[f"small/{reference}"]
    assert [e.data["command"] for e in ledger if e.type == "refused"] == [
        "accept",
        "no_such_command",
        "respond",
        "respond",
    ]
    assert [e.type for e in ledger].count("responded") == 1


async def test_an_outage_of_the_database_delays_records_and_nothing_else(
    temporal_env: WorkflowEnvironment, queue: str, memory: Memory
) -> None:
    """Invariant 15: commands are taken while nothing can be recorded, and the ledger comes out whole, in order."""
    reference = f"R-{uuid.uuid4()}"
    handle = await begin(temporal_env.client, queue, reference=reference)
    await handle.execute_update("note", {"text": "Before."})
    memory.away = True
    for number in range(5):
        await handle.execute_update("note", {"text": f"Away {number}."})
    recorded = len(memory.ledger[f"small/{reference}"])
    memory.away = False
    await handle.execute_update("answer", {"text": "Back."})
    await handle.execute_update("accept", {})
    result = await handle.result()
    ledger = memory.ledger[f"small/{reference}"]
    assert len(ledger) == result["entries"] > recorded
    assert [e.seq for e in ledger] == list(range(1, len(ledger) + 1))


async def test_cancel_ends_nothing_and_is_on_record(
    temporal_env: WorkflowEnvironment, queue: str, memory: Memory
) -> None:
    """DESIGN: cancel from the Web UI is recorded and answered in the current details."""
    reference = f"R-{uuid.uuid4()}"
    handle = await begin(temporal_env.client, queue, reference=reference)
    await handle.execute_update("note", {"text": "Begun."})
    await handle.cancel()
    await eventually(lambda: any(e.type == "cancel_ignored" for e in memory.ledger[f"small/{reference}"]))
    await handle.execute_update("answer", {"text": "Still here."})
    await handle.execute_update("accept", {})
    assert (await handle.result())["closed"] == "accepted"


async def test_nobody_behind_a_role_counts_as_undeliverable(
    temporal_env: WorkflowEnvironment, queue: str, memory: Memory
) -> None:
    """Invariant 13: the gap is on record at once, and the next step fires."""
    memory.nobody = {"handler.manager"}
    reference = f"R-{uuid.uuid4()}"
    received = datetime.now(UTC) - timedelta(days=14)
    handle = await begin(
        temporal_env.client, queue, start_of(reference, received_at=received.isoformat()), reference=reference
    )
    await handle.execute_update("note", {"text": "Look."})
    await eventually(lambda: any(e.type == "notice_undeliverable" for e in memory.ledger[f"small/{reference}"]))


async def test_weeks_pass_and_every_rung_fires_on_its_time(
    time_skipping_env: WorkflowEnvironment, memory: Memory
) -> None:
    """One timer at a time serves a whole ladder and a 30-working-day clock in virtual time."""
    client = time_skipping_env.client
    name = f"q-{uuid.uuid4()}"
    reference = f"R-{uuid.uuid4()}"
    async with memory.serving(client, name):
        handle = await begin(client, name, start_of(reference, kind="complaint"), reference=reference)
        await handle.execute_update("note", {"text": "Begun."})
        await time_skipping_env.fast_forward(handle, timedelta(days=60))
        await handle.execute_update("note", {"text": "Two months on."})
        ledger = memory.ledger[f"small/{reference}"]
        missed = {e.data["clock"] for e in ledger if e.type == "clock_missed"}
        assert missed == {"first_response#1", "proposal#1", "resolution#1", "explanation#1"}
        lag = [(e.recorded_at - e.occurred_at) for e in ledger if e.type in ("clock_missed", "rung_reached")]
        assert max(lag) < timedelta(seconds=5)
