"""What people do about what is stuck: a message is sent once more, a start is given up. Each is on record."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.ledger import Entry
from rules.values import Actor
from storage.content import Vault
from storage.recording import record_next
from storage.tables import messages, notices, rejects


async def carriers(connection: AsyncConnection, keys: Collection[str]) -> dict[str, tuple[str, str]]:
    """Of these notices those that a message carries: the message, and whom it goes to."""
    query = (
        select(notices.c.key, messages.c.id, messages.c.person)
        .join(messages, messages.c.id == notices.c.message)
        .where(notices.c.key.in_(keys))
    )
    return {row[0]: (row[1], row[2]) for row in await connection.execute(query)}


async def send_again(connection: AsyncConnection, vault: Vault, message: str, by: Actor, at: datetime) -> bool:
    """Have a message that was undeliverable or came back sent once more, as it was; false when it is on its way."""
    state = await connection.scalar(select(messages.c.state).where(messages.c.id == message).with_for_update())
    if state not in ("undeliverable", "bounced"):
        return False

    def retried(seq: int) -> Entry:
        return Entry(seq=seq, type="retried", by=by, via="cli", occurred_at=at, recorded_at=at)

    await record_next(connection, vault, message, retried)
    return True


async def drop_start(
    connection: AsyncConnection, vault: Vault, workflow_id: str, by: Actor, reason: str, at: datetime
) -> int:
    """Give up every rejected start under a workflow id that stands there; how many there were."""
    stream = f"reject/{workflow_id}"
    before = await connection.scalar(
        select(func.count()).where(rejects.c.workflow_id == workflow_id, rejects.c.given_up_at.is_not(None))
    )
    done = await connection.execute(
        update(rejects)
        .where(rejects.c.workflow_id == workflow_id, rejects.c.given_up_at.is_(None))
        .values(given_up_at=at, given_up_by=by.person or by.role)
    )
    if done.rowcount:
        await vault.seal(connection, {stream: {(before or 0) + 1: {"why": reason}}})
    return done.rowcount
