"""The ledger in Postgres: appended to, read, never changed. The database refuses anything else (migration 0002)."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from rules.ledger import Entry
from storage.database import ask
from storage.tables import ledger

GAP = "OM002"
"""SQLSTATE with which the database refuses an entry whose predecessor is missing."""

_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


class DivergedError(Exception):
    """Another entry already stands at one of the sequences; nothing was written. The ledger holds what happened."""


class LedgerGapError(Exception):
    """An entry cannot follow, since the one before it is missing: Postgres lost what was recorded once."""


def stream_of(complaint: str) -> str:
    """The stream of a complaint, `contract/reference`."""
    return f"complaint/{complaint}"


def message_stream(message: str) -> str:
    """The stream of a message by its id."""
    return f"message/{message}"


def webhook_stream(webhook: str) -> str:
    """The stream of a subscription by its id."""
    return f"webhook/{webhook}"


def privacy_stream(complaint: str) -> str:
    """The stream of what concerns a complaint's content: holds and erasure. No workflow writes it."""
    return f"privacy/{complaint}"


def storable(entry: Entry) -> Entry:
    """The entry as Postgres can hold it: a NUL character, which no text there may have, becomes U+FFFD."""
    raw = entry.model_dump_json(exclude_defaults=True)
    return Entry.model_validate_json(_NUL.sub(r"\1\\ufffd", raw)) if "\\u0000" in raw else entry


async def append(connection: AsyncConnection, streams: Mapping[str, Sequence[Entry]]) -> dict[str, list[Entry]]:
    """Append to several streams; returns the entries that were not there yet, by stream.

    An entry that stands there already is fine, so that a repetition changes nothing. Raises DivergedError when another
    entry stands in its place, and LedgerGapError when the entry before the first is missing; the caller's transaction
    must then be given up, which raising does.
    """
    rows = [_row(stream, entry) for stream, entries in streams.items() for entry in entries]
    if not rows:
        return {}
    try:
        added = await connection.execute(_APPENDED, rows)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == GAP:
            said = error.orig.__cause__ if error.orig else error
            raise LedgerGapError(f"{said}: Postgres lost what was recorded before. Restore a backup.") from None
        raise
    new = {(stream, seq) for stream, seq in added}
    if len(new) < len(rows):
        await _compare(
            connection, {place: row["body"] for row in rows if (place := (row["stream"], row["seq"])) not in new}
        )
    return {stream: [entry for entry in entries if (stream, entry.seq) in new] for stream, entries in streams.items()}


async def read(connection: AsyncConnection, stream: str) -> list[Entry]:
    """The entries of a stream, in order; none for an unknown stream."""
    rows = await connection.scalars(_READ, {"stream": stream})
    return [Entry.model_validate(body) for body in rows]


async def standing(database: AsyncEngine, places: Collection[tuple[str, int]]) -> set[tuple[str, int]]:
    """Of these places, by stream and sequence, those that have an entry."""
    return {(row.stream, row.seq) for row in await ask(database, _STANDING, {"places": list(places)})}


def _row(stream: str, entry: Entry) -> dict[str, Any]:
    return {
        "stream": stream,
        "seq": entry.seq,
        "type": entry.type,
        "v": entry.v,
        "occurred_at": entry.occurred_at,
        "recorded_at": entry.recorded_at,
        "body": json.loads(entry.model_dump_json(exclude_defaults=True)),
    }


async def _compare(connection: AsyncConnection, present: Mapping[tuple[str, int], Any]) -> None:
    found = await connection.execute(
        select(ledger.c.stream, ledger.c.seq, ledger.c.body).where(tuple_(ledger.c.stream, ledger.c.seq).in_(present))
    )
    for stream, seq, body in found:
        if body != present[stream, seq]:
            raise DivergedError(f"{stream} holds another entry at {seq}: {body['type']}")


_APPENDED = insert(ledger).on_conflict_do_nothing().returning(ledger.c.stream, ledger.c.seq)
_READ = select(ledger.c.body).where(ledger.c.stream == bindparam("stream")).order_by(ledger.c.seq)
_STANDING = select(ledger.c.stream, ledger.c.seq).where(
    tuple_(ledger.c.stream, ledger.c.seq).in_(bindparam("places", expanding=True))
)
