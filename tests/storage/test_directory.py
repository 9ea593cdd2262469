"""The directory says who stands behind a role now."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import event, select
from sqlalchemy.ext.asyncio import AsyncEngine

from rules.directory_file import read_directory
from rules.duty import NOBODY, Nobody
from storage import directory
from storage.content import Vault
from storage.database import transaction
from storage.recording import addressees, record_message
from storage.tables import people
from tests.support.recorded import PEOPLE, at_noon, on_record, peopled, said
from tests.support.story import Story

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)

ROSTER = """
people:
  ann:
    name: Ann Ash
    email: ann@example.com
    language: en
    zone: Europe/Berlin
    hours: {mon-fri: ["09:00-12:00", "13:00-18:00"], sat: "22:00-06:00"}
    shifts: [{on: 2026-03-02, hours: ["10:00-11:00"]}, {from: 2026-03-06 18:00, to: 2026-03-09T09:00:00+01:00}]
    absences: [{from: 2026-03-10, to: 2026-03-12, deputy: bo}]
  bo: {name: Bo Lin, email: bo@example.com, language: zh-CN, zone: Asia/Shanghai}
roles:
  "*": {handler.owner: [ann]}
"""


async def test_importing_replaces(engine: AsyncEngine) -> None:
    """What is imported is the whole directory: it reads back the same, and nobody of the one before is left."""
    async with transaction(engine) as connection:
        assert await directory.stored(connection) is None
        await peopled(connection)
        assert await directory.stored(connection) == read_directory(PEOPLE, "people.yaml")
        text = "people: {dee: {name: Dee, email: d@example.com, language: en, zone: UTC}}\nroles: {}"
        await directory.replace(connection, read_directory(text, "new.yaml"))
        assert (await connection.scalars(select(people.c.id))).all() == ["dee"]


async def test_rosters_read_back_the_same(engine: AsyncEngine) -> None:
    """Hours, shifts and absences are stored as they were written."""
    async with transaction(engine) as connection:
        await directory.replace(connection, read_directory(ROSTER, "roster.yaml"))
        assert await directory.stored(connection) == read_directory(ROSTER, "roster.yaml")


async def test_the_directory_is_read_once(engine: AsyncEngine) -> None:
    """While nobody imports, asking for the directory again costs one small query; an import is seen at once."""
    counts: Counter[str] = Counter()

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def count(_: object, __: object, statement: str, *___: object) -> None:
        counts["people" if "jsonb_object_agg" in statement else "version"] += 1

    async with transaction(engine) as connection:
        await peopled(connection)
        first = await directory.stored(connection)
    counts.clear()
    async with transaction(engine) as connection:
        assert await directory.stored(connection) is first
        assert counts == {"version": 1}
        await directory.replace(connection, read_directory(ROSTER, "roster.yaml"))
        assert await directory.stored(connection) == read_directory(ROSTER, "roster.yaml")


async def test_imports_at_once_leave_one_directory(engine: AsyncEngine) -> None:
    """Two imports at the same moment wait for each other; what is left is one of them, whole."""

    async def bring(text: str) -> None:
        async with transaction(engine) as connection:
            await directory.replace(connection, read_directory(text, "people.yaml"))

    await asyncio.gather(*(bring(text) for text in (PEOPLE, ROSTER) * 3))
    async with transaction(engine) as connection:
        left = await directory.stored(connection)
    assert left in [read_directory(text, "people.yaml") for text in (PEOPLE, ROSTER)]


@pytest.mark.parametrize("path", sorted(Path("contracts/people").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_directory_is_sound(path: Path) -> None:
    """A directory that ships can be imported."""
    assert read_directory(path.read_text(encoding="utf-8"), str(path)).people


async def test_people_are_not_pinned(engine: AsyncEngine, vault: Vault) -> None:
    """A notice that waits goes to whom the directory names now (invariant 8); a claimed one waits no more."""
    story = Story().open("2026-03-02 10:00", level="2")
    story.live("2026-03-02 11:00")
    await on_record(engine, vault, story)
    keys = [notice.key for entry in story.entries for notice in entry.notices]
    owner = "small/R-1/first_response#1@50%/handler.owner"
    director = "small/R-1/first_response#1@+30 minutes/handler.director"
    async with transaction(engine) as connection:
        assert set((await addressees(connection, keys, NOW)).values()) == {Nobody(NOBODY)}
        await peopled(connection)
        told = await addressees(connection, keys, NOW)
        assert (told[owner], told[director]) == ("ann", Nobody(NOBODY))
        text = "people: {dee: {name: Dee, email: d@x, language: en, zone: UTC}}\nroles: {'*': {handler.owner: [dee]}}"
        await directory.replace(connection, read_directory(text, "new.yaml"))
        assert await addressees(connection, [owner], NOW) == {owner: "dee"}
        begun = said(1, "claimed", at_noon(2), person="dee", channel="email", language="en", notices=[owner])
        await record_message(connection, vault, "m1", [begun])
        assert await addressees(connection, [owner], NOW) == {}
