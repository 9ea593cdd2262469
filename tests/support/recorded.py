"""Stories of the pure core, put on record in Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.interface import Batch
from rules.contract import Contract
from rules.directory_file import read_directory
from rules.ledger import Entry
from rules.stage import reached
from rules.values import SYSTEM
from storage import contracts, directory, registry
from storage.content import Vault
from storage.database import transaction
from storage.recording import record
from tests.support.story import Story, law

EARLY = datetime(2026, 1, 1, tzinfo=UTC)

PEOPLE = """
people:
  ann: {name: Ann Ash, email: ann@example.com, language: en, zone: Europe/Berlin}
  bo: {name: Bo Lin, email: bo@example.com, language: zh-CN, zone: Asia/Shanghai}
  cy: {name: Cy Dahl, email: cy@example.com, language: en, zone: Asia/Shanghai}
roles:
  "*":
    handler.owner: [ann, bo]
    handler.team_lead: [bo]
    handler.manager: [bo]
  small:
    handler.manager: [cy]
"""


async def published(connection: AsyncConnection, contract: Contract | None = None) -> contracts.Version:
    """The small contract, or this one, in force since the beginning of 2026."""
    return await contracts.publish(connection, contract or law().contract, EARLY, "test", EARLY)


async def peopled(connection: AsyncConnection) -> None:
    """The directory above."""
    await directory.replace(connection, read_directory(PEOPLE, "people.yaml"))


def claim(reference: str = "R-1", **fields: str) -> registry.Claim:
    """A claim under the small contract, received on 2 March 2026."""
    named = {"contract": "small", "digest": "d1", "first_run": "run-1"} | fields
    return registry.Claim(reference=reference, received_at=at_noon(2), registered_at=at_noon(2), **named)


def at_noon(day: int) -> datetime:
    """Noon in UTC on a day of March 2026."""
    return datetime(2026, 3, day, 12, tzinfo=UTC)


def batch(story: Story, version: str, entries: Sequence[Entry] | None = None) -> Batch:
    """Entries of a story, all of them unless some are given, with the texts that belong to them."""
    chosen = tuple(story.entries if entries is None else entries)
    texts = {entry.seq: story.texts[entry.seq] for entry in chosen if entry.seq in story.texts}
    stage = reached(story.case, story.law.contract)
    return Batch(complaint=story.case.id, version=version, stage=stage, entries=chosen, texts=texts)


async def on_record(engine: AsyncEngine, vault: Vault, story: Story) -> str:
    """Publish, register and record a whole story at once; returns the contract's version."""
    async with transaction(engine) as connection:
        version = (await published(connection)).version
        await registry.register(connection, [claim(story.case.reference)])
        await record(connection, vault, [batch(story, version)])
    return version


def said(seq: int, kind: str, at: datetime, **data: object) -> Entry:
    """An entry of a message's stream."""
    return Entry(seq=seq, type=kind, by=SYSTEM, occurred_at=at, recorded_at=at, data=data)
