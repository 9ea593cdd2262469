"""What is put on record about the content of a complaint, beside its own stream: who, when, and why in sealed words.

The stream is written by whoever holds or erases, not by the complaint's workflow, so that it goes on after closure.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.ledger import Entry, content_ref
from rules.values import Actor
from storage import ledger
from storage.changes import Changes
from storage.content import Vault
from storage.projector import project_privacy
from storage.tables import ledger as entries

Kind = Literal["held", "hold_lifted", "erased", "forgotten", "remembered"]


async def lock(connection: AsyncConnection, of: Iterable[str]) -> None:
    """Keep holds and erasures of these complaints apart until the transaction ends: of two at once one comes first."""
    for stream in sorted(set(map(ledger.privacy_stream, of))):
        await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(stream, 0))))


async def put(
    connection: AsyncConnection,
    vault: Vault,
    complaint: str,
    kind: Kind,
    by: Actor,
    now: datetime,
    data: dict[str, Any],
    reason: str = "",
) -> Entry:
    """Append one entry; `reason` is free text, sealed under a key that outlives the complaint's own."""
    stream = ledger.privacy_stream(complaint)
    await lock(connection, [complaint])
    entry = ledger.storable(
        Entry(
            seq=await last(connection, complaint) + 1,
            type=kind,
            by=by,
            occurred_at=now,
            recorded_at=now,
            data=data,
            content=(content_ref("reason", reason),) if reason else (),
        )
    )
    await ledger.append(connection, {stream: [entry]})
    if reason:
        await vault.seal(connection, {stream: {entry.seq: {"reason": reason}}})
    changes = Changes()
    project_privacy(changes, complaint, [entry])
    await changes.apply(connection)
    return entry


async def last(connection: AsyncConnection, complaint: str, kind: Kind | None = None) -> int:
    """The sequence of the last entry, or of the last one of a kind; 0 for none."""
    of = entries.c.stream == ledger.privacy_stream(complaint)
    query = select(func.coalesce(func.max(entries.c.seq), 0)).where(of)
    return int((await connection.scalars(query if kind is None else query.where(entries.c.type == kind))).one())


async def reasons(connection: AsyncConnection, vault: Vault, complaint: str) -> dict[int, str]:
    """The reasons given, by entry."""
    texts = await vault.read(connection, ledger.privacy_stream(complaint))
    return {seq: fields["reason"] for seq, fields in texts.items()}
