"""Who subscribes to what happens, with which secret, and how far each subscription is.

A subscription has a stream of the ledger, `webhook/<id>`: who made, paused, resumed, replayed and removed it stands on
record. Address and secrets lie sealed beside it, as the texts of complaints do; removing it destroys their key.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.ledger import Entry
from rules.values import Actor
from storage import feed, ledger
from storage.changes import Changes
from storage.content import Vault
from storage.projector import project_webhook
from storage.tables import webhook_cursors, webhooks


class UnknownWebhookError(Exception):
    """There is no such subscription, or it was removed."""


class NotNowError(Exception):
    """The subscription is in a state in which this cannot be done; the message says what is possible instead."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A subscription and how far it is."""

    id: str
    contract: str | None
    format: str
    events: tuple[str, ...]
    origin: str
    state: str
    since: int
    created_at: datetime
    old_secret_until: datetime | None
    paused_at: datetime | None
    paused_why: str | None
    position: int
    sent_at: datetime | None
    attempts: int
    failing_since: datetime | None
    last_error: str | None


class Sealed(NamedTuple):
    """What is secret of a subscription: its whole address, and the secrets that sign now, the newest first."""

    url: str
    secrets: tuple[str, ...]


async def subscribe(
    connection: AsyncConnection,
    vault: Vault,
    *,
    contract: str | None,
    format_: str,
    events: Iterable[str],
    origin: str,
    url: str,
    secret: str,
    by: Actor,
    at: datetime,
) -> Webhook:
    """A new subscription, which hears of what is recorded from now on."""
    webhook = secrets.token_hex(4)
    since = await feed.head(connection)
    data: dict[str, Any] = {"format": format_, "events": list(events), "origin": origin, "since": since}
    data |= {"contract": contract} if contract else {}
    texts = {"url": url} | ({"secret": secret} if secret else {})
    entry = Entry(seq=1, type="subscribed", by=by, occurred_at=at, recorded_at=at, data=data)
    await _record(connection, vault, webhook, entry, texts)
    await connection.execute(insert(webhook_cursors).values(webhook=webhook, position=since))
    return await find(connection, webhook)


async def rotate(
    connection: AsyncConnection, vault: Vault, webhook: str, secret: str, old_until: datetime, by: Actor, at: datetime
) -> None:
    """A new secret; until `old_until` the one before it signs too. Raises UnknownWebhookError."""
    await _change(connection, vault, webhook, "rotated", by, at, {"old_until": old_until.isoformat()}, secret)


async def pause(connection: AsyncConnection, vault: Vault, webhook: str, why: str, by: Actor, at: datetime) -> None:
    """Send it nothing until it is resumed; what happens meanwhile waits. Raises UnknownWebhookError, NotNowError."""
    if (await _locked(connection, webhook)) == "paused":
        raise NotNowError(f"Webhook {webhook} is paused already.")
    await _change(connection, vault, webhook, "paused", by, at, {"why": why})


async def resume(connection: AsyncConnection, vault: Vault, webhook: str, by: Actor, at: datetime) -> None:
    """Go on where it was paused. Raises UnknownWebhookError, NotNowError."""
    if (await _locked(connection, webhook)) != "paused":
        raise NotNowError(f"Webhook {webhook} is not paused.")
    await _change(connection, vault, webhook, "resumed", by, at, {})


async def unsubscribe(connection: AsyncConnection, vault: Vault, webhook: str, by: Actor, at: datetime) -> None:
    """End a subscription and destroy its secrets; its record stays. Raises UnknownWebhookError."""
    await _change(connection, vault, webhook, "unsubscribed", by, at, {})
    await vault.destroy(connection, ledger.webhook_stream(webhook), at)


async def replay(
    connection: AsyncConnection, vault: Vault, webhook: str, first: int, by: Actor, at: datetime, *, skip: bool = False
) -> None:
    """Send everything from this position of the feed on, again. Raises UnknownWebhookError, NotNowError.

    A position it has not come to yet would pass over events that nobody has received: only with `skip`.
    """
    await _locked(connection, webhook)
    was = await connection.scalar(
        select(webhook_cursors.c.position).where(webhook_cursors.c.webhook == webhook).with_for_update()
    )
    if first < 1 or first > await feed.head(connection) + 1:
        raise NotNowError(f"The feed has no position {first}; it ends at {await feed.head(connection)}.")
    if first - 1 > (was or 0) and not skip:
        raise NotNowError(
            f"Webhook {webhook} has come to {was} only; from {first} on it would never hear what lies between. "
            "Add --skip if that is meant."
        )
    await _change(connection, vault, webhook, "replayed", by, at, {"from": first, "was": was})
    await connection.execute(
        update(webhook_cursors)
        .where(webhook_cursors.c.webhook == webhook)
        .values(position=first - 1, attempts=0, failing_since=None, tried_at=None, last_error=None)
    )


async def find(connection: AsyncConnection, webhook: str) -> Webhook:
    """A subscription by its id. Raises UnknownWebhookError for one that was removed or never was."""
    found = [one for one in await listing(connection) if one.id == webhook]
    if not found:
        raise UnknownWebhookError(f"There is no webhook {webhook}; `ombud webhook list` names them.")
    return found[0]


