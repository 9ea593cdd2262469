"""Who hears of the contracts of a storm: a program each, a group robot each, and some that leave; and what stands of
them at the end."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from faults import robots
from faults.farewells import Subscription
from faults.laws import NAMES
from faults.receiver import Hooks, secret_of
from faults.robots import ROBOTS
from rules.contract import Contract
from rules.events import EVENTS, TO_ACT_ON
from rules.ledger import Entry
from rules.values import Actor
from storage import contracts, registry, webhooks
from storage.content import Vault
from storage.ledger import stream_of, webhook_stream
from storage.stuck import stuck
from storage.tables import ledger_feed

RECORDED = """
SELECT stream, body, pg_xact_commit_timestamp(xmin) FROM ledger WHERE starts_with(stream, 'webhook/') ORDER BY seq
"""
"""What stands of each subscription, and since when everybody can know."""

STUCK_AFTER = timedelta(minutes=15)
"""As `ombud stuck` has it by itself."""


class Standing(NamedTuple):
    """What a run leaves behind of those who hear of it."""

    positions: dict[tuple[str, int], int]
    """Where each entry of a complaint stands in the feed."""
    contracts: dict[str, Contract]
    """Which one each complaint is under."""
    subscriptions: list[Subscription]


async def subscribe(connection: AsyncConnection, vault: Vault, hooks: Hooks, now: datetime) -> None:
    """Everybody, before anything happens."""
    for name in NAMES:
        plain = [hooks.address(name), *([hooks.leaving_address(name)] if name in hooks.leavers.contracts else [])]
        for url in plain:
            await _one(connection, vault, now, name, "cloudevents", EVENTS, url, secret_of(name))
        secret = robots.secret_of(name)
        await _one(connection, vault, now, name, ROBOTS[name], TO_ACT_ON, hooks.robot_address(name), secret)


async def _one(
    connection: AsyncConnection,
    vault: Vault,
    now: datetime,
    contract: str,
    format_: str,
    events: Iterable[str],
    url: str,
    secret: str,
) -> None:
    told: dict[str, Any] = {"contract": contract, "format_": format_, "events": events, "url": url, "secret": secret}
    origin = url.partition("?")[0]  # the whole path, by which it is known at the end
    await webhooks.subscribe(connection, vault, origin=origin, by=Actor(role="operations"), at=now, **told)


async def read(connection: AsyncConnection, complaints: Iterable[str]) -> Standing:
    """What stands of all of them, and what the judges need to know of these complaints."""
    of = stream_of("")
    feed = ledger_feed.c
    placed = await connection.execute(
        select(feed.stream, feed.seq, feed.position).where(feed.position.is_not(None), feed.stream.startswith(of))
    )
    positions = {(stream.removeprefix(of), seq): position for stream, seq, position in placed}
    under = await registry.versions(connection, complaints)
    known = {version: (await contracts.load(connection, version)).parsed() for version in set(under.values())}
    recorded: dict[str, list[tuple[Entry, datetime]]] = {}
    for stream, body, committed_at in await connection.execute(text(RECORDED)):
        recorded.setdefault(stream, []).append((Entry.model_validate(body), committed_at))
    listed = await stuck(connection, datetime.now(UTC), waiting=STUCK_AFTER, past=timedelta(days=1))
    seen = {item.where.partition(" ")[0]: item.why for item in listed if item.what.endswith("webhook")}
    subscriptions = [
        Subscription(
            urlsplit(hook.origin).path.removeprefix("/"),
            hook.state,
            hook.paused_why,
            hook.position,
            [entry for entry, _ in recorded[webhook_stream(hook.id)]],
            [committed_at for _, committed_at in recorded[webhook_stream(hook.id)]],
            seen.get(hook.id),
        )
        for hook in await webhooks.listing(connection)
    ]
    return Standing(positions, {complaint: known[version] for complaint, version in under.items()}, subscriptions)
