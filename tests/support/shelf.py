"""Cases on record under the shipped maintenance contract, and the server that shows them; no Temporal is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import uvicorn
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp
from temporalio.client import Client

from deploy.ports import free_port
from rules.contract import Contract
from rules.contract_file import read
from rules.directory import Directory
from rules.law import InForce, law_of
from rules.ledger import Entry
from rules.values import SYSTEM
from settings import Settings
from starter.client import Ombud
from starter.serve import application
from storage import contracts, directory, registry
from storage.content import Vault
from storage.database import create_engine, transaction
from storage.recording import record, record_message
from templates.links import Addressed, Links, Purpose
from tests.support.recorded import batch
from tests.support.story import Story
from tests.support.system import ROOT, publish
from tests.support.wait import eventually

MAINTENANCE = ROOT / "contracts" / "maintenance-service.yaml"
UI = "https://temporal.example.com"


def maintenance() -> Contract:
    """The shipped contract."""
    return read(MAINTENANCE.read_text(encoding="utf-8"), MAINTENANCE.name, datetime.now(UTC)).contract


def in_force(contract: Contract | None = None) -> InForce:
    """A contract as cases are judged by it."""
    return law_of((contract or maintenance()).model_dump(mode="json", by_alias=True, exclude_defaults=True))


@dataclass
class Shelf:
    """Files in Postgres, and links to them."""

    engine: AsyncEngine
    settings: Settings
    vault: Vault
    temporal: Client
    """Connects to nothing before it is asked something."""

    @property
    def app(self) -> ASGIApp:
        """The server of the pages."""
        return application(self.engine, Ombud(self.temporal, self.engine, patience=1), self.settings)

    async def put(self, *stories: Story) -> None:
        """Stories on record, each under its contract as published."""
        async with transaction(self.engine) as db:
            for story in stories:
                version = await contracts.in_force(db, story.case.contract, story.case.received_at)
                assert version is not None
                claim = registry.Claim(
                    contract=story.case.contract,
                    reference=story.case.reference,
                    digest=story.case.reference,
                    first_run="run-1",
                    received_at=story.case.received_at,
                    registered_at=story.case.recorded_at,
                )
                await registry.register(db, [claim])
                await record(db, self.vault, [batch(story, version.version)])

    async def mailed(self, message: str, person: str, keys: Sequence[str], at: datetime, reply: str = "") -> None:
        """A message that carries these notices; taken by the server when it replied, still on its way otherwise."""
        told = {"person": person, "channel": "email", "language": "en", "notices": list(keys)}
        entries = [Entry(seq=1, type="claimed", by=SYSTEM, occurred_at=at, recorded_at=at, data=told)]
        if reply:
            entries.append(
                Entry(seq=2, type="accepted", by=SYSTEM, occurred_at=at, recorded_at=at, data={"reply": reply})
            )
        async with transaction(self.engine) as db:
            await record_message(db, self.vault, message, entries)

    async def publish(self, contract: Contract) -> None:
        """One more contract in force."""
        async with transaction(self.engine) as db:
            since = datetime(2000, 1, 1, tzinfo=UTC)
            await contracts.publish(db, contract, since, "test", datetime.now(UTC))

    async def people(self, whole: Directory) -> None:
        """Another directory."""
        async with transaction(self.engine) as db:
            await directory.replace(db, whole)

    def link(self, purpose: Purpose, subject: str, person: str) -> str:
        """The path of a link."""
        links = Links(self.settings.signing_key.get_secret_value(), "http://x", purpose)
        return links.url(Addressed(subject, person)).removeprefix("http://x")

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """The pages on a port of this machine, for a real browser."""
        port = free_port()
        server = uvicorn.Server(uvicorn.Config(self.app, port=port, log_level="warning", access_log=False))
        server.capture_signals = _uncaptured  # type: ignore[method-assign]  # the test's own process keeps its signals
        running = asyncio.create_task(server.serve())
        await eventually(lambda: server.started)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            await running


@contextmanager
def _uncaptured() -> Iterator[None]:
    yield


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Shelf]:
    """An empty shelf: contracts and directory as they ship."""
    engine = create_engine(settings.database_url)
    own = settings.model_copy(update={"base_url": "https://ombud.example.com", "temporal_ui_url": UI})
    await publish(engine)
    client = await Client.connect("127.0.0.1:1", lazy=True)
    yield Shelf(engine, own, Vault(settings.keyring), client)
    await engine.dispose()


def hours_ago(n: float) -> str:
    """A time as stories write it: on the wall in Shanghai, to the minute."""
    at = datetime.now(UTC) - timedelta(hours=n) + timedelta(hours=8)
    return f"{at:%Y-%m-%d %H:%M}"