async def listing(connection: AsyncConnection) -> list[Webhook]:
    """Every subscription that was not removed, oldest first.

    One whose cursor was lost begins where it was made: twice is better than never.
    """
    cursor = webhook_cursors.c
    rows = await connection.execute(
        select(
            *(webhooks.c[name] for name in _OF_WEBHOOK),
            func.coalesce(cursor.position, webhooks.c.since).label("position"),
            cursor.sent_at,
            func.coalesce(cursor.attempts, 0).label("attempts"),
            cursor.failing_since,
            cursor.last_error,
        )
        .outerjoin(webhook_cursors, cursor.webhook == webhooks.c.id)
        .where(webhooks.c.removed_at.is_(None))
        .order_by(webhooks.c.created_at, webhooks.c.id)
    )
    return [Webhook(**{**row, "events": tuple(row["events"])}) for row in rows.mappings()]


_OF_WEBHOOK = (
    *("id", "contract", "format", "events", "origin", "state", "since", "created_at"),
    *("old_secret_until", "paused_at", "paused_why"),
)


async def concerned(connection: AsyncConnection, events: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """By contract, those who hear of any of these events of it."""
    wanted = {contract: set(of) for contract, of in events.items()}
    if not any(wanted.values()):
        return {contract: [] for contract in wanted}
    found = await connection.execute(
        select(webhooks.c.id, webhooks.c.events, webhooks.c.contract)
        .where(webhooks.c.state == "active", or_(webhooks.c.contract.is_(None), webhooks.c.contract.in_(wanted)))
        .order_by(webhooks.c.id)
    )
    subscribed = found.all()
    return {
        contract: [id_ for id_, events_, whose in subscribed if whose in (None, contract) and of & set(events_)]
        for contract, of in wanted.items()
    }


async def active(connection: AsyncConnection) -> list[str]:
    """Everybody who may have something to receive."""
    found = await connection.scalars(select(webhooks.c.id).where(webhooks.c.state == "active").order_by(webhooks.c.id))
    return list(found)


async def unseal(connection: AsyncConnection, vault: Vault, webhook: Webhook, at: datetime) -> Sealed:
    """Its address and the secrets that sign now. Raises content.ErasedError, content.MasterKeyError."""
    texts = await vault.read(connection, ledger.webhook_stream(webhook.id))
    signing = [fields["secret"] for _, fields in sorted(texts.items(), reverse=True) if "secret" in fields]
    both = webhook.old_secret_until is not None and at < webhook.old_secret_until
    return Sealed(texts[1]["url"], tuple(signing[: 2 if both else 1]))


async def moved(
    connection: AsyncConnection, webhook: str, was: int, position: int, sent_at: datetime | None = None
) -> bool:
    """Everything up to here is done; false when somebody has moved the cursor meanwhile, who is then right."""
    values: dict[str, Any] = {"position": position}
    if sent_at is not None:
        values |= {"sent_at": sent_at, "attempts": 0, "failing_since": None, "tried_at": None, "last_error": None}
    made = insert(webhook_cursors).values(webhook=webhook, **values)
    done = await connection.execute(
        made.on_conflict_do_update(
            index_elements=["webhook"], set_=values, where=webhook_cursors.c.position == was
        ).returning(webhook_cursors.c.webhook)
    )
    return done.one_or_none() is not None


async def failed(connection: AsyncConnection, webhook: str, error: str, at: datetime) -> None:
    """A try that did not succeed, for whoever looks why nothing arrives."""
    await connection.execute(
        update(webhook_cursors)
        .where(webhook_cursors.c.webhook == webhook)
        .values(
            attempts=webhook_cursors.c.attempts + 1,
            tried_at=at,
            failing_since=func.coalesce(webhook_cursors.c.failing_since, at),
            last_error=error,
        )
    )


async def _locked(connection: AsyncConnection, webhook: str) -> str:
    """Its state, which nobody else changes until this transaction ends."""
    state: str | None = await connection.scalar(
        select(webhooks.c.state).where(webhooks.c.id == webhook, webhooks.c.removed_at.is_(None)).with_for_update()
    )
    if state is None:
        raise UnknownWebhookError(f"There is no webhook {webhook}; `ombud webhook list` names them.")
    return state


async def _change(
    connection: AsyncConnection,
    vault: Vault,
    webhook: str,
    became: str,
    by: Actor,
    at: datetime,
    data: Mapping[str, Any],
    secret: str = "",
) -> None:
    await _locked(connection, webhook)
    seq = len(await ledger.read(connection, ledger.webhook_stream(webhook))) + 1
    entry = Entry(seq=seq, type=became, by=by, occurred_at=at, recorded_at=at, data=dict(data))
    await _record(connection, vault, webhook, entry, {"secret": secret} if secret else {})


async def _record(
    connection: AsyncConnection, vault: Vault, webhook: str, entry: Entry, texts: Mapping[str, str]
) -> None:
    stream = ledger.webhook_stream(webhook)
    await ledger.append(connection, {stream: [entry]})
    await vault.seal(connection, {stream: {entry.seq: texts}})
    changes = Changes()
    project_webhook(changes, webhook, [entry])
    await changes.apply(connection)
