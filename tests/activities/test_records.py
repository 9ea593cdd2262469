"""The activities of a complaint against a real Postgres and a real Temporal."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.testing import ActivityEnvironment, WorkflowEnvironment

from activities.interface import Batch, Opened, Opening, Recorded, Stream, post_id
from activities.records import Records
from deploy.ports import free_port
from rules.commands import OpenComplaint
from rules.directory import Directory, Member
from rules.law import law_of
from rules.ledger import digest
from settings import Settings
from storage import directory, registry, rounds
from storage.content import Vault
from storage.database import create_engine, transaction
from storage.ledger import stream_of
from storage.rebuild import rebuild
from storage.tables import clocks, complaints, notices
from tests.support.recorded import at_noon, batch, claim, published
from tests.support.story import Story, law

START: dict[str, Any] = {
    "contract": "small",
    "reference": "R-1",
    "kind": "enquiry",
    "channel": "phone",
    "received_at": at_noon(2),
    "content": "It does not work.",
}


@pytest.fixture
def records(engine: AsyncEngine, temporal_env: WorkflowEnvironment, settings: Settings) -> Records:
    """The activities under test."""
    return Records(engine, temporal_env.client, settings)


@pytest.fixture
def person() -> str:
    """Somebody whose Post no other test touches."""
    return f"p.{uuid.uuid4().hex}"


async def opened(records: Records, *, run: str = "run-1", **fields: Any) -> Opened:
    start = OpenComplaint.model_validate(START | fields)
    asked = Opening(start=start, digest=digest(start), first_run=run, recorded_at=at_noon(2))
    return await ActivityEnvironment().run(records.open, asked)


async def standing(records: Records, *, run: str = "run-1", **fields: Any) -> str:
    return (await opened(records, run=run, **fields)).registered.standing


async def recorded(records: Records, work: Batch) -> Recorded:
    return await ActivityEnvironment().run(records.record, work)


async def held(engine: AsyncEngine, person: str, *roles: str, **roster: Any) -> None:
    """The person stands behind these roles, always unless a roster says when."""
    reached = {"name": "Somebody", "email": "somebody@example.com", "language": "en", "zone": "UTC"}
    who = Member.model_validate(reached | roster)
    whole = Directory(people={person: who}, roles={"*": dict.fromkeys(roles, (person,))})
    async with transaction(engine) as connection:
        await directory.replace(connection, whole)


async def pokes(client: Client, person: str) -> list[bool]:
    """Every poke that a person's Post got, and whether it was urgent."""
    history = await client.get_workflow_handle(post_id(person)).fetch_history()
    signals = [e for e in history.events if e.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED]
    sent = [e.workflow_execution_signaled_event_attributes.input.payloads for e in signals]
    return [(await client.data_converter.decode(payloads))[0] for payloads in sent]


def sad_story() -> Story:
    """An enquiry nobody answered for 20 minutes: three rungs and four notices."""
    story = Story().open("2026-03-02 10:00")
    story.live("2026-03-02 10:20")
    return story


async def test_a_complaint_is_pinned_to_a_snapshot_that_runs(records: Records, engine: AsyncEngine) -> None:
    """An opening hands out the contract in force as a law the core can run; another run is a duplicate of it."""
    assert await standing(records) == "unknown contract"
    async with transaction(engine) as connection:
        version = await published(connection)
    new = (await opened(records)).registered
    assert (new.standing, new.version) == ("new", version.version)
    assert law_of(new.contract or {}).contract == law().contract
    assert await standing(records, run="run-2") == "duplicate"
    assert await standing(records, run="run-2", content="Something else.") == "conflict"


async def test_a_complaint_that_is_registered_has_begun(
    records: Records, engine: AsyncEngine, settings: Settings
) -> None:
    """One step registers, records the opening with its clocks and keeps its words; the same run gets the same again."""
    async with transaction(engine) as connection:
        await published(connection)
    first = await opened(records)
    assert [entry.type for entry in first.entries] == ["opened", "clock_started"]
    again = await opened(records)
    assert (again.entries, again.registered) == (first.entries, first.registered)
    async with transaction(engine) as connection:
        assert (await connection.scalars(select(complaints.c.seq))).all() == [2]
        words = await Vault(settings.keyring).read(connection, stream_of("small/R-1"))
    assert words == {1: {"content": "It does not work."}}
    assert await rebuild(engine, apply=False) == []


async def test_who_opens_again_begins_as_it_did(records: Records, engine: AsyncEngine) -> None:
    """After a reset to its first task a run begins with what stands on record, whatever it would decide now; it meets
    the rest once it has heard again what it was told, so that nothing is taken twice."""
    async with transaction(engine) as connection:
        version = (await published(connection)).version
        await registry.register(connection, [claim()])
    story = sad_story()
    await recorded(records, batch(story, version))
    again = await opened(records, content="It is put otherwise.")
    assert list(again.entries) == story.entries[:2]
    assert await rebuild(engine, apply=False) == []


