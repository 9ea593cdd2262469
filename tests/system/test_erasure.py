"""Erasure in a running system: what Temporal holds goes, too, open complaints go on, and the daily sweep does it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer

from activities import waking
from activities.forgetting import Forgotten, forget, forget_all
from activities.interface import Swept, retention_id
from activities.schedule import HOUR, MINUTE, keep_schedules
from rules.commands import Accept, Answer, Note, Respond
from rules.values import Actor
from starter.client import Ombud
from starter.erasing import erase_one, sweep
from starter.errors import Closed, Refused
from storage import contracts, erasure, holds
from storage.content import ErasedError, Vault
from storage.database import transaction
from storage.ledger import stream_of
from storage.rebuild import rebuild
from tests.starter.conftest import command_line, environment, opening
from tests.storage.test_erasure import closed, recorded
from tests.support.damage import unguarded
from tests.support.system import System
from tests.support.wait import eventually
from wire.client import DATA_CONVERTER
from workflows.complaint import Complaint

OFFICER = Actor(role="handler", person="p.gdpr")
SECRET = b"Ms-Wexford"

LAST = "SELECT type FROM ledger WHERE stream = :s ORDER BY seq DESC LIMIT 1"

SLOW = 150.0
"""Seconds: the server takes half a minute to delete what it was asked to."""

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def ombud(system: System) -> Ombud:
    return Ombud(system.client, system.engine, task_queue=system.settings.task_queue)


@pytest.fixture
def vault(system: System) -> Vault:
    return Vault(system.settings.keyring)


async def opened(ombud: Ombud, **fields: Any) -> str:
    """A complaint whose words hold a name, received just now."""
    words = {"content": f"{SECRET.decode()} asks.", "received_at": datetime.now(UTC)}
    start = opening(kind="enquiry", category="usage", level="1", **(words | fields))
    name = (await ombud.open(start)).complaint
    await ombud.tell(name, Respond(text=f"Dear {SECRET.decode()}"))
    return name


async def close(ombud: Ombud, complaint: str) -> None:
    await ombud.tell(complaint, Answer(text=f"{SECRET.decode()}, see the manual."))
    await ombud.tell(complaint, Accept())
    await eventually(lambda: _ended(ombud, complaint))


async def _ended(ombud: Ombud, complaint: str) -> bool:
    return not await ombud.runs(complaint)


def handle(ombud: Ombud, complaint: str, run: str | None = None) -> WorkflowHandle[Any, Any]:
    return ombud.temporal.get_workflow_handle(f"complaint/{complaint}", run_id=run)


async def gone(ombud: Ombud, complaint: str, run: str | None = None) -> bool:
    """Whether Temporal has forgotten a run."""
    try:
        await handle(ombud, complaint, run).describe()
    except RPCError as error:
        return error.status == RPCStatusCode.NOT_FOUND
    return False


async def reads(system: System, vault: Vault, complaint: str) -> bool:
    async with transaction(system.engine) as connection:
        try:
            return bool(await vault.read(connection, stream_of(complaint)))
        except ErasedError:
            return False


async def test_a_closed_complaint(system: System, ombud: Ombud, vault: Vault) -> None:
    """Its words and its history go; its state, its answers to commands and its reference stay as they were."""
    name = await opened(ombud)
    run = (await handle(ombud, name).describe()).run_id
    await close(ombud, name)
    before = await ombud.state(name)
    said = await erase_one(ombud, vault, name, OFFICER, "letter L-9")
    assert said == f"{name}: erased, 1 history deleted"
    assert not await reads(system, vault, name)
    await eventually(lambda: gone(ombud, name, run), SLOW)
    assert await ombud.state(name) == before
    with pytest.raises(Closed):
        await ombud.tell(name, Answer(text="x"))
    assert (await sweep(ombud)).forgotten == 0
    await ombud.tell(name, Note(text=f"{SECRET.decode()} called after the end."))
    await eventually(lambda: _ended(ombud, name))
    assert not await reads(system, vault, name)
    assert (await sweep(ombud)).forgotten == 1
    again = await erase_one(ombud, vault, name, OFFICER, "letter L-9")
    assert again.startswith(f"{name}: was erased before")


async def test_an_open_complaint_goes_on(system: System, ombud: Ombud, vault: Vault) -> None:
    """It takes commands and meets its clocks as before; no history and no table holds a word of then or of later."""
    name = await opened(ombud)
    first = (await handle(ombud, name).describe()).run_id
    words = "SELECT seq FROM content WHERE stream = :s ORDER BY seq, field"
    sealed = await eventually(lambda: _two(system, words, name))
    said = await erase_one(ombud, vault, name, OFFICER, "letter L-9")
    assert said == f"{name}: erased, 1 history deleted; it is open and goes on without words"
    assert (await handle(ombud, name).describe()).run_id != first
    await eventually(lambda: gone(ombud, name, first), SLOW)
    history = await handle(ombud, name).fetch_history()
    assert not any(SECRET in event.SerializeToString() for event in history.events)
    await Replayer(workflows=[Complaint], data_converter=DATA_CONVERTER).replay_workflow(history)
    await close(ombud, name)
    state = await ombud.state(name)
    assert (state.closed_reason, state.missed) == ("accepted", 0)
    assert [entry.type for entry in state.entries].count("answered") == 1
    assert await system.rows(words, s=stream_of(name)) == sealed
    # What was told after the erasure passed through Temporal: the next sweep has it forgotten.
    assert (await sweep(ombud)).forgotten == 1
    assert (await sweep(ombud)).forgotten == 0


async def test_words_that_come_on_no_record(system: System, ombud: Ombud, vault: Vault) -> None:
    """What a closed, erased complaint refuses and whoever starts it again leave nothing on record of it but that
    Temporal holds their words; the next sweep deletes these histories, and none after it."""
    start = opening(kind="enquiry", category="usage", level="1", content=f"{SECRET.decode()} asks.")
    name = await opened(ombud, reference=start.reference, received_at=start.received_at)
    await close(ombud, name)
    await erase_one(ombud, vault, name, OFFICER, "letter L-9")
    assert await system.rows(LAST, s=f"privacy/{name}") == [{"type": "forgotten"}]
    ledger = await system.rows("SELECT * FROM ledger WHERE stream = :s", s=stream_of(name))
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with pytest.raises(Refused, match="future"):
        await ombud.tell(name, Note(text=f"{SECRET.decode()} called.", occurred_at=tomorrow))
    runs = [(await handle(ombud, name).describe()).run_id]
    assert await system.rows(LAST, s=f"privacy/{name}") == [{"type": "remembered"}]
    other = start.model_copy(update={"content": f"{SECRET.decode()} complains."})
    for again, ends in ((start, "COMPLETED"), (other, "FAILED"), ({"content": start.content}, "FAILED")):
        run = await system.client.start_workflow(
            "Complaint", again, id=f"complaint/{name}", task_queue=system.settings.task_queue
        )
        await eventually(lambda: _ended(ombud, name))
        described = await run.describe()
        assert described.status is not None
        assert described.status.name == ends
        runs.append(described.run_id)
    assert len(set(runs)) == 4
    assert await system.rows("SELECT * FROM ledger WHERE stream = :s", s=stream_of(name)) == ledger
    assert (await sweep(ombud)).forgotten == 1
    for run_id in runs:
        await eventually(partial(gone, ombud, name, run_id), SLOW)
    assert (await sweep(ombud)).forgotten == 0
    assert await rebuild(system.engine, apply=False) == []


async def test_what_runs_is_left_to_the_next_sweep(system: System, ombud: Ombud, vault: Vault) -> None:
    """A closed complaint that was woken, by a command that no worker has taken yet, is not on record as forgotten
    before that run is over and deleted, too."""
    name = await opened(ombud)
    await close(ombud, name)
    async with transaction(system.engine) as connection:
        await erasure.erase(connection, vault, name, OFFICER, "request", datetime.now(UTC))
    await waking.signal(system.client, "nobody-polls-here", name, "note", {"text": f"{SECRET.decode()} called."})
    assert (await sweep(ombud)).forgotten == 0
    await handle(ombud, name).terminate()
    assert (await sweep(ombud)).forgotten == 1


async def test_a_command_in_the_midst_of_an_erasure(
    system: System, ombud: Ombud, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever erases learns that a command came meanwhile; what Temporal holds of it goes with the next sweep."""
    name = await opened(ombud)
    await close(ombud, name)

    async def and_woken(client: Client, carriers: Sequence[str]) -> Forgotten:
        gone = await forget_all(client, carriers)
        await ombud.tell(name, Note(text=f"{SECRET.decode()} called."))
        await eventually(lambda: _ended(ombud, name))
        return gone

    monkeypatch.setattr("starter.erasing.forget_all", and_woken)
    said = await erase_one(ombud, vault, name, OFFICER, "letter L-9")
    assert said.endswith("1 history deleted; a command came meanwhile, whose words go with the next sweep")
    assert (await sweep(ombud)).forgotten == 1
    assert (await sweep(ombud)).forgotten == 0


