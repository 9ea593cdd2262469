"""Ledgers that Postgres lost a part of, and workflows that Temporal lost a part of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import WorkflowHandle

from activities.interface import RENEW
from rules.commands import Accept, Answer, Respond
from starter.client import Ombud
from storage.content import Vault
from storage.rebuild import rebuild
from tests.reconcile.conftest import Reconcile, found, healed, quiet
from tests.support.damage import as_of, everything, on_record_alone, unguarded
from tests.support.smtp import SmtpSink
from tests.support.system import System
from tests.support.wait import eventually

OPENED = {"level": "2", "kind": "complaint"}


async def test_a_sound_system_is_left_alone(settled: System, run: Reconcile) -> None:
    """Open, closed, carried on and refused complaints, compared entry by entry: nothing is wrong."""
    opened = await settled.open("maintenance-service", "S-1", **OPENED)
    await opened.execute_update("note", {"text": "Opened."})
    closed = await settled.open("maintenance-service", "S-2", kind="enquiry")
    for command in ("answer", "accept"):
        await closed.execute_update(command, {"text": "Done."} if command == "answer" else {})
    await closed.result()
    renewed = await settled.open("maintenance-service", "S-3", **OPENED)
    await renewed.execute_update("note", {"text": "Before."})
    await renewed.signal(RENEW)
    await _another_run(settled, renewed)
    strangers = (("complaint/maintenance-service/bad", {"nonsense": 1}), ("anything", [1]), ("complaint/x", "y"))
    for name, nonsense in strangers:
        await settled.client.start_workflow("Complaint", nonsense, id=name, task_queue=settled.settings.task_queue)
    await settled.client.start_workflow(
        "Complaint", 1, id="complaint/x/cron", task_queue=settled.settings.task_queue, cron_schedule="* * * * *"
    )
    await quiet(settled)
    report = await run(thorough=True)
    assert found(report) == set(), report.as_json()
    assert report.counts["open complaints"] == 2
    await settled.client.get_workflow_handle("complaint/x/cron").terminate()


async def test_what_postgres_lost_is_written_again(settled: System, run: Reconcile, smtp_sink: SmtpSink) -> None:
    """Postgres at an earlier time: one complaint shorter, one not there, one not closed. All of it comes back, words
    and registrations too; what the run before shows, nothing is changed without --apply; and no mail leaves again."""
    late = datetime.now(UTC) - timedelta(days=4)
    first = await settled.open("maintenance-service", "P-1", received_at=late, **OPENED)
    await first.execute_update("note", {"text": "Opened."})
    closing = await settled.open("maintenance-service", "P-2", kind="enquiry")
    await closing.execute_update("note", {"text": "Early."})
    await quiet(settled)
    moment = datetime.now(UTC)
    await first.execute_update("respond", {"text": "We are on it.", "key": "k1"})
    await first.execute_update("hand_over", {"to": "principal.department.quality", "text": "Yours."})
    third = await settled.open("maintenance-service", "P-3", received_at=late, content="A leak.", **OPENED)
    await closing.execute_update("answer", {"text": "So it is."})
    await closing.execute_update("accept", {})
    await closing.result()
    await third.execute_update("note", {"text": "Opened."})
    await quiet(settled)
    before, mails = await everything(settled.engine), len(smtp_sink.messages)
    await as_of(settled.engine, moment)
    assert await everything(settled.engine) != before

    report = await run()
    shorter = {("ledger short", f"maintenance-service/P-{n}") for n in (1, 2, 3)}
    assert found(report) == shorter, report.as_json()
    assert await everything(settled.engine) != before, "looking changes nothing"
    applied = await healed(run)
    assert applied.counts["registrations written again"] == 1
    after = await everything(settled.engine)
    assert {place: after["ledger"].get(place) for place in before["ledger"]} == before["ledger"]
    assert set(before["words"]) <= set(after["words"])
    assert after["registry"] == before["registry"]
    assert await rebuild(settled.engine, apply=False) == []
    again = await first.execute_update("respond", {"text": "We are on it.", "key": "k1"})
    assert again["event"] == "responded"
    await quiet(settled)
    assert len(smtp_sink.messages) == mails


async def test_runs_before_the_present_one_are_read_as_well(settled: System, run: Reconcile) -> None:
    """Entries decided before a run continued as new, and before one was revived, come back with their words."""
    renewed = await settled.open("maintenance-service", "R-1", **OPENED)
    await renewed.execute_update("note", {"text": "In the first run."})
    await renewed.signal(RENEW)
    await _another_run(settled, renewed)
    again = settled.client.get_workflow_handle(renewed.id)
    await again.execute_update("note", {"text": "In the second run."})
    revived = await settled.open("maintenance-service", "R-2", **OPENED)
    await revived.execute_update("note", {"text": "Before it was lost."})
    await quiet(settled)
    await revived.terminate("lost")
    await Ombud(settled.client, settled.engine, task_queue=settled.settings.task_queue).revive(
        "maintenance-service/R-2"
    )
    await settled.client.get_workflow_handle(revived.id).execute_update("note", {"text": "Since then."})
    await quiet(settled)
    before = await everything(settled.engine)
    await as_of(settled.engine, datetime(2020, 1, 1, tzinfo=UTC))
    assert not (await everything(settled.engine))["ledger"]
    report = await healed(run)
    assert {damage.kind for damage in report.damages} == {"ledger short"}
    after = await everything(settled.engine)
    assert {place: after["ledger"].get(place) for place in before["ledger"]} == before["ledger"]
    assert set(before["words"]) <= set(after["words"])


async def test_a_lost_complaint_goes_on(settled: System, run: Reconcile) -> None:
    """Open in Postgres and terminated in Temporal: found, left alone without --apply, brought back with it."""
    handle = await settled.open("maintenance-service", "L-1", **OPENED)
    await handle.execute_update("note", {"text": "Before."})
    await quiet(settled)
    await handle.terminate("lost")
    report = await run()
    assert found(report) == {("lost", "maintenance-service/L-1")}
    assert found(await run()) == found(report)
    await healed(run)
    await settled.client.get_workflow_handle(handle.id).execute_update("note", {"text": "Since then."})


async def test_a_workflow_behind_its_ledger_goes_on_from_there(settled: System, run: Reconcile) -> None:
    """Temporal at an earlier time, one complaint open and one closed since: each takes over what the ledger says."""
    open_ = await settled.open("maintenance-service", "B-1", **OPENED)
    closed = await settled.open("maintenance-service", "B-2", kind="enquiry")
    for handle in (open_, closed):
        await handle.execute_update("note", {"text": "Opened."})
    await quiet(settled)
    vault = Vault(settled.settings.keyring)
    respond = Respond(text="We are on it.", key="k")
    answered = (Answer(text="So it is."), Accept())
    await on_record_alone(settled.engine, vault, "maintenance-service/B-1", respond)
    await on_record_alone(settled.engine, vault, "maintenance-service/B-2", *answered)
    before = await everything(settled.engine)
    behind = ("workflow behind", "maintenance-service/B-1")
    stands = ("closed and running", "maintenance-service/B-2")
    assert found(await run(tables=False)) == {behind, stands}
    await healed(run, thorough=True)
    assert (await closed.result())["closed"]
    after = await everything(settled.engine)
    assert {place: after["ledger"].get(place) for place in before["ledger"]} == before["ledger"]
    again = await open_.execute_update("respond", respond.model_dump(mode="json", exclude_none=True))
    assert again["seq"] in {seq for _, seq in before["ledger"]}, "what the ledger told it is known again"


async def test_a_ledger_nobody_registered_is_registered_again(settled: System, run: Reconcile) -> None:
    """A registration that is gone is written again as it was, from what the complaint was opened with."""
    handle = await settled.open("maintenance-service", "G-1", **OPENED)
    await handle.execute_update("note", {"text": "Opened."})
    await quiet(settled)
    before = await everything(settled.engine)
    async with unguarded(settled.engine) as connection:
        await connection.exec_driver_sql("DELETE FROM registry")
    report = await run()
    assert ("not registered", "maintenance-service/G-1") in found(report)
    await healed(run)
    assert await everything(settled.engine) == before


async def test_words_that_differ_are_found_by_a_thorough_look(settled: System, run: Reconcile) -> None:
    """Another entry at the same place: only a comparison entry by entry finds it; the ledger is right."""
    handle = await settled.open("maintenance-service", "D-1", **OPENED)
    await handle.execute_update("assign", {"person": "p.one"})
    await quiet(settled)
    async with unguarded(settled.engine) as connection:
        await connection.exec_driver_sql(
            "UPDATE ledger SET body = jsonb_set(body, '{data,person}', '\"p.two\"') WHERE type = 'assigned'"
        )
    await rebuild(settled.engine, apply=True)
    assert found(await run()) == set()
    assert found(await run(thorough=True)) == {("differs", "maintenance-service/D-1")}
    await healed(run, thorough=True)
    assert (await handle.query("state"))["owner"] == "p.two"


async def _another_run(system: System, handle: WorkflowHandle[Any, Any]) -> None:
    """Until the next run of a complaint is under way."""
    first = handle.first_execution_run_id

    async def renewed() -> bool:
        return (await system.client.get_workflow_handle(handle.id).describe()).run_id != first

    await eventually(renewed)
