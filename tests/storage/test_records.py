"""The record table in Postgres: rows by a cursor of the server, content opened within what the filters leave."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from storage import records, registry
from storage.content import Vault
from storage.database import transaction
from storage.ledger import stream_of
from storage.recording import record
from storage.records import Asked, Sight
from tests.support.recorded import at_noon, batch, claim, published
from tests.support.story import Story

MANY = 450
"""More than twice what one query of the content opens."""


async def filled(engine: AsyncEngine, vault: Vault) -> list[str]:
    """Many complaints, every tenth of which leaks; the references of those, the latest first."""
    leaking = []
    async with transaction(engine) as connection:
        version = (await published(connection)).version
        batches = []
        for n in range(MANY):
            reference, leaks = f"R-{n:03}", n % 10 == 0
            story = Story()
            content = "It leaks." if leaks else "It rattles."
            story.open(f"2026-03-02 10:{n % 60:02}", reference=reference, content=content)
            await registry.register(connection, [claim(reference)])
            batches.append(batch(story, version))
            leaking += [(n % 60, reference)] if leaks else []
        await record(connection, vault, batches)
    return [reference for _, reference in sorted(leaking, reverse=True)]


async def test_every_row_comes_once(engine: AsyncEngine, vault: Vault) -> None:
    """The stream and the pages hold the same rows in the same order, and a search finds all that say it."""
    leaking = await filled(engine, vault)
    async with transaction(engine) as connection:
        streamed = [row.reference async for row in records.stream(connection, Asked())]
        paged: list[str] = []
        after = None
        while len(paged) < MANY:
            page = await records.page(connection, Asked(), limit=40, after=after)
            paged += [row.reference for row in page.records]
            after = page.after
        assert after is None
        assert streamed == paged
        assert len(set(streamed)) == MANY
        found = [row.reference async for row in records.stream(connection, Asked(), vault=vault, text="LEAKS")]
        assert found == leaking


async def test_a_search_that_must_look_far_goes_on(engine: AsyncEngine, vault: Vault) -> None:
    """A page that has looked into as much as one page may gives what it found, and the next goes on behind it."""
    leaking = await filled(engine, vault)
    found: list[str] = []
    after, pages = None, 0
    async with transaction(engine) as connection:
        while True:
            page = await records.page(
                connection, Asked(), limit=MANY, after=after, vault=vault, text="leaks", most_opened=1
            )
            found += [row.reference for row in page.records]
            after, pages = page.after, pages + 1
            if after is None:
                break
    assert (found, pages) == (leaking, 3)


async def test_erased_content_is_found_no_more(engine: AsyncEngine, vault: Vault) -> None:
    """A row whose key was destroyed stays in the table, and no search finds its words."""
    leaking = await filled(engine, vault)
    async with transaction(engine) as connection:
        await vault.destroy(connection, stream_of(f"small/{leaking[0]}"), at_noon(3))
        rows = [row async for row in records.stream(connection, Asked(), vault=vault)]
        assert (len(rows), [row.reference for row in rows if row.content is None]) == (MANY, [leaking[0]])
        found = [row.reference async for row in records.stream(connection, Asked(), vault=vault, text="leaks")]
        assert found == leaking[1:]


@pytest.mark.parametrize(
    ("sight", "seen"),
    [
        (Sight(), MANY),
        (Sight(contracts=["small"]), MANY),
        (Sight(contracts=["other"]), 0),
        (Sight(contracts=[]), 0),
        (Sight(complaints=["small/R-001", "other/R-002"]), 1),
        (Sight(not_against="li"), MANY),
        (Sight(complainant="c-1"), 0),
    ],
)
async def test_nobody_sees_more_than_is_theirs(engine: AsyncEngine, vault: Vault, sight: Sight, seen: int) -> None:
    """The bounds of a reader hold in pages, in the stream and in counts."""
    await filled(engine, vault)
    asked = replace(Asked(), sight=sight)
    async with transaction(engine) as connection:
        assert len([row async for row in records.stream(connection, asked)]) == seen
        assert len((await records.page(connection, asked, limit=500)).records) == seen
        assert sum(count.complaints for count in await records.counts(connection, asked, "level")) == seen