async def _two(system: System, query: str, complaint: str) -> list[dict[str, Any]] | None:
    """The texts of a complaint, once its opening and its first answer are on record."""
    rows = await system.rows(query, s=stream_of(complaint))
    return rows if len(rows) == 2 else None


async def test_words_on_their_way_are_not_carried_on(system: System, ombud: Ombud) -> None:
    """Renewed with a command in hand, a complaint first records it: the new run's history begins without words."""
    name = await opened(ombud)
    complaint = handle(ombud, name)
    first = (await complaint.describe()).run_id
    await complaint.signal("renew")
    await ombud.tell(name, Note(text=f"{SECRET.decode()} called."))

    async def renewed() -> bool:
        return (await complaint.describe()).run_id != first

    await eventually(renewed)
    history = await complaint.fetch_history()
    started = history.events[0].workflow_execution_started_event_attributes
    assert started.continued_execution_run_id == first
    assert SECRET not in started.SerializeToString()


async def test_a_run_that_works_is_never_deleted(system: System, ombud: Ombud) -> None:
    """Deleting a run that works would end its complaint: while nothing can take its place, nothing is deleted."""
    name = f"maintenance-service/{opening().reference}"
    start = opening(reference=name.partition("/")[2])
    nobody = Ombud(system.client, task_queue="nobody-polls-here")
    await nobody.open(start)
    assert await forget(system.client, name, patience=timedelta(milliseconds=300)) == (0, True, True)
    assert await nobody.runs(name)
    await handle(nobody, name).terminate()


