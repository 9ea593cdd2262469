"""What the principal's pages read: every case on some page, and nothing internal on any list."""

from __future__ import annotations

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from storage import principal, registry
from storage.content import Vault
from storage.database import transaction
from storage.recording import record
from tests.support.recorded import batch, claim, published
from tests.support.story import Story


async def put(engine: AsyncEngine, vault: Vault, *stories: Story) -> None:
    """Stories of the small contract on record."""
    async with transaction(engine) as connection:
        version = (await published(connection)).version
        for story in stories:
            await registry.register(connection, [claim(story.case.reference)])
            await record(connection, vault, [batch(story, version)])


async def test_every_open_case_is_on_a_page(engine: AsyncEngine, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are cut, cases are not lost: those with misses first, none twice, none of a closed case."""
    monkeypatch.setattr(principal, "PAGE", 2)
    stories = [Story().open("2026-03-02 10:00", reference=f"R-{n}", kind="complaint") for n in range(5)]
    stories[3].live("2026-03-02 10:20")
    stories[4].tell("withdraw", "2026-03-02 10:01")
    await put(engine, vault, *stories)
    async with transaction(engine) as connection:
        pages = [await principal.open_cases(connection, "small", "p.pia", page) for page in (1, 2, 3)]
        other = await principal.open_cases(connection, "other", "p.pia")
    assert [count for _, count in pages] == [2, 2, 0]
    found = [case.reference for cases, _ in pages for case in cases]
    assert found[0] == "R-3"
    assert sorted(found) == ["R-0", "R-1", "R-2", "R-3"]
    assert other == ([], 0)


async def test_counts_and_lists_leave_out_what_is_internal(engine: AsyncEngine, vault: Vault) -> None:
    """An internal entry stands on no list, nor does what corrects it; nor a case against the reader (rule 37)."""
    story = Story().open("2026-03-02 10:00", reference="R-1", kind="complaint")
    by = [{"role": "handler.owner", "person": person} for person in ("p.ann", "p.bob")]
    (hidden, *_) = story.tell("note", "2026-03-02 10:01", internal=True)
    story.tell("correct", "2026-03-02 10:02", entry=hidden.seq, void=True, by=by[0])
    (note, *_) = story.tell("note", "2026-03-02 10:03")
    story.tell("correct", "2026-03-02 10:04", entry=note.seq, void=True, by=by[0])
    against = Story().open("2026-03-02 10:00", reference="R-2", kind="complaint", against="p.pia")
    against.tell("withdraw", "2026-03-02 10:01")
    await put(engine, vault, story, against)
    async with transaction(engine) as connection:
        counted = await principal.counts(connection, "small", "p.pia")
        (listed,) = await principal.listed(connection, "corrected", "small", "p.pia")
        assert await principal.listed(connection, "withdrawn", "small", "p.pia") == []
        assert len(await principal.listed(connection, "withdrawn", "small", "p.ann")) == 1
    assert (counted["corrected"], counted["withdrawn"]) == (1, 0)
    assert listed.detail["entry"] == note.seq