async def test_a_start_that_is_refused_leaves_its_reference_and_others_alone(
    records: Records, engine: AsyncEngine
) -> None:
    """Of several that are opened at once one knows a level that the contract does not: it alone is nothing."""
    async with transaction(engine) as connection:
        await published(connection)
    levels = {"R-1": None, "R-2": "9", "R-3": None}
    found = await asyncio.gather(*(opened(records, reference=name, level=level) for name, level in levels.items()))
    assert [one.registered.standing for one in found] == ["new", "refused", "new"]
    assert "level" in found[1].registered.message
    assert await standing(records, run="run-2", reference="R-2") == "new"


async def test_a_ledger_without_registration_is_not_taken_over(records: Records, engine: AsyncEngine) -> None:
    """What was lost of a complaint is not made up for by a stranger who starts under its reference."""
    async with transaction(engine) as connection:
        version = (await published(connection)).version
    story = sad_story()
    await recorded(records, batch(story, version))
    refused = (await opened(records)).registered
    assert (refused.standing, "ombud reconcile --apply" in refused.message) == ("conflict", True)
    loaded = await ActivityEnvironment().run(records.load, Stream(complaint="small/R-1"))
    assert list(loaded.entries) == story.entries


async def test_a_record_is_whole_and_pokes_whoever_is_told(
    records: Records, engine: AsyncEngine, temporal_env: WorkflowEnvironment, person: str
) -> None:
    """One record brings ledger, projections and one poke a person; nobody behind a role is reported back."""
    await held(engine, person, "handler.owner", "handler.team_lead")
    async with transaction(engine) as connection:
        version = (await published(connection)).version
        await registry.register(connection, [claim()])
    story = sad_story()
    result = await recorded(records, batch(story, version))
    manager = "small/R-1/first_response#1@due/handler.manager"
    assert (result.nobody, result.why) == ((manager,), {manager: "nobody stands behind the role"})
    assert result.at is not None
    loaded = await ActivityEnvironment().run(records.load, Stream(complaint="small/R-1"))
    assert list(loaded.entries) == story.entries
    assert await pokes(temporal_env.client, person) == [False]
    async with transaction(engine) as connection:
        assert (await connection.scalars(select(complaints.c.stage))).all() == ["received"]
        assert set((await connection.scalars(select(notices.c.state))).all()) == {"planned"}
    assert await rebuild(engine, apply=False) == []


async def test_nobody_on_duty_is_reported_back(
    records: Records, engine: AsyncEngine, temporal_env: WorkflowEnvironment, person: str
) -> None:
    """Invariant 13: a role whose holder is off duty now has nobody; the complaint is told why, and nobody is poked."""
    async with transaction(engine) as connection:
        version = (await published(connection)).version
        await registry.register(connection, [claim()])
    story = sad_story()
    gone = {"shifts": [{"on": "2026-03-02", "hours": "10:00-18:00"}]}
    await held(engine, person, "handler.owner", "handler.team_lead", "handler.manager", **gone)
    result = await recorded(records, batch(story, version))
    assert set(result.why.values()) == {"nobody on duty"}
    assert set(result.nobody) == set(result.why) == {n.key for entry in story.entries for n in entry.notices}
    with pytest.raises(RPCError, match="not found"):
        await pokes(temporal_env.client, person)


async def test_a_repeated_record_changes_nothing_and_tells_again(
    records: Records, engine: AsyncEngine, temporal_env: WorkflowEnvironment, person: str
) -> None:
    """A worker that dies after the commit and before the poke loses no notice: the repetition pokes again."""
    await held(engine, person, "handler.owner")
    async with transaction(engine) as connection:
        version = (await published(connection)).version
    work = batch(sad_story(), version)
    first = await recorded(records, work)
    again = await recorded(records, work)
    assert again.model_copy(update={"at": first.at}) == first
    assert await pokes(temporal_env.client, person) == [False, False]
    async with transaction(engine) as connection:
        assert len((await connection.execute(select(complaints))).all()) == 1


async def test_the_last_clock_of_a_herd_pokes(
    records: Records, engine: AsyncEngine, temporal_env: WorkflowEnvironment, person: str
) -> None:
    """Whoever has notices that gather is poked once no clock of the contract is past due and not judged: till then
    more is to come. Once nothing gathers any more each record pokes."""
    await held(engine, person, "handler.owner")
    async with transaction(engine) as connection:
        version = (await published(connection)).version
    waiting, work = Story().open("2026-03-02 10:00", reference="R-2"), batch(sad_story(), version)
    await recorded(records, batch(waiting, version))
    async with transaction(engine) as connection:
        now = datetime.now(UTC)
        await connection.execute(update(clocks).where(clocks.c.complaint == "small/R-2").values(due_at=now))
        await rounds.gather(connection, person, now + timedelta(seconds=15))
    await recorded(records, work)
    with pytest.raises(RPCError, match="not found"):
        await pokes(temporal_env.client, person)
    async with transaction(engine) as connection:
        await connection.execute(update(clocks).where(clocks.c.complaint == "small/R-2").values(missed_at=now))
    await recorded(records, work)
    assert await pokes(temporal_env.client, person) == [False]
    async with transaction(engine) as connection:
        await connection.execute(update(clocks).where(clocks.c.complaint == "small/R-2").values(missed_at=None))
        await rounds.begin(connection, person)
    await recorded(records, work)
    assert await pokes(temporal_env.client, person) == [False, False]


