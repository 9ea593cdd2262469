"""One command to many complaints on the whole system: each judges for itself, nothing is repeated, nobody is lost."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer

import activities.circulars
from activities.interface import Counts, circular_id
from rules.calendar_spec import Holiday
from rules.calendar_years import Years
from rules.circular import Circular
from rules.commands import Acknowledge, Answer, Close, Command, Explain, Note, Respond, UpdateCustomer, Waive
from rules.contract import Contract
from rules.values import Actor, Evidence
from settings import Settings
from starter import replanning
from starter.circulars import carry
from starter.client import Ombud
from starter.errors import Refused
from storage import contracts
from storage.database import create_engine, transaction
from storage.rebuild import rebuild
from tests.support.history import unharmed
from tests.support.story import SMALL
from tests.support.system import System
from tests.support.system import publish as shipped
from tests.support.wait import eventually
from wire.client import DATA_CONVERTER
from worker import worker
from workflows.circular import Circular as CircularWorkflow
from workflows.complaint import Complaint

LEAD = Actor(role="handler.manager", person="p.wang")
NOW = datetime.now(UTC)


@pytest.fixture
def ombud(system: System) -> Ombud:
    """A client of the running system."""
    return Ombud(system.client, system.engine, task_queue=system.settings.task_queue)


async def opened(
    system: System, count: int, incident: str, contract: str = "maintenance-service", **more: Any
) -> list[str]:
    """So many complaints of an incident, on record."""
    ids = [f"{incident}-{contract[:3]}-{n:03}" for n in range(count)]
    fields = {"incident": incident, "kind": "enquiry", **more}
    await asyncio.gather(*(system.open(contract, reference, **fields) for reference in ids))
    await eventually(lambda: _on_record(system, incident, contract, count))
    return [f"{contract}/{reference}" for reference in ids]


async def _on_record(system: System, incident: str, contract: str, count: int) -> bool:
    query = "SELECT 1 FROM complaints WHERE incident = :incident AND contract = :contract"
    return len(await system.rows(query, incident=incident, contract=contract)) == count


async def test_an_incident_is_told_once_and_each_complaint_judges_for_itself(system: System, ombud: Ombud) -> None:
    """One act in each open case under one key; a case that refuses says why; sent again nothing is repeated."""
    ids = await opened(system, 12, "INC-1", category="usage", level="1")
    await ombud.tell(ids[0], Respond(text="Before."))
    seen: list[Counts] = []
    known = UpdateCustomer(text="The line is down; it will be back at noon.")
    carried = await ombud.tell_incident("INC-1", known, by=LEAD, id_="inc-1", watch=seen.append, why="Power cut.")
    assert (carried.complaints, carried.taken, carried.refused, carried.gone) == (12, 12, 0, 0)
    assert seen[-1].open == 0
    again = await ombud.tell_incident("INC-1", known, by=LEAD, id_="inc-1", why="Power cut.")
    assert again == carried
    told = await eventually(lambda: _updated(system, 12))
    assert {row["body"]["key"] for row in told} == {"circular/inc-1"}
    assert len({row["body"]["occurred_at"] for row in told}) == 1, "one act, at one time"
    assert {row["body"]["by"]["person"] for row in told} == {"p.wang"}
    assert "noon" not in str(told)
    explained = await ombud.tell_incident("INC-1", Explain(reason="Power."), by=LEAD, id_="inc-2")
    assert (explained.taken, explained.refused) == (0, 12)
    assert all("nothing to explain" in one.reason for one in explained.unmoved)
    await unharmed(system.client.get_workflow_handle(circular_id("inc-1")))


async def _updated(system: System, count: int) -> list[dict[str, Any]] | None:
    found = await system.rows("SELECT body FROM ledger WHERE type = 'customer_updated'")
    return found if len(found) >= count else None


async def test_what_makes_no_sense_for_many_is_refused(system: System, ombud: Ombud) -> None:
    """Commands for one complaint, incidents of nobody or of two contracts, other content under the id: nothing done."""
    await opened(system, 2, "INC-2", category="usage", level="1")
    await opened(system, 1, "INC-2", "complaint-handling")
    proof = (Evidence(id="letter", sha256="0" * 64),)
    known = UpdateCustomer(text="Soon.")
    refusals: tuple[tuple[Command, dict[str, Any], str], ...] = (
        (Acknowledge(), {}, "link in the mail"),
        (Waive(clock="first_response#1", text="x", evidence=proof), {}, "complaint by complaint"),
        (known, {}, r"complaint-handling \(1\) and maintenance-service \(2\); name the `contract`"),
        (known, {"contract": "other"}, "no open complaint under other"),
        (known, {"id_": "no id"}, "must begin with"),
    )
    for command, more, why in refusals:
        with pytest.raises(Refused, match=why):
            await ombud.tell_incident("INC-2", command, by=LEAD, **more)
    with pytest.raises(Refused, match="Nobody has reported incident INC-0"):
        await ombud.tell_incident("INC-0", known, by=LEAD)
    assert await system.rows("SELECT 1 FROM circulars") == []
    done = await ombud.tell_incident("INC-2", known, by=LEAD, contract="complaint-handling", id_="one")
    assert (done.complaints, done.taken) == (1, 1)
    with pytest.raises(Refused, match="with other content"):
        await ombud.tell_incident("INC-2", Respond(text="Other."), by=LEAD, contract="complaint-handling", id_="one")
    told = "SELECT 1 FROM ledger WHERE type IN ('customer_updated', 'responded')"
    await eventually(lambda: system.rows(told))
    assert len(await system.rows(told)) == 1


async def test_cases_that_it_closed_have_the_same_answer_when_it_is_sent_again(system: System, ombud: Ombud) -> None:
    """The incident has no open case any more, and those that it closed run no more: taken all the same, and no more."""
    await opened(system, 3, "INC-5", category="usage", level="1")
    await ombud.tell_incident("INC-5", Answer(text="It was a power cut."), by=LEAD)
    first = await ombud.tell_incident("INC-5", Close(), by=LEAD, id_="inc-5-end")
    assert (first.complaints, first.taken) == (3, 3)
    await eventually(lambda: _closed(system, 3))
    await system.rows("UPDATE letters SET outcome = NULL WHERE circular = 'inc-5-end' RETURNING 1 AS n")
    assert await ombud.tell_incident("INC-5", Close(), by=LEAD, id_="inc-5-end") == first
    with pytest.raises(Refused, match="no open complaint"):
        await ombud.tell_incident("INC-5", Close(), by=LEAD)


async def _closed(system: System, count: int) -> bool:
    return len(await system.rows("SELECT 1 FROM complaints WHERE closed_at IS NOT NULL")) == count


@pytest.mark.parametrize(
    "args", [(), ("words",), ({"command": "note"},), ({"command": "note", "by": {"role": "handler"}, "x": 1},), (1, 2)]
)
async def test_a_bad_start_ends_with_one_clear_failure(system: System, args: tuple[Any, ...]) -> None:
    """Whatever JSON arrives, from any SDK or the Web UI, no workflow task is wedged."""
    id_ = circular_id(uuid.uuid4().hex)
    handle = await system.client.start_workflow("Circular", args=args, id=id_, task_queue=system.settings.task_queue)
    with pytest.raises(WorkflowFailureError) as failed:
        await asyncio.wait_for(handle.result(), 30)
    assert "circular" in str(failed.value.cause)
    await unharmed(handle)


async def test_closed_and_lost_complaints_are_gone_and_those_that_took_it_stay_taken(
    system: System, ombud: Ombud
) -> None:
    """A case that ended meanwhile and one that runs nowhere are named; the others are told all the same."""
    ids = await opened(system, 4, "INC-3", category="usage", level="1")
    lost = system.client.get_workflow_handle(f"complaint/{ids[3]}")
    await lost.terminate()
    carried = await ombud.tell_incident("INC-3", Respond(text="We know."), by=LEAD)
    assert (carried.taken, carried.gone) == (3, 1)
    assert [(one.complaint, one.outcome) for one in carried.unmoved] == [(ids[3], "gone")]
    assert "ombud reconcile" in carried.unmoved[0].reason


async def test_a_worker_that_dies_midway_repeats_nothing(
    temporal_env: WorkflowEnvironment, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker goes after a few letters, some answers are lost with it; another ends the round, each is told once."""
    monkeypatch.setattr(activities.circulars, "ROUND", 5)
    own = settings.model_copy(update={"task_queue": f"ombud-{uuid.uuid4().hex[:12]}"})
    engine = create_engine(own.database_url)
    system, id_ = System(temporal_env.client, engine, own), uuid.uuid4().hex
    await shipped(engine)
    start = Circular(command="note", body={"text": "Known."}, incident=f"INC-{id_}", by=LEAD)
    try:
        async with worker(system.client, own):
            ids = await opened(system, 30, f"INC-{id_}", category="usage", level="1")
            handle = await system.client.start_workflow(
                "Circular", start, id=circular_id(id_), task_queue=own.task_queue
            )
            await eventually(lambda: system.rows("SELECT 1 FROM letters WHERE outcome = 'taken'"))
        await system.rows(
            "UPDATE letters SET outcome = NULL, seq = NULL WHERE complaint = :one RETURNING 1", one=ids[0]
        )
        async with worker(system.client, own):
            carried = await carry(Ombud(system.client, engine, task_queue=own.task_queue), start, id_)
            assert (carried.complaints, carried.taken) == (30, 30)
            await eventually(lambda: _noted(system, 30))
            await unharmed(handle)
            for complaint in ids:
                await system.client.get_workflow_handle(f"complaint/{complaint}").terminate()
    finally:
        await engine.dispose()


