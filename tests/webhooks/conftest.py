"""Subscriptions on a real Postgres, with receivers of their own on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.testing import ActivityEnvironment, WorkflowEnvironment

from activities.caller import Caller
from activities.cloudevents import fresh_secret
from activities.guard import Guard
from activities.interface import Dispatched
from activities.webhooks import Dispatcher
from rules.events import EVENTS, TO_ACT_ON
from rules.values import Actor
from settings import Settings
from storage import registry, webhooks
from storage.content import Vault
from storage.database import create_engine, transaction
from storage.recording import record
from storage.webhooks import Webhook
from tests.support.receiver import Receiver
from tests.support.recorded import batch, claim, published
from tests.support.story import Story, law

BY = Actor(role="operations", person="p.ops")
ALLOWED = "127.0.0.0/8"


@dataclass
class Exchange:
    """What a test of webhooks has at hand."""

    engine: AsyncEngine
    settings: Settings
    vault: Vault
    client: Any
    receivers: list[Receiver] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)

    async def receiver(self, **fields: Any) -> Receiver:
        """One more server that takes webhooks."""
        made = Receiver(**fields)
        await made.start()
        self.receivers.append(made)
        return made

    async def subscribe(self, receiver: Receiver, **fields: Any) -> Webhook:
        """To everything, as CloudEvents with a fresh secret, unless said otherwise."""
        format_ = fields.pop("format_", "cloudevents")
        given: dict[str, Any] = {
            "contract": None,
            "events": EVENTS if format_ == "cloudevents" else TO_ACT_ON,
            "origin": f"http://127.0.0.1:{receiver.port}",
            "url": receiver.url,
            "secret": fresh_secret() if format_ == "cloudevents" else "",
        } | fields
        async with transaction(self.engine) as db:
            made = await webhooks.subscribe(db, self.vault, format_=format_, by=BY, at=datetime.now(UTC), **given)
        self.secrets[made.id] = given["secret"]
        return made

    def dispatcher(self, *, patience: float = 5, **more: Any) -> Dispatcher:
        """The activity as a worker has it."""
        caller = more.pop("caller", None) or Caller(Guard(ALLOWED), patience=patience)
        return Dispatcher(self.engine, self.client, self.settings, caller=caller, **{"pace": timedelta()} | more)

    async def dispatch(self, webhook: Webhook, dispatcher: Dispatcher | None = None) -> Dispatched:
        """One round."""
        done: Dispatched = await ActivityEnvironment().run((dispatcher or self.dispatcher()).dispatch, webhook.id)
        return done

    async def record(self, *stories: Story) -> None:
        """Put whole stories on record, each in a transaction of its own."""
        for story in stories:
            async with transaction(self.engine) as db:
                version = (await published(db, story.law.contract)).version
                await registry.register(db, [claim(story.case.reference, contract=story.case.contract)])
                await record(db, self.vault, [batch(story, version)])

    async def found(self, webhook: Webhook) -> Webhook:
        """How it stands now."""
        async with transaction(self.engine) as db:
            return await webhooks.find(db, webhook.id)

    async def change(self, work: Callable[..., Any], webhook: Webhook, *args: Any, **more: Any) -> Any:
        """One change of a subscription, as the command line makes it."""
        async with transaction(self.engine) as db:
            return await work(db, self.vault, webhook.id, *args, BY, datetime.now(UTC), **more)

    async def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """What Postgres answers."""
        async with transaction(self.engine) as db:
            return [dict(row) for row in (await db.execute(text(query), values)).mappings()]


@pytest.fixture
async def exchange(temporal_env: WorkflowEnvironment, settings: Settings) -> AsyncIterator[Exchange]:
    """An empty database with the small contract, and receivers that end with the test."""
    engine = create_engine(settings.database_url)
    vault = Vault(bytes(range(32)))
    made = Exchange(engine, settings.model_copy(update={"webhook_allow": ALLOWED}), vault, temporal_env.client)
    async with transaction(engine) as db:
        await published(db, law().contract)
    yield made
    for receiver in made.receivers:
        await receiver.stop()
    await engine.dispose()


def told(reference: str = "R-1") -> Story:
    """Opened, warned twice, missed at 10:15, done late at 10:20."""
    story = Story()
    story.open("2026-03-02 10:00", reference=reference)
    story.live("2026-03-02 10:18")
    story.tell("respond", "2026-03-02 10:20")
    return story
