"""What mail servers tell of messages after they accepted them: on record in the message's own stream, each report once.

The report itself is kept as evidence, encrypted like the mail it is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Literal, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.ledger import Entry
from rules.values import SYSTEM
from storage import ledger
from storage.content import Vault
from storage.recording import record_message
from storage.tables import messages


class Reported(NamedTuple):
    """What a report says of a message."""

    id: str
    became: Literal["delivered", "bounced", "delayed", "relayed"]
    status: str
    said: str
    at: datetime | None
    raw: bytes


class Taken(NamedTuple):
    """What became of a report."""

    standing: Literal["recorded", "known", "early", "unknown"]
    """`early`: its message is not on record as accepted yet, so it must be read again later."""
    message: str = ""
    person: str = ""
    """Whom the message was written to."""


async def take(
    connection: AsyncConnection, vault: Vault, candidates: Sequence[str], reported: Reported, now: datetime
) -> Taken:
    """Record a report with the first of these messages that was ever written. A repetition changes nothing.

    After a bounce, the complaints of the message's notices still have to hear of it (`posts.untold`). Raises
    MasterKeyError.
    """
    found = {
        row.id: row
        for row in await connection.execute(
            select(messages).where(messages.c.id.in_(candidates), messages.c.channel == "email").with_for_update()
        )
    }
    row = next((found[one] for one in candidates if one in found), None)
    if row is None:
        return Taken("unknown")
    if row.accepted_at is None and row.undeliverable_at is None:
        return Taken("early", row.id, row.person)  # a report may outrun the server's own answer
    before = await ledger.read(connection, ledger.message_stream(row.id))
    once = [entry.type for entry in before if entry.type in ("delivered", "bounced")]
    if reported.became in once or any(entry.data.get("report") == reported.id for entry in before):
        return Taken("known", row.id, row.person)
    at = min(max(reported.at, row.accepted_at or reported.at), now) if reported.at else now
    reason = f"{reported.status} {reported.said}".strip()
    entry = Entry(
        seq=before[-1].seq + 1,
        type=reported.became,
        by=SYSTEM,
        occurred_at=at,
        recorded_at=now,
        data={"report": reported.id, "reason": reason, "sha256": sha256(reported.raw).hexdigest()},
    )
    # Each byte as the character of its number: what comes back from there is the report, byte for byte.
    await record_message(connection, vault, row.id, [entry], {entry.seq: reported.raw.decode("latin-1")})
    if reported.became == "bounced":
        await connection.execute(update(messages).where(messages.c.id == row.id).values(untold=True))
    return Taken("recorded", row.id, row.person)
