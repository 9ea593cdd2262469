"""What stands around the complaints: each kind of damage is planted, found, left alone, and healed with --apply."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.client import ScheduleUpdate, ScheduleUpdateInput
from temporalio.testing import ActivityEnvironment

import activities.post
from activities.interface import Sending, post_id, retention_id, webhook_id
from rules.circular import Circular, letter
from rules.events import EVENTS
from rules.values import Actor
from storage import circulars, crowds, feed, recording, registry, standing, webhooks
from storage.content import Vault
from storage.database import transaction
from tests.reconcile.conftest import Reconcile, addressed, found, healed, quiet
from tests.support.damage import as_of, everything
from tests.support.recorded import published
from tests.support.smtp import NO_SUCH_USER, TRY_LATER, SmtpSink
from tests.support.story import SMALL, law
from tests.support.system import System
from tests.support.wait import eventually

BY = Actor(role="operations", person="p.ops")
LATE = {"level": "2", "kind": "complaint", "received_at": datetime.now(UTC) - timedelta(days=4)}


async def test_a_table_that_is_wrong_is_made_right(settled: System, run: Reconcile) -> None:
    """A notice without its row, and a row of no notice."""
    await _opened(settled, **LATE)
    await quiet(settled)
    (gone,) = await settled.rows("SELECT key FROM notices ORDER BY key LIMIT 1")
    async with transaction(settled.engine) as connection:
        await connection.execute(text("DELETE FROM notices WHERE key = :key"), gone)
        await connection.execute(text("UPDATE clocks SET due_at = due_at + interval '1 day' WHERE n = 1"))
    report = await run()
    assert ("table", f"notices {gone['key']}") in found(report)
    assert {damage.kind for damage in report.damages} >= {"table"}
    await healed(run)
    assert await settled.rows("SELECT 1 FROM notices WHERE key = :key AND accepted_at IS NOT NULL", **gone)


async def test_a_mail_whose_post_was_lost_is_sent(settled: System, run: Reconcile, smtp_sink: SmtpSink) -> None:
    """Claimed, not sent, and nobody runs to send it; what waits behind it as well."""
    smtp_sink.default = TRY_LATER
    await _opened(settled, **LATE)
    (claimed,) = await eventually(lambda: settled.rows("SELECT person FROM messages WHERE attempts > 0 LIMIT 1"))
    await settled.client.get_workflow_handle(post_id(claimed["person"])).terminate("lost")
    report = await run()
    assert ("mail waits", claimed["person"]) in found(report)
    smtp_sink.default = "250 2.0.0 taken"
    applied = await run(apply=True)
    assert applied.remaining == 0
    await eventually(lambda: settled.rows("SELECT 1 FROM messages WHERE accepted_at IS NOT NULL"))


async def test_a_mail_that_left_is_not_sent_again(settled: System, run: Reconcile, smtp_sink: SmtpSink) -> None:
    """Postgres at a time before a mail was put together: its record is written again from what its Post said."""
    smtp_sink.default = TRY_LATER
    await _opened(settled, **LATE)
    await eventually(lambda: settled.rows("SELECT 1 FROM messages WHERE attempts > 0"))
    (first,) = await settled.rows("SELECT min(claimed_at) AS at FROM messages")
    smtp_sink.default = "250 2.0.0 taken"
    persons = await settled.rows("SELECT DISTINCT person FROM messages")
    for row in persons:
        await settled.client.get_workflow_handle(post_id(row["person"])).signal("poke", arg=True)
    await quiet(settled)
    before = await settled.rows("SELECT stream, seq, body FROM ledger WHERE stream LIKE 'message/%' ORDER BY 1, 2")
    mails = len(smtp_sink.messages)
    await as_of(settled.engine, first["at"] - timedelta(milliseconds=1))
    report = await run()
    # What the complaint recorded behind the first claim is gone as well, where it came to that.
    kinds = {damage.kind for damage in report.damages} - {"ledger short"}
    assert kinds == {"mail unrecorded", "mail waits"}, report.as_json()
    applied = await healed(run)
    assert applied.counts["mails written again"] == len({row["stream"] for row in before})
    await quiet(settled)
    after = await settled.rows("SELECT stream, seq, body FROM ledger WHERE stream LIKE 'message/%' ORDER BY 1, 2")
    assert after == before
    assert len(smtp_sink.messages) == mails


async def test_nobody_behind_a_notice_is_told(settled: System, run: Reconcile, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notice whose role nobody holds, and whose complaint was never told so: its ladder goes on."""

    async def nobody_looks(*_: Any) -> dict[str, Any]:
        return {}

    async with transaction(settled.engine) as connection:
        await connection.execute(text("DELETE FROM holders"))
        await connection.execute(text("UPDATE directory_version SET version = gen_random_uuid()"))
    monkeypatch.setattr(recording, "addressees", nobody_looks)
    await _opened(settled, **LATE)
    waiting = await eventually(lambda: settled.rows("SELECT key FROM notices WHERE state = 'planned'"))
    monkeypatch.undo()
    report = await run()
    assert found(report) == {("nobody told of", row["key"]) for row in waiting}
    applied = await run(apply=True)
    assert applied.remaining == 0
    await eventually(lambda: _none(settled, "SELECT 1 FROM notices WHERE state = 'planned'"))


