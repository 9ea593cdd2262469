"""A run that does not come to its end ends all the same, in time, and names what waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from deploy.ports import free_port
from faults import machines, players, run
from faults.eraser import Eraser
from faults.machines import Machine, NotServingError
from faults.players import Database, Played, Stage
from faults.quiet import restless
from faults.results import Results
from faults.stories import Step
from faults.sweeps import Sweeps
from faults.writer import Writer
from rules.events import EVENTS
from rules.values import SYSTEM
from storage import webhooks
from storage.content import Vault
from storage.database import create_engine, transaction
from storage.recording import record
from tests.faults.test_judge import BEGAN, GRANT, LAWS
from tests.support.recorded import batch, on_record, peopled
from tests.support.story import Story
from tests.support.wait import eventually

URL = "https://example.com/hook"


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    """The same database, as the players ask it."""
    made = Database(postgres_url)
    yield made
    await made.close()


async def test_what_waits_is_named(engine: AsyncEngine, database: Database) -> None:
    """An open complaint, a notice that nobody claims, a circular that does not end and events that are not told: each
    is a finding. Nothing is one before there is a complaint, and a webhook that is paused is told no more."""
    vault = Vault(bytes(range(32)))
    assert await restless(database, engine, 0, within=0) == []
    story = Story().open("2026-03-02 10:00")
    story.live("2026-03-02 10:20")
    told: dict[str, Any] = {"events": EVENTS, "origin": URL, "url": URL, "secret": "whsec_" + "A" * 32}
    async with transaction(engine) as connection:
        await peopled(connection)
        hook = await webhooks.subscribe(
            connection, vault, contract="small", format_="cloudevents", by=SYSTEM, at=datetime.now(UTC), **told
        )
    version = await on_record(engine, vault, story)
    found = [str(finding) for finding in await restless(database, engine, 2, within=0)]
    notice = "small/R-1/first_response#1@due/handler.manager"
    assert "small/R-1: not quiet after 0 seconds: it is open" in found
    assert f"small/R-1: not quiet after 0 seconds: the notice {notice} waits for somebody to claim it" in found
    assert "the circulars: not quiet after 0 seconds: 0 of 2 have ended" in found
    assert any(line.startswith("the webhook of small: not quiet after 0 seconds: events since") for line in found)
    story.tell("withdraw", "2026-03-02 10:21", by={"role": "complainant"})
    async with transaction(engine) as connection:
        await record(connection, vault, [batch(story, version)])
        await webhooks.pause(connection, vault, hook.id, "gone", SYSTEM, datetime.now(UTC))
    ended = [str(finding) for finding in await restless(database, engine, 0, within=0)]
    assert not any("it is open" in line or "the webhook of" in line for line in ended)


async def test_a_postgres_that_is_away_is_a_finding() -> None:
    """Nobody can say what waits; that is said, and not waited for."""
    url = f"postgresql+asyncpg://ombud:x@127.0.0.1:{free_port()}/ombud"
    engine, database = create_engine(url), Database(url)
    assert [str(one) for one in await restless(database, engine, 0, within=0)] == [
        "the run: not quiet after 0 seconds: Postgres does not answer"
    ]
    await engine.dispose()


class Deaf(Stage):
    """Nothing ever comes true, and what is told is noted."""

    def __init__(self, database: Database) -> None:
        super().__init__(free_port(), "token", GRANT, database, Eraser({}, database, 1).erase)
        self.told: list[str] = []

    async def _true(self, query: str, *_arguments: Any, within: float = 0) -> bool:
        return False

    async def _step(self, played: Played, index: int, step: Step) -> None:
        self.told.append(step.name)


async def test_a_story_whose_notices_never_settle_says_which_and_ends(engine: AsyncEngine, database: Database) -> None:
    """Its end is told all the same, so that what is wrong with one notice leaves no complaint open."""
    case = Story().open("2026-03-02 10:00")
    case.live("2026-03-02 10:20")
    await on_record(engine, Vault(bytes(range(32))), case)
    stage = Deaf(database)
    story = Writer(1, LAWS, GRANT).write(54, BEGAN)
    story.opening |= {"contract": "small", "reference": "R-1"}
    played = Played(story)
    await stage._tell(played, len(story.steps) - 1, story.steps[-1])
    assert stage.told == ["withdraw"]
    (problem,) = played.problems
    assert "small/R-1/first_response#1@due/handler.manager" in problem
    await stage.close()


async def test_an_acknowledgement_of_what_is_answered_by_then_is_told_in_vain(
    engine: AsyncEngine, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the one before it was heard behind the second notice, and has answered both, nothing is left for it; while
    a notice waits, the refusal is a finding."""

    class Refusing(Stage):
        async def _post(self, path: str, body: dict[str, Any], key: str = "", wait: float = 0) -> httpx.Response:
            return httpx.Response(409, text="No open notice")

    monkeypatch.setattr(players, "SEEN_WITHIN", 0)
    case = Story().open("2026-03-02 10:00")
    case.live("2026-03-02 10:20")
    case.tell("acknowledge", "2026-03-02 10:21", by={"role": "handler.manager"})
    await on_record(engine, Vault(bytes(range(32))), case)
    stage = Refusing(free_port(), "token", GRANT, database, Eraser({}, database, 1).erase)
    story = Writer(1, LAWS, GRANT).write(54, BEGAN)
    story.opening |= {"contract": "small", "reference": "R-1"}
    played = Played(story)
    for index, role in enumerate(("handler.manager", "handler.owner")):
        step = Step(timedelta(), "acknowledge", {"by": {"role": role}}, sees="notice")
        await stage._step(played, index, step)
    assert played.untold == {story.key(0)}
    assert played.problems == ["step 1, acknowledge, was refused: No open notice"]
    await stage.close()