async def _noted(system: System, count: int) -> bool:
    found = await system.rows("SELECT count(*) AS all, count(DISTINCT stream) AS each FROM ledger WHERE type = 'noted'")
    return found == [{"all": count, "each": count}]


def calendar_of(year: int, days: list[str] | None) -> dict[str, Any]:
    """The small contract, its calendar with this year or without."""
    published: dict[int, Any] = {NOW.year - 1: [], NOW.year: []}
    if days is not None:
        published[year] = [{"name": "Festival", "off": days}]
    calendar = SMALL["calendar"] | {"statutory": "CN", "published": published}
    promises = {name: SMALL["obligations"][name] for name in ("proposal", "resolution")}
    promises["resolution"] = promises["resolution"] | {"due": "300 working days"}
    return SMALL | {"calendar": calendar, "obligations": promises}


async def publish(system: System, body: dict[str, Any], since: datetime) -> None:
    async with transaction(system.engine) as connection:
        contract = Contract.model_validate(body)
        await contracts.publish(connection, contract, since, "owner", datetime.now(UTC))


async def test_a_year_that_became_known_re_plans_every_open_complaint_once(system: System, ombud: Ombud) -> None:
    """Thirty complaints under two versions: only those counted by other days are told, each due is counted anew once,
    the projections follow from the ledger, and a second run finds nothing to do."""
    year = NOW.year + 1
    festival = [f"{year}-02-0{n}" for n in range(1, 6)]
    await publish(system, calendar_of(year, None), NOW - timedelta(days=400))
    old = [system.open("small", f"OLD-{n:02}", kind="complaint") for n in range(20)]
    await asyncio.gather(*old)
    await eventually(lambda: _clocks(system, 40))
    await publish(system, calendar_of(year, festival), datetime.now(UTC))
    await asyncio.gather(*(system.open("small", f"NEW-{n:02}", kind="complaint") for n in range(10)))
    await eventually(lambda: _clocks(system, 60))
    before = {row["complaint"]: row for row in await _resolutions(system)}
    async with ombud.reading() as connection:
        found = await replanning.outstanding(connection, "small")
        forecast = await replanning.forecast(connection, found, LEAD, "Published.")
    assert sorted(found.years) == [year]
    assert {one.complaint for one in found.behind} == {f"small/OLD-{n:02}" for n in range(20)}
    assert (forecast.complaints, forecast.clocks["re-planned"], forecast.across) == (20, 20, [])
    circular = replanning.circular("small", found.years, LEAD, "The State Council's notice.")
    carried = await carry(ombud, circular, "replan-1")
    assert (carried.complaints, carried.taken) == (20, 20)
    await eventually(lambda: _replanned(system, 20))
    after = {row["complaint"]: row for row in await _resolutions(system)}
    for complaint, row in after.items():
        moved = "OLD" in complaint
        assert (row["due_at"] > before[complaint]["due_at"], row["replans"]) == (moved, int(moved))
        assert row["provisional"] is (row["due_at"].year > year)
    entries = await system.rows("SELECT body FROM ledger WHERE type = 'replanned'")
    assert {row["body"]["by"]["person"] for row in entries} == {"p.wang"}
    async with ombud.reading() as connection:
        assert (await replanning.outstanding(connection, "small")).behind == []
    assert await rebuild(system.engine, apply=False) == []
    for id_ in (circular_id("replan-1"), "complaint/small/OLD-00"):
        handle = system.client.get_workflow_handle(id_)
        await unharmed(handle)
        history = await handle.fetch_history()
        await Replayer(workflows=[CircularWorkflow, Complaint], data_converter=DATA_CONVERTER).replay_workflow(history)
    state = await ombud.state("small/OLD-00")
    assert list(state.calendar) == [str(year)]


