"""The directory says who stands behind a role now."""

from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from storage import directory
from storage.content import Vault
from storage.database import transaction
from storage.recording import addressees, record_message
from storage.tables import people
from tests.support.recorded import PEOPLE, at_noon, on_record, peopled, said
from tests.support.story import Story

BAD = {
    "people: {ann: {name: A, email: a@x, language: en, zone: Mars/Base}}\nroles: {}": "ann.zone: unknown time zone",
    "people: {ann: {name: A, email: a@x, language: en}}\nroles: {}": "people.ann.zone: is missing",
    'people: {ann: {name: "A\\nBcc: b@x", email: a@x, language: en, zone: UTC}}\nroles: {}': "people.ann.name: ",
    'people: {ann: {name: A, email: "a@x, b@x", language: en, zone: UTC}}\nroles: {}': "people.ann.email: ",
    "people: {ann: {name: A, email: a@x, language: en, zone: UTC}}\nroles: {'*': {h.m: [bob]}}": "names bob, who",
    "people: {ann: {name: A, email: a@x, language: en, zone: UTC}}\nroles: {'*': {h.m: [ann, ann]}}": "somebody twice",
    "people: {ann: {name: A, email: a@x, language: en, zone: UTC}}\nroles: {'*': {h.m: []}}": "at least 1 item",
    "people: [": "people.yaml is no YAML",
    "": "input",
}


@pytest.mark.parametrize("text", BAD)
def test_a_bad_file_is_refused(text: str) -> None:
    """Each fault of a directory file is refused with its file, place and reason."""
    with pytest.raises(directory.DirectoryError) as refused:
        directory.read_directory(text, "people.yaml")
    assert "people.yaml" in str(refused.value)
    assert BAD[text] in str(refused.value)


@pytest.mark.parametrize(
    ("contract", "role", "against", "person"),
    [
        ("other", "handler.owner", None, "ann"),
        ("other", "handler.owner", "ann", "bo"),
        ("other", "handler.manager", None, "bo"),
        ("small", "handler.manager", None, "cy"),
        ("small", "handler.manager", "cy", None),
        ("small", "handler.owner", None, "ann"),
        ("small", "handler.director", None, None),
    ],
)
async def test_who_stands_behind_a_role(
    engine: AsyncEngine, contract: str, role: str, against: str | None, person: str | None
) -> None:
    """The first holder is told, never the person complained about (rule 37); a contract's own line replaces `*`."""
    async with transaction(engine) as connection:
        await peopled(connection)
        found = await directory.holder_of(connection, contract, role, against)
    assert (found.id if found else None) == person


async def test_importing_replaces(engine: AsyncEngine) -> None:
    """What is imported is the whole directory: it reads back the same, and nobody of the one before is left."""
    async with transaction(engine) as connection:
        assert await directory.stored(connection) is None
        await peopled(connection)
        assert await directory.stored(connection) == directory.read_directory(PEOPLE, "people.yaml")
        text = "people: {dee: {name: Dee, email: d@example.com, language: en, zone: UTC}}\nroles: {}"
        await directory.replace(connection, directory.read_directory(text, "new.yaml"))
        assert (await connection.scalars(select(people.c.id))).all() == ["dee"]


@pytest.mark.parametrize("path", sorted(Path("contracts/people").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_directory_is_sound(path: Path) -> None:
    """A directory that ships can be imported."""
    assert directory.read_directory(path.read_text(encoding="utf-8"), str(path)).people


async def test_people_are_not_pinned(engine: AsyncEngine, vault: Vault) -> None:
    """A notice that waits goes to whom the directory names now (invariant 8); a claimed one waits no more."""
    story = Story().open("2026-03-02 10:00", level="2")
    story.live("2026-03-02 11:00")
    await on_record(engine, vault, story)
    keys = [notice.key for entry in story.entries for notice in entry.notices]
    owner = "small/R-1/first_response#1@50%/handler.owner"
    director = "small/R-1/first_response#1@+30 minutes/handler.director"
    async with transaction(engine) as connection:
        assert set((await addressees(connection, keys)).values()) == {None}
        await peopled(connection)
        told = await addressees(connection, keys)
        assert (told[owner], told[director]) == ("ann", None)
        text = "people: {dee: {name: Dee, email: d@x, language: en, zone: UTC}}\nroles: {'*': {handler.owner: [dee]}}"
        await directory.replace(connection, directory.read_directory(text, "new.yaml"))
        assert await addressees(connection, [owner]) == {owner: "dee"}
        begun = said(1, "claimed", at_noon(2), person="dee", channel="email", language="en", notices=[owner])
        await record_message(connection, vault, "m1", [begun])
        assert await addressees(connection, [owner]) == {}