async def test_a_story_that_does_not_go_on_is_given_up(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A player that waits for ever ends with a problem of its story, which is a finding of the run."""

    class Stuck(Stage):
        async def _open(self, played: Played) -> bool:
            await asyncio.Event().wait()
            return True

    monkeypatch.setattr(players, "STORY_WITHIN", 0.05)
    stage = Stuck(free_port(), "token", GRANT, database, Eraser({}, database, 1).erase)
    played = await stage.play(Writer(1, LAWS, GRANT), 54)
    assert played[0].problems == ["its story did not end within 0.05 seconds"]
    await stage.close()


async def test_an_erasure_that_is_never_done_is_a_problem_of_its_story(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what the command said; and a run in which nothing was erased shows nothing about it."""
    monkeypatch.setattr("faults.eraser.PATIENCE", 0)
    monkeypatch.setattr("faults.eraser.LAST_WITHIN", 0.1)
    away = f"127.0.0.1:{free_port()}"
    where = {
        "OMBUD_DATABASE_URL": f"postgresql+asyncpg://ombud:x@{away}/ombud",
        "OMBUD_TASK_QUEUE": "storm",
        "TEMPORAL_ADDRESS": away,
    }
    asked = Eraser(where, database, 1)
    said = await asked.erase("small/R-1")
    assert said.startswith("its erasure was not done within 0 seconds: ")
    assert "Traceback" not in said
    assert asked.erased == []
    (finding,) = await asked.finish()
    assert str(finding) == "the erasures: the last sweep did not end within 0.1 seconds"


async def test_a_machine_that_does_not_come_up_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for a worker that cannot start is told which machine it is and where its log lies."""

    async def never() -> bool:
        return False

    monkeypatch.setattr(machines, "READY_WITHIN", 0.05)
    machine = Machine("worker", ["sleep", "60"], tmp_path / "worker.log", never)
    with pytest.raises(NotServingError, match=r"The worker does not serve after 0\.05 seconds; see .*worker\.log"):
        await machine.start()
    await machine.stop()


async def test_judges_that_wait_for_ever_are_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where something holds a table, the run says that it could not be judged."""

    async def never() -> Results:
        await asyncio.Event().wait()
        return Results()

    monkeypatch.setattr(run, "JUDGED_WITHIN", 0.05)
    (finding,) = (await run._judged(never())).findings
    assert str(finding) == "the run: it could not be judged within 0.05 seconds"


async def test_the_last_circular_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no Temporal takes it, it has never ended; the run goes on to say so."""
    monkeypatch.setattr("faults.sweeps.LAST_WITHIN", 0.3)
    sweeps = Sweeps(f"127.0.0.1:{free_port()}", "storm", 0.01)
    sweeps.start()
    await eventually(lambda: sweeps.sent)
    await sweeps.finish()
    assert list(sweeps.sent) == ["sweep-1"]