async def test_on_the_command_line(system: System, ombud: Ombud, tmp_path: Path) -> None:
    """A hold refuses, a person's complaints go together, what is kept is said, and the sweep lists before it erases."""
    cli = command_line(environment(system.settings, system.client.service_client.config.target_host), tmp_path)
    person = f"c-{opening().reference}"
    held, free = [await opened(ombud, complainant={"id": person}) for _ in range(2)]
    by = ("--by", "handler/p.gdpr", "--reason", "dispute D-4")
    done = await cli("hold", "set", held, "--until", "2199-12-31", *by)
    assert (done.code, "is held until 2" in done.out) == (0, True)
    listed = await cli("hold", "list")
    assert held in listed.out
    assert "dispute D-4" in listed.out
    done = await cli("erase", held, "--yes", *by)
    assert done.code == 1
    assert f"{held} is held until 2" in done.err
    done = await cli("erase", "--complainant", person, "--yes", *by)
    assert done.code == 1
    assert "a restore of an older dump would bring this back" in done.err
    assert f"{free}: erased" in done.out
    assert f"{held} is held" in done.err
    assert (await cli("hold", "lift", held, *by)).out == f"{held}: 1 hold lifted\n"
    done = await cli("erase", held, *by, stdin="n\n")
    assert done.code == 1
    done = await cli("erase", held, *by, stdin="y\n")
    assert (done.code, f"{held}: erased" in done.out) == (0, True)
    for wrong in (("erase", *by), ("erase", free, "--complainant", person, *by), ("erase", "small/none", "--yes", *by)):
        assert (await cli(*wrong)).code == 1
    assert "has passed" in (await cli("hold", "set", held, "--until", "2020-01-01", *by)).err
    assert (await cli("retention", "--dry-run")).out == "0 would be erased, 0 are held\n"
    done = await cli("retention")
    assert (done.code, "0 erased, 0 held" in done.out) == (0, True)