async def test_a_re_planned_complaint_is_revived_under_its_calendar(system: System, ombud: Ombud) -> None:
    """Invariant 18: Temporal lost, the ledger alone gives back the due that the re-plan counted."""
    year = NOW.year + 1
    await publish(system, calendar_of(year, None), NOW - timedelta(days=400))
    handle = await system.open("small", "LOST-1", kind="complaint")
    await eventually(lambda: _clocks(system, 2))
    holidays: Years = {year: (Holiday.model_validate({"name": "Festival", "off": [f"{year}-02-01"]}),)}
    await carry(ombud, replanning.circular("small", holidays, LEAD, "Published."), "replan-2")
    case = await handle.query("state")
    await eventually(lambda: _replanned(system, 1))
    await handle.terminate()
    await ombud.revive("small/LOST-1")
    told = await ombud.tell("small/LOST-1", Note(text="Here again."))
    revived = await system.client.get_workflow_handle(handle.id).query("state")
    assert told.seq == case["seq"] + 1
    assert (revived["clocks"], revived["calendars"]) == (case["clocks"], case["calendars"])


async def _clocks(system: System, count: int) -> bool:
    return len(await system.rows("SELECT 1 FROM clocks WHERE complaint LIKE 'small/%'")) == count


async def _replanned(system: System, count: int) -> bool:
    return len(await system.rows("SELECT 1 FROM clocks WHERE replans > 0")) == count


async def _resolutions(system: System) -> list[dict[str, Any]]:
    query = "SELECT complaint, due_at, provisional, replans FROM clocks WHERE obligation = 'resolution'"
    return await system.rows(query)
