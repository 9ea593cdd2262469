"""An answer names the entry that stands in the ledger, also when a run that died had recorded something there."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from rules.ledger import Entry
from rules.values import Actor
from tests.support.memory import Memory
from tests.support.wait import eventually
from tests.workflows.test_complaint import Handle, begin


async def opened(client: Client, queue: str, memory: Memory) -> tuple[Handle, list[Entry]]:
    """A complaint, and its ledger once the opening stands there."""
    reference = f"R-{uuid.uuid4()}"
    handle = await begin(client, queue, reference=reference)
    await handle.execute_update("note", {"text": "First."})
    return handle, memory.ledger[f"small/{reference}"]


def left_behind(ledger: list[Entry], kind: str = "noted") -> None:
    """What a run recorded of a message that its workflow task did not live to remember."""
    now = datetime.now(UTC)
    said = {"command": "note", "acts": ["note"]} if kind == "noted" else {"reason": "close", "agreement": True}
    ledger.append(
        Entry(
            seq=len(ledger) + 1,
            type=kind,
            by=Actor(role="handler"),
            occurred_at=now,
            recorded_at=now,
            key=f"lost-{kind}",
            digest="0" * 64,
            data=said,
        )
    )


async def test_an_answer_names_where_the_entry_stands(
    temporal_env: WorkflowEnvironment, queue: str, memory: Memory
) -> None:
    """Another entry stands where this one was decided to stand: the answer, and the answer to the same key, agree."""
    handle, ledger = await opened(temporal_env.client, queue, memory)
    left_behind(ledger)
    taken = await handle.execute_update("respond", {"text": "We look into it.", "key": "k"}, id="one")
    assert ledger[taken["seq"] - 1].key == "k"
    again = await handle.execute_update("respond", {"text": "We look into it.", "key": "k"}, id="other")
    assert again == {**taken, "opens": None}
    assert memory.loads == 1


async def test_what_the_ledger_refuses_is_not_answered_as_taken(
    temporal_env: WorkflowEnvironment, queue: str, memory: Memory
) -> None:
    """The ledger was closed by a run that died: whoever tells something more hears that, and not a number."""
    handle, ledger = await opened(temporal_env.client, queue, memory)
    left_behind(ledger, "closed")
    with pytest.raises(Exception, match="Workflow update failed") as caught:
        await handle.execute_update("respond", {"text": "We look into it.", "key": "k"})
    assert "closed already" in str(caught.value.__cause__)
    await handle.result()
    assert [e.data["command"] for e in ledger if e.type == "refused"] == ["respond"]


async def test_nobody_waits_for_a_database_that_is_away(
    temporal_env: WorkflowEnvironment, queue: str, memory: Memory
) -> None:
    """In an outage commands are answered by what was decided; nothing of it is recorded yet."""
    handle, ledger = await opened(temporal_env.client, queue, memory)
    before = len(ledger)
    memory.away = True
    numbers = [(await handle.execute_update("note", {"text": f"{n}."}))["seq"] for n in range(3)]
    assert numbers == [before + 1, before + 2, before + 3]
    assert len(ledger) == before
    memory.away = False
    await eventually(lambda: len(ledger) == before + 3)
