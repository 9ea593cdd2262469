"""The end of a run: whether everything has come to its end, and what waits where it has not."""

from __future__ import annotations

import asyncio
import json

from sqlalchemy.ext.asyncio import AsyncEngine

from faults.judge import Finding
from faults.players import Database
from storage import feed, webhooks
from storage.database import PostgresUnreachableError, transaction

WITHIN = 150.0
"""Seconds after the last player; a mail that failed several times is tried again after up to two minutes."""
LOOK_WITHIN = 30.0
"""Seconds; the limit of one look at a Postgres that is not well."""

WAITING = """
SELECT coalesce(json_agg(json_build_array(about, what) ORDER BY about, what), '[]') FROM (
  SELECT id AS about, 'it is open' AS what FROM complaints WHERE closed_at IS NULL AND strpos(reference, '.') = 0
  UNION ALL
  SELECT n.complaint, 'the notice ' || n.key || CASE WHEN m.id IS NULL THEN ' waits for somebody to claim it'
    ELSE ' is in the mail ' || m.id || ', which has no end' END
  FROM notices n LEFT JOIN messages m ON m.id = n.message
  WHERE n.acknowledged_at IS NULL AND (m.id IS NULL OR m.accepted_at IS NULL AND m.undeliverable_at IS NULL)
  UNION ALL
  SELECT 'the mail ' || id, 'to ' || person || ' was tried ' || attempts || ' times' || coalesce(': ' || last_error, '')
  FROM messages WHERE accepted_at IS NULL AND undeliverable_at IS NULL
) AS waiting
"""
"""What waits, and of whom. What a message after the end opened is nobody's story: it stays open."""


async def restless(database: Database, engine: AsyncEngine, circulars: int, within: float = WITHIN) -> list[Finding]:
    """Everything that still waits when the time is up; nothing as soon as all is quiet. `circulars` were sent."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        await asyncio.sleep(0.3)
        found = await _waiting(database, engine, circulars)
        if not found or asyncio.get_running_loop().time() > deadline:
            return [Finding(about, f"not quiet after {within:g} seconds: {what}") for about, what in found]


async def _waiting(database: Database, engine: AsyncEngine, circulars: int) -> list[tuple[str, str]]:
    """What waits now, and of whom."""
    try:
        async with asyncio.timeout(LOOK_WITHIN):
            said = await database.ask(WAITING)
            ended = await database.ask("SELECT count(*) FROM circulars WHERE finished_at IS NOT NULL")
            if said is None or ended is None:
                return [("the run", "Postgres does not answer")]
            found = [(about, what) for about, what in json.loads(said)]
            if ended != circulars:
                found.append(("the circulars", f"{ended} of {circulars} have ended"))
            return found + await _untold(engine)
    except (TimeoutError, PostgresUnreachableError):
        return [("the run", "Postgres does not answer")]


async def _untold(engine: AsyncEngine) -> list[tuple[str, str]]:
    """Webhooks that have not been told all that is on record; one that is paused is told no more."""
    async with transaction(engine) as connection:
        hooks = [hook for hook in await webhooks.listing(connection) if hook.state == "active"]
        waiting = [await feed.waiting_since(connection, hook.contract, hook.position, hook.events) for hook in hooks]
    return [
        (f"the webhook of {hook.contract}", f"events since {since.isoformat()} are not told")
        for hook, since in zip(hooks, waiting, strict=True)
        if since is not None
    ]