async def test_an_urgent_notice_pokes_urgently(
    records: Records, engine: AsyncEngine, temporal_env: WorkflowEnvironment, person: str
) -> None:
    """A level-3 warning is not held back: its poke says so (invariant 12)."""
    await held(engine, person, "handler.manager")
    async with transaction(engine) as connection:
        version = (await published(connection)).version
    story = Story().open("2026-03-02 10:00", level="3", now="2026-03-02 10:01", recorded="2026-03-02 10:00")
    urgent = [notice for entry in story.entries for notice in entry.notices if notice.urgent]
    assert urgent, "the story has an urgent notice"
    await recorded(records, batch(story, version))
    assert await pokes(temporal_env.client, person) == [True]


async def test_who_is_told_since_somebody_is_recused_is_poked(
    records: Records, engine: AsyncEngine, temporal_env: WorkflowEnvironment, person: str
) -> None:
    """Rule 37: what waits for somebody whom the complaint is against since goes to the second holder of the role, who
    is poked with the recusal. Once that is void it is the first one's again, who is poked too."""
    first, second = (f"{person}.{which}" for which in ("first", "second"))
    who = {"name": "Somebody", "email": "somebody@example.com", "language": "en", "zone": "UTC"}
    roles = {"*": {"handler.manager": (first, second)}}
    both = Directory(people={one: Member.model_validate(who) for one in (first, second)}, roles=roles)
    async with transaction(engine) as connection:
        await directory.replace(connection, both)
        version = (await published(connection)).version
    story, client = sad_story(), temporal_env.client
    await recorded(records, batch(story, version))
    assert await pokes(client, first) == [False]
    with pytest.raises(RPCError, match="not found"):
        await pokes(client, second)
    done = len(story.entries)
    story.tell("recuse", "2026-03-02 10:21", person=first, text="They know each other.")
    await recorded(records, batch(story, version, story.entries[done:]))
    assert (await pokes(client, first), await pokes(client, second)) == ([False], [True])
    recusal, done = story.entries[done].seq, len(story.entries)
    ann, bob = (
        {"role": role, "person": f"p.{name}"} for role, name in (("handler.owner", "a"), ("handler.manager", "b"))
    )
    story.tell("correct", "2026-03-02 10:22", entry=recusal, void=True, text="They do not.", by=ann)
    story.tell("approve_correction", "2026-03-02 10:23", entry=story.entries[-1].seq, by=bob)
    await recorded(records, batch(story, version, story.entries[done:]))
    assert (await pokes(client, first), await pokes(client, second)) == ([False, True], [True])


async def test_another_ledger_wins(records: Records, engine: AsyncEngine) -> None:
    """Where other entries stand already the record reports divergence, and leaves them and the projections alone."""
    async with transaction(engine) as connection:
        version = (await published(connection)).version
        await registry.register(connection, [claim()])
    story = sad_story()
    await recorded(records, batch(story, version))
    other = Story().open("2026-03-02 10:00")
    other.tell("respond", "2026-03-02 10:05")
    assert await recorded(records, batch(other, version)) == Recorded(diverged=True)
    loaded = await ActivityEnvironment().run(records.load, Stream(complaint="small/R-1"))
    assert list(loaded.entries) == story.entries
    assert await rebuild(engine, apply=False) == []


async def test_an_outage_is_a_clear_error_that_is_tried_again(
    settings: Settings, temporal_env: WorkflowEnvironment
) -> None:
    """With Postgres away every activity raises one retryable error that says what to do."""
    away = settings.model_copy(update={"database_url": f"postgresql+asyncpg://ombud:x@127.0.0.1:{free_port()}/ombud"})
    engine = create_engine(away.database_url)
    records = Records(engine, temporal_env.client, away)
    with pytest.raises(ApplicationError, match=r"Postgres does not answer at 127\.0\.0\.1") as error:
        await ActivityEnvironment().run(records.load, Stream(complaint="small/R-1"))
    assert error.value.type == "PostgresUnreachable"
    assert not error.value.non_retryable
    assert error.value.__suppress_context__, "no trail of the driver's errors"
    await engine.dispose()


async def test_lost_entries_are_named(records: Records, engine: AsyncEngine) -> None:
    """A database restored too old is an error that says so, not a hole in the ledger."""
    async with transaction(engine) as connection:
        version = (await published(connection)).version
    story = sad_story()
    with pytest.raises(ApplicationError, match=r"has no entry 1.*Restore a backup") as error:
        await recorded(records, batch(story, version, story.entries[1:]))
    assert error.value.type == "LedgerGap"
