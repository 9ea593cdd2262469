"""What the command line shows of a due that nobody can know yet, and how every due was counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from settings import Settings
from storage import contracts, registry
from storage.content import Vault
from storage.database import transaction
from storage.recording import record
from tests.rules.test_provisional import received
from tests.starter.conftest import Cli, command_line, environment
from tests.support.recorded import EARLY, batch, claim
from tests.support.story import Story

PROVISIONAL = "* provisional: counted through a year whose holidays are not published yet"


@pytest.fixture
def reader(settings: Settings, tmp_path: Path) -> Cli:
    """The command line with Postgres alone: reading needs no Temporal."""
    return command_line(environment(settings, "127.0.0.1:1"), tmp_path)


async def put_on_record(engine: AsyncEngine, story: Story) -> None:
    """A story under its own contract."""
    async with transaction(engine) as connection:
        version = await contracts.publish(connection, story.law.contract, EARLY, "test", EARLY)
        await registry.register(connection, [claim(story.case.reference)])
        await record(connection, Vault(bytes(range(32))), [batch(story, version.version)])


async def test_a_provisional_due_is_marked_wherever_it_shows(engine: AsyncEngine, reader: Cli) -> None:
    """Invariant 9: `show` marks the clock that runs into an unpublished year, `list` marks it once it is due next."""
    story = received("2026-12-10 10:00")
    story.tell("respond", "2026-12-10 10:05")
    await put_on_record(engine, story)
    shown = (await reader("show", story.case.id)).out
    assert PROVISIONAL in shown
    marked = [line.split("#")[0].strip() for line in shown.splitlines() if " * " in line]
    assert marked == [clock.obligation for clock in story.case.clocks if clock.provisional] == ["resolution"]
    assert PROVISIONAL not in (await reader("list")).out
    told = story.tell("findings", "2026-12-11 10:00", cause="Wear.") + story.tell("propose", "2026-12-14 10:00")
    notice = next(n.key for n in story.case.notices if n.of == "propose")
    told += story.outcome(notice, "2026-12-14 10:01")
    async with transaction(engine) as connection:
        version = await connection.scalar(text("SELECT version FROM registry"))
        await record(connection, Vault(bytes(range(32))), [batch(story, version, told)])
    listed = (await reader("list")).out
    assert PROVISIONAL in listed
    assert " * " in next(line for line in listed.splitlines() if story.case.id in line)
    (row,) = json.loads((await reader("list", "--json")).out)
    assert row["next_due_provisional"] is True


async def test_how_a_due_was_counted_stands_beside_it_in_postgres(engine: AsyncEngine) -> None:
    """Invariant 10: every row of a clock has clause and explanation, the holidays skipped by name."""
    story = received("2026-09-25 10:00")
    await put_on_record(engine, story)
    async with transaction(engine) as connection:
        rows = (await connection.execute(text("SELECT obligation, clause, explanation FROM clocks"))).all()
    kept = {row.obligation: (row.clause, row.explanation) for row in rows}
    started = [entry for entry in story.entries if entry.type == "clock_started"]
    assert kept == {e.data["obligation"]: (e.data["clause"], e.data["explanation"]) for e in started}
    assert "National Day" in json.dumps(kept["proposal"])