async def test_an_outcome_that_was_never_heard_is_told(
    settled: System, run: Reconcile, smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server refused a mail, and the word of it was lost on its way to the complaint."""

    async def lost(*_: Any) -> None:
        return

    monkeypatch.setattr(activities.post, "report", lost)
    smtp_sink.default = NO_SUCH_USER
    await _opened(settled, **LATE)
    await quiet_but_undeliverable(settled)
    monkeypatch.undo()
    refused = await settled.rows("SELECT key FROM notices WHERE undeliverable_at IS NOT NULL AND reason IS NULL")
    assert refused
    smtp_sink.default = "250 2.0.0 taken"
    assert found(await run()) == {("outcome unheard", row["key"]) for row in refused}
    await healed_in_the_end(settled, run)
    told = await settled.rows("SELECT count(*) AS n FROM ledger WHERE type = 'notice_undeliverable'")
    assert told == [{"n": len(refused)}]


async def test_an_acceptance_that_was_never_heard_is_told(
    settled: System, run: Reconcile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The acceptance of a notice meets an obligation, and the word of it was lost: the clock is met after all."""

    async def lost(*_: Any) -> None:
        return

    promise = SMALL["obligations"]["first_response"] | {"met by": {"any of": ["notice of note"]}}
    await _published(settled, {"first_response": promise}, {"note": "handler.manager"})
    monkeypatch.setattr(activities.post, "report", lost)
    handle = await settled.open("small", "A-1")
    await handle.execute_update("note", {"text": "It is told."})
    (told,) = await eventually(lambda: settled.rows("SELECT key FROM notices WHERE accepted_at IS NOT NULL"))
    await quiet(settled)
    monkeypatch.undo()
    assert found(await run()) == {("outcome unheard", told["key"])}
    await healed_in_the_end(settled, run)
    assert await settled.rows("SELECT 1 FROM clocks WHERE done_at IS NOT NULL")


async def test_an_answer_to_a_crowd_that_was_never_heard_is_told(settled: System, run: Reconcile) -> None:
    """The director answered for an incident, and nobody told the complaint that stands in it."""
    ladder = [{"at": "due", "tell": "handler.director", "per": "incident"}]
    promise = SMALL["obligations"]["first_response"] | {"due": "1 second", "ladder": ladder}
    await _published(settled, {"first_response": promise}, {})
    await settled.open("small", "A-1", incident="INC-7")
    query = "SELECT key, message, crowd, person FROM notices WHERE accepted_at IS NOT NULL AND crowd IS NOT NULL"
    (told,) = await eventually(lambda: settled.rows(query))
    await quiet(settled)
    by = Actor(role="handler.director", person=told["person"])
    async with transaction(settled.engine) as connection:
        now, vault = datetime.now(UTC), Vault(settled.settings.keyring)
        message, crowd = told["message"], told["crowd"]
        await crowds.answer(connection, vault, message, crowd, by, follow="noted", until=None, to=None, now=now)
    assert found(await run()) == {("answer unheard", told["key"])}
    await healed_in_the_end(settled, run)
    await eventually(lambda: settled.rows("SELECT 1 FROM ledger WHERE type = 'acknowledged'"))


async def test_a_subscriber_is_sent_what_waits(settled: System, run: Reconcile) -> None:
    """A cursor beyond the feed is set back, so that nothing slips under it; a lost sender runs again."""
    vault = Vault(settled.settings.keyring)
    async with transaction(settled.engine) as connection:
        hook = await webhooks.subscribe(
            connection, vault, contract=None, format_="cloudevents", events=EVENTS,
            origin="https://x.example.com", url="https://x.example.com", secret="s", by=BY, at=datetime.now(UTC),
        )  # fmt: skip
    await _opened(settled, level="2", kind="complaint")
    sender = settled.client.get_workflow_handle(webhook_id(hook.id))
    await eventually(lambda: _describes(settled, webhook_id(hook.id)))
    await sender.terminate("lost")
    await quiet(settled)
    async with transaction(settled.engine) as connection:
        head = await feed.head(connection)
        await standing.set_back(connection, hook.id, head + 100)
    assert found(await run()) == {("cursor ahead", hook.id)}
    applied = await run(apply=True)
    assert applied.remaining == 0
    async with transaction(settled.engine) as connection:
        assert [one.position for one in await webhooks.listing(connection)] == [head]
        await standing.set_back(connection, hook.id, 0)
    assert found(await run()) == {("webhook waits", f"{hook.id} https://x.example.com")}
    assert (await run(apply=True)).remaining == 0
    assert await _describes(settled, webhook_id(hook.id)) == "RUNNING"


async def test_a_registration_of_nothing_sets_its_reference_free(
    settled: System, run: Reconcile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash between registration and first entry: the start stands among the rejects and can be sent again."""
    monkeypatch.setattr(standing, "GRACE", timedelta())
    now = datetime.now(UTC)
    claim = registry.Claim("maintenance-service", "NEVER-1", "0" * 64, "a run that is lost", now, now)
    async with transaction(settled.engine) as connection:
        assert (await registry.register(connection, [claim]))[0].standing == "new"
    assert found(await run()) == {("never begun", "maintenance-service/NEVER-1")}
    await healed(run)
    (reject,) = await settled.rows("SELECT reason FROM rejects WHERE reference = 'NEVER-1'")
    assert "lost before it began" in reject["reason"]
    handle = await settled.open("maintenance-service", "NEVER-1", level="2")
    await handle.execute_update("note", {"text": "Opened after all."})


async def test_schedules_are_kept(settled: System, run: Reconcile) -> None:
    """One that is missing is made, one that starts something else is made right; a pause is somebody's decision."""
    queue = settled.settings.task_queue
    handle = settled.client.get_schedule_handle(retention_id(queue))
    await handle.delete()
    assert found(await run()) == {("schedule missing", retention_id(queue))}
    await healed(run)

    def wrong(given: ScheduleUpdateInput) -> ScheduleUpdate:
        schedule = given.description.schedule
        schedule.action.task_queue = "another"  # type: ignore[attr-defined]
        return ScheduleUpdate(schedule=schedule)

    await handle.update(wrong)
    assert found(await run()) == {("schedule stale", retention_id(queue))}
    await healed(run)
    await handle.pause(note="while the disk is full")
    applied = await run(apply=True)
    (paused,) = applied.damages
    assert (paused.kind, paused.said, paused.outcome) == ("schedule paused", "while the disk is full", "remains")


async def test_a_circular_that_was_lost_goes_on(
    settled: System, run: Reconcile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost when one of two complaints had answered: it is started again, the other is told, nobody twice."""
    monkeypatch.setattr(standing, "GRACE", timedelta())
    for reference in ("A-1", "A-2"):
        await _opened(settled, reference=reference, incident="I-7")
    await eventually(lambda: settled.rows("SELECT 1 FROM complaints HAVING count(*) = 2"))
    start = Circular(incident="I-7", command="note", body={"text": "We look into it."}, by=Actor(role="handler"))
    sent_at = datetime.now(UTC)
    office = await addressed(settled, "c-7", start, sent_at)
    letter_ = letter(start, "c-7", sent_at)
    monkeypatch.setattr("activities.circulars.ROUND", 1)
    sending = Sending(id="c-7", command="note", body=letter_.model_dump(mode="json", exclude_none=True))
    await ActivityEnvironment().run(office.send, sending)
    (stopped,) = (await run()).damages
    assert (stopped.kind, stopped.where, stopped.outcome) == ("circular stopped", "c-7", "found")
    applied = await run(apply=True)
    assert (applied.remaining, [damage.kind for damage in applied.damages]) == (0, ["circular stopped"])
    await eventually(lambda: settled.rows("SELECT 1 FROM circulars WHERE finished_at IS NOT NULL"))
    letters = await settled.rows("SELECT complaint, outcome FROM letters ORDER BY complaint")
    assert [row["outcome"] for row in letters] == ["taken", "taken"]
    told = "SELECT stream FROM ledger WHERE body ->> 'key' = 'circular/c-7' ORDER BY stream"
    streams = [row["stream"] for row in await settled.rows(told)]
    assert streams == [f"complaint/maintenance-service/A-{n}" for n in (1, 2)]
    assert found(await run()) == set()


async def test_a_circular_that_somebody_ended_is_left_alone(
    settled: System, run: Reconcile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever terminates a circular in the Web UI means it; so may have whoever did longer ago than Temporal knows."""
    monkeypatch.setattr(standing, "GRACE", timedelta())
    await _opened(settled, incident="I-7")
    await eventually(lambda: settled.rows("SELECT 1 FROM complaints"))
    start = Circular(incident="I-7", command="note", body={"text": "Wrong words."}, by=Actor(role="handler"))
    for id_, sent_at in (("c-8", datetime.now(UTC)), ("c-9", datetime.now(UTC) - timedelta(days=4000))):
        await addressed(settled, id_, start, sent_at)
    handle = await settled.client.start_workflow("Circular", id="circular/c-8", task_queue="nobody-works-here")
    await handle.terminate("wrong words")
    applied = await run(apply=True)
    assert [(damage.where, damage.outcome, damage.said) for damage in applied.damages] == [
        ("c-8", "remains", "not finished, and terminated"),
        ("c-9", "remains", "not finished, and runs nowhere"),
    ]
    assert await settled.rows("SELECT 1 FROM letters WHERE outcome IS NOT NULL") == []


async def test_a_circular_of_which_nothing_is_kept_is_told(
    settled: System, run: Reconcile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of a release that did not keep what it says: people have to send it again, and are told so."""
    monkeypatch.setattr(standing, "GRACE", timedelta())
    head = circulars.Head("c-1", "0" * 64, "note", None, "maintenance-service", "handler", datetime.now(UTC))
    async with transaction(settled.engine) as connection:
        await circulars.begin(connection, Vault(settled.settings.keyring), head, None)
    (stopped,) = (await run(apply=True)).damages
    assert (stopped.kind, stopped.where, stopped.outcome) == ("circular stopped", "c-1", "remains")
    assert "same id" in stopped.do


async def test_after_everything_was_lost_in_postgres(settled: System, run: Reconcile, smtp_sink: SmtpSink) -> None:
    """An empty Postgres with its contracts and people: complaints, clocks, notices and mails are there again."""
    await _opened(settled, **LATE)
    await quiet(settled)
    before, mails = await everything(settled.engine), len(smtp_sink.messages)
    await as_of(settled.engine, datetime(2020, 1, 1, tzinfo=UTC))
    assert not await settled.rows("SELECT 1 FROM complaints")
    await healed(run)
    after = await everything(settled.engine)
    assert {place: after["ledger"].get(place) for place in before["ledger"]} == before["ledger"]
    await quiet(settled)
    assert len(smtp_sink.messages) == mails


async def _published(system: System, obligations: dict[str, Any], notices: dict[str, str]) -> None:
    async with transaction(system.engine) as connection:
        await published(connection, law(obligations=obligations, notices=notices).contract)


async def _opened(system: System, **fields: Any) -> None:
    handle = await system.open("maintenance-service", **{"reference": "A-1", **fields})
    await handle.execute_update("note", {"text": "Opened."})


async def quiet_but_undeliverable(system: System) -> None:
    """Until every message came to its end."""
    await quiet(system)
    await eventually(lambda: _none(system, "SELECT 1 FROM messages WHERE state = 'claimed'"))


async def healed_in_the_end(system: System, run: Reconcile) -> None:
    """Applied again as often as healing one thing brings the next to light, such as a ladder that goes on."""
    applied = await run(apply=True)
    assert applied.remaining == 0
    await eventually(lambda: _none(system, "SELECT 1 FROM messages WHERE untold"))
    await quiet(system)
    assert found(await run()) == set()


async def _none(system: System, query: str) -> bool:
    return not await system.rows(query)


async def _describes(system: System, workflow_id: str) -> str:
    described = await system.client.get_workflow_handle(workflow_id).describe()
    return described.status.name if described.status else ""
