"""Damage as a crash, a restore or a hand in the database leaves it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.interface import Batch
from rules.commands import Command
from rules.decide import decide
from rules.fold import fold
from rules.ledger import Entry
from rules.stage import reached
from storage import ledger, registry
from storage.content import Vault
from storage.database import transaction
from storage.rebuild import rebuild
from storage.recording import record

GUARDED = ("ledger", "content", "registry")


@asynccontextmanager
async def unguarded(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction in which the database lets its sources be changed."""
    async with transaction(engine) as connection:
        for table in GUARDED:
            await connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        yield connection
        for table in GUARDED:
            await connection.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))


async def as_of(engine: AsyncEngine, moment: datetime) -> None:
    """Postgres as it was at a moment: everything recorded later is gone, and the tables say so."""
    later = {"later": moment}
    async with unguarded(engine) as connection:
        gone = await connection.execute(
            text("DELETE FROM ledger WHERE recorded_at > :later RETURNING stream, seq"), later
        )
        for stream, seq in gone.all():
            place = {"stream": stream, "seq": seq}
            await connection.execute(text("DELETE FROM content WHERE stream = :stream AND seq = :seq"), place)
            await connection.execute(text("DELETE FROM ledger_feed WHERE stream = :stream AND seq = :seq"), place)
        await connection.execute(
            text(
                "DELETE FROM registry r WHERE NOT EXISTS "
                "(SELECT FROM ledger WHERE stream = 'complaint/' || r.contract || '/' || r.reference)"
            )
        )
    await rebuild(engine, apply=True)


async def everything(engine: AsyncEngine) -> dict[str, Any]:
    """What is on record of complaints: their ledgers, and the words that belong to them."""
    async with transaction(engine) as connection:
        entries = await connection.execute(
            text("SELECT stream, seq, body FROM ledger WHERE stream LIKE 'complaint/%' ORDER BY 1, 2")
        )
        words = await connection.execute(
            text("SELECT stream, seq, field FROM content WHERE stream LIKE 'complaint/%' ORDER BY 1, 2, 3")
        )
        registered = await connection.execute(text("SELECT * FROM registry ORDER BY contract, reference"))
        return {
            "ledger": {(row.stream, row.seq): row.body for row in entries},
            "words": [tuple(row) for row in words],
            "registry": [tuple(row) for row in registered],
        }


async def on_record_alone(engine: AsyncEngine, vault: Vault, complaint: str, *commands: Command) -> list[Entry]:
    """Have Postgres know of commands that a complaint's workflow does not: Temporal is at an earlier time."""
    done: list[Entry] = []
    for command in commands:
        async with transaction(engine) as connection:
            pinned = await registry.pinned(connection, complaint)
            law = pinned.law
            assert law is not None
            case = fold(await ledger.read(connection, ledger.stream_of(complaint)))
            decision = decide(case, law, command, datetime.now(UTC), key=None, via="client")
            batch = Batch(
                complaint=complaint,
                version=pinned.version,
                stage=reached(decision.case, law.contract),
                entries=tuple(decision.entries),
                texts=decision.texts,
            )
            done += (await record(connection, vault, [batch]))[complaint]
    return done