async def test_what_a_restore_brings_back_is_erased_again(
    system: System, ombud: Ombud, vault: Vault, tmp_path: Path
) -> None:
    """A dump from before two erasures brings the keys back; the list kept apart from Postgres erases again what it
    names, closed or open, leaves alone what was opened after the dump, and says what a hold keeps."""
    variables = environment(system.settings, system.client.service_client.config.target_host)
    kept = tmp_path / "apart" / "erasures.jsonl"
    cli = command_line(variables | {"OMBUD_ERASURES_FILE": str(kept)}, tmp_path)
    by = ("--by", "handler/p.gdpr", "--reason", "letter L-9")
    closed_, open_, held = [await opened(ombud) for _ in range(3)]
    await close(ombud, closed_)
    await eventually(lambda: _read_by(system, vault, closed_, open_, held))
    dumped = await system.rows("SELECT stream, wraps FROM content_keys")

    unwritten = await cli("erase", closed_, "--yes", *by)
    assert (unwritten.code, "cannot be added" in unwritten.err) == (2, True)
    kept.parent.mkdir()
    for complaint in (closed_, open_, held):
        assert (await cli("erase", complaint, "--yes", *by)).code == 0
    assert not any([await reads(system, vault, one) for one in (closed_, open_, held)])
    listed = (await cli("erasures")).out
    assert sorted(json.loads(line)["complaint"] for line in listed.splitlines()) == sorted((closed_, open_, held))

    async with unguarded(system.engine) as connection:  # as the dump had it: keys, and no word of an erasure
        for row in dumped:
            again = "UPDATE content_keys SET wraps = CAST(:wraps AS jsonb), destroyed_at = NULL WHERE stream = :stream"
            wraps = json.dumps(row["wraps"])
            await connection.execute(text(again), {"stream": row["stream"], "wraps": wraps})
        await connection.execute(text("DELETE FROM ledger WHERE stream LIKE 'privacy/%'"))
        await connection.execute(text("DELETE FROM content WHERE stream LIKE 'privacy/%'"))
        await connection.execute(text("UPDATE complaints SET erased_at = NULL, forgotten_at = NULL"))
    assert all([await reads(system, vault, one) for one in (closed_, open_, held)])
    assert (await cli("hold", "set", held, *by)).code == 0
    with kept.open("a") as file:
        file.write('{"complaint": "maintenance-service/after-the-dump"}\n')

    done = await cli("erase", "--again", str(kept), "--yes", *by)
    assert done.code == 1, done.out
    assert "2 erased, 1 not on record, 1 left" in done.out
    assert f"{held} is held" in done.err
    assert [await reads(system, vault, one) for one in (closed_, open_, held)] == [False, False, True]
    assert (await cli("hold", "lift", held, *by)).code == 0
    done = await cli("erase", "--again", str(kept), "--yes", *by)
    assert (done.code, "3 erased, 1 not on record, 0 left" in done.out) == (0, True)
    assert not await reads(system, vault, held)
    kept.write_text('{"complaint": "x"}\n')
    wrong = await cli("erase", "--again", str(kept), "--yes", *by)
    assert (wrong.code, "line 1" in wrong.err) == (1, True)


async def _read_by(system: System, vault: Vault, *complaints: str) -> bool:
    return all([await reads(system, vault, one) for one in complaints])


async def test_the_sweep(system: System, ombud: Ombud, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheduled workflow erases every complaint whose time is over, in batches, and leaves what is held."""
    monkeypatch.setattr("activities.erasing.BATCH", 3)
    stories = [closed(f"R-{n}", retention={"content": "30 days"}) for n in range(1, 9)]
    async with transaction(system.engine) as connection:
        await contracts.published(connection)
        await recorded(connection, vault, *stories)
        await holds.set_hold(connection, vault, "small/R-4", OFFICER, "dispute", datetime.now(UTC))
    await keep_schedules(system.client, system.settings.task_queue)
    await keep_schedules(system.client, system.settings.task_queue)
    schedule = system.client.get_schedule_handle(retention_id(system.settings.task_queue))
    described = await schedule.describe()
    (calendar,) = described.schedule.spec.calendars
    assert (calendar.hour[0].start, calendar.minute[0].start) == (HOUR, MINUTE)
    await schedule.trigger()
    (action,) = await eventually(lambda: _actions(schedule))
    run = system.client.get_workflow_handle(
        action.action.workflow_id, run_id=action.action.first_execution_run_id, result_type=Swept
    )
    swept = await run.result()
    await schedule.delete()
    assert (swept.erased, swept.held, swept.forgotten) == (7, 1, 7)
    assert [await reads(system, vault, f"small/R-{n}") for n in (3, 4, 5)] == [False, True, False]
    rows = await system.rows("SELECT body FROM ledger WHERE type = 'erased' ORDER BY stream")
    assert len(rows) == 7
    assert {(row["body"]["by"]["role"], row["body"]["data"]["why"]) for row in rows} == {("ombud", "retention")}


async def _actions(schedule: Any) -> list[Any]:
    return list((await schedule.describe()).info.recent_actions)


async def test_what_must_be_kept(system: System, ombud: Ombud, vault: Vault) -> None:
    """What the contract keeps is refused before anything is destroyed or deleted."""
    async with transaction(system.engine) as connection:
        await recorded(connection, vault, closed(retention={"at least": "100 years"}))
    with pytest.raises(Refused, match="must be kept until 2126"):
        await erase_one(ombud, vault, "small/R-1", OFFICER, "x")
    assert await reads(system, vault, "small/R-1")
