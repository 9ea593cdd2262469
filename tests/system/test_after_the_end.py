"""Complaints that end and go on: through Temporal and Postgres, by a run that lives on from the ledger."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError

from rules.commands import Accept, Answer, CustomerWrites, Merge, Note, Respond, TakeBack, UndoMerge, Withdraw
from starter.client import Ombud
from starter.errors import Closed, Refused
from storage.rebuild import rebuild
from tests.support.history import unharmed
from tests.support.system import System
from tests.support.wait import eventually

CASE = "maintenance-service"


def client(system: System) -> Ombud:
    return Ombud(system.client, system.engine, task_queue=system.settings.task_queue)


async def recorded(system: System, reference: str, kind: str) -> list[dict[str, Any]]:
    """Entries of this type, once there is one."""
    query = "SELECT seq, body FROM ledger WHERE stream = :stream AND type = :type ORDER BY seq"
    found: list[dict[str, Any]] = await eventually(
        lambda: system.rows(query, stream=f"complaint/{CASE}/{reference}", type=kind)
    )
    return found


async def ended(system: System, reference: str) -> None:
    """Until no workflow runs it, and Postgres says so too."""
    await recorded(system, reference, "closed")

    async def over() -> bool:
        return not await client(system).runs(f"{CASE}/{reference}")

    await eventually(over)


async def test_a_withdrawal_is_taken_back_after_the_workflow_ended(system: System) -> None:
    """The case runs again from its ledger under the same id; its clocks go on, and its keys are remembered."""
    ombud = client(system)
    await system.open(CASE, "A-1", level="2", kind="complaint")
    withdrawn = await ombud.tell(f"{CASE}/A-1", Withdraw(), key="w")
    await ended(system, "A-1")
    assert (await ombud.tell(f"{CASE}/A-1", Withdraw(), key="w")).seq == withdrawn.seq
    with pytest.raises(Closed, match="take_back"):
        await ombud.tell(f"{CASE}/A-1", Respond(text="Hello."))

    told = await ombud.tell(f"{CASE}/A-1", TakeBack(), key="t")
    assert told.event == "withdrawal_taken_back"
    assert (await ombud.tell(f"{CASE}/A-1", TakeBack(), key="t")).seq == told.seq
    await ombud.tell(f"{CASE}/A-1", Respond(text="We go on."))
    running = await eventually(
        lambda: system.rows("SELECT 1 FROM clocks WHERE complaint = :id AND status = 'running'", id=f"{CASE}/A-1")
    )
    assert running
    (row,) = await system.rows("SELECT closed_at, reopenings FROM complaints WHERE id = :id", id=f"{CASE}/A-1")
    assert (row["closed_at"], row["reopenings"]) == (None, 1)
    assert await rebuild(system.engine, apply=False) == []


async def test_a_refused_command_to_a_closed_case_ends_its_run_again(system: System) -> None:
    """Whoever asks what the core refuses gets the reason, and nothing runs on."""
    ombud = client(system)
    await system.open(CASE, "A-2", level="1")
    await ombud.tell(f"{CASE}/A-2", Answer(text="Chapter 3."))
    await ombud.tell(f"{CASE}/A-2", Accept())
    await ended(system, "A-2")
    with pytest.raises(Refused, match="no withdrawal"):
        await ombud.tell(f"{CASE}/A-2", TakeBack())
    await ombud.send(f"{CASE}/A-2", Note(text="Kept on file."))
    await recorded(system, "A-2", "noted")
    await ended(system, "A-2")


async def test_a_message_after_the_end_opens_a_case_that_follows(system: System) -> None:
    """complaint-handling says `follow`: the new case runs and says whom it follows; the same key opens no third one."""
    ombud = client(system)
    await system.open("complaint-handling", "A-3", category="product", complainant={"id": "c-7"})
    await ombud.tell("complaint-handling/A-3", Answer(text="Chapter 3."))
    await ombud.tell("complaint-handling/A-3", Accept())

    async def over() -> bool:
        return not await ombud.runs("complaint-handling/A-3")

    await eventually(over)
    told = await ombud.tell("complaint-handling/A-3", CustomerWrites(text="It broke again."), key="m")
    assert told.opens == "A-3.2"
    query = "SELECT follows, complainant, stage FROM complaints WHERE id = 'complaint-handling/A-3.2'"
    (row,) = await eventually(lambda: system.rows(query))
    assert (row["follows"], row["complainant"]) == ("A-3", "c-7")
    assert await ombud.runs("complaint-handling/A-3.2")
    (link,) = await system.rows("SELECT * FROM links WHERE complaint = 'complaint-handling/A-3.2'")
    assert (link["relation"], link["other"]) == ("follows", "complaint-handling/A-3")
    assert (await ombud.tell("complaint-handling/A-3", CustomerWrites(text="It broke again."), key="m")).seq == told.seq


async def test_two_cases_become_one_and_two_again(system: System) -> None:
    """The survivor answers for both from the earlier receipt; undone, both run on their own, and a rebuild agrees."""
    ombud = client(system)
    survivor = await system.open(CASE, "B-1", level="2", kind="complaint")
    await recorded(system, "B-1", "opened")
    duplicate = await system.open(CASE, "B-2", level="2", kind="complaint", received_at=datetime.now(UTC))
    await ombud.tell(f"{CASE}/B-1", Respond(text="We look into it."))
    await ombud.tell(f"{CASE}/B-1", Merge(into="B-2"), key="m")
    await ended(system, "B-1")
    first, second = await _row(system, "B-1"), await _row(system, "B-2")
    assert (first["merged_into"], second["received_at"]) == ("B-2", first["received_at"])
    with pytest.raises(Closed, match="merged into B-2"):
        await ombud.tell(f"{CASE}/B-1", Respond(text="Hello?"))
    (listed,) = await system.rows("SELECT complaint, detail FROM supervision WHERE list = 'merged'")
    assert listed["detail"]["into"] == "B-2"

    await ombud.tell(f"{CASE}/B-1", UndoMerge(text="Another kettle."))
    await eventually(lambda: system.rows("SELECT 1 FROM ledger WHERE type = 'reopened' AND stream LIKE '%/B-1'"))
    await recorded(system, "B-2", "released")
    assert (await _row(system, "B-2"))["received_at"] != first["received_at"]
    assert await ombud.runs(f"{CASE}/B-1")
    for handle in (survivor, duplicate):
        await unharmed(system.client.get_workflow_handle(handle.id))
    assert await rebuild(system.engine, apply=False) == []


async def _row(system: System, reference: str) -> dict[str, Any]:
    query = "SELECT received_at, merged_into FROM complaints WHERE id = :id"
    (row,) = await system.rows(query, id=f"{CASE}/{reference}")
    return row


async def test_what_cannot_be_merged_is_refused_and_nothing_is_half_done(system: System) -> None:
    """Into itself, into a closed or unknown case, in a ring, by a signal: one refusal, and neither ledger grows."""
    ombud = client(system)
    for reference in ("C-1", "C-2", "C-3"):
        await system.open(CASE, reference, level="1")
        await recorded(system, reference, "opened")
    await ombud.tell(f"{CASE}/C-3", Withdraw())
    await ended(system, "C-3")
    await ombud.tell(f"{CASE}/C-1", Merge(into="C-2"))
    await ended(system, "C-1")
    merges = "SELECT count(*) AS n FROM ledger WHERE type IN ('merged', 'absorbed', 'released', 'closed')"
    before = await system.rows(merges)
    for into, reason in (("C-2", "itself"), ("C-3", "closed"), ("C-1", "closed"), ("C-9", "no such")):
        with pytest.raises(Refused, match=reason):
            await ombud.tell(f"{CASE}/C-2", Merge(into=into))
    assert await system.rows(merges) == before
    handle = system.client.get_workflow_handle(f"complaint/{CASE}/C-2")
    await handle.signal("merge", {"into": "C-1"})
    (refused,) = await recorded(system, "C-2", "refused")
    assert "send it as an update" in refused["body"]["data"]["reason"]


async def test_two_that_merge_into_each_other_at_once_do_not_both_vanish(system: System) -> None:
    """Whoever is asked while asking says so; at most one of them closes."""
    for reference in ("D-1", "D-2"):
        await system.open(CASE, reference, level="1")
        await recorded(system, reference, "opened")

    async def merge(one: str, other: str) -> bool:
        handle = system.client.get_workflow_handle(f"complaint/{CASE}/{one}")
        try:
            await handle.execute_update("merge", {"into": other})
        except WorkflowUpdateFailedError:
            return False
        return True

    done = await asyncio.gather(merge("D-1", "D-2"), merge("D-2", "D-1"))
    assert sum(done) <= 1
    assert await eventually(lambda: _as_many(system, sum(done)))


async def _as_many(system: System, expected: int) -> bool:
    """As many merges as absorptions that stand are on record."""
    query = "SELECT type, count(*) AS n FROM ledger WHERE type IN ('merged', 'absorbed', 'released') GROUP BY type"
    rows = await system.rows(query)
    counts = {row["type"]: row["n"] for row in rows}
    stand = counts.get("absorbed", 0) - counts.get("released", 0)
    return bool(counts.get("merged", 0) == expected == stand)
