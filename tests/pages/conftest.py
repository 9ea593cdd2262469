"""The page server on a running Ombud: real workflows, real Postgres, and the links of real mails."""

import re
import shutil
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, async_playwright
from temporalio.testing import WorkflowEnvironment

from settings import Settings
from starter.client import Ombud
from starter.serve import application
from templates.links import Addressed, Links, Purpose
from tests.support.shelf import Shelf, opened
from tests.support.smtp import SmtpSink
from tests.support.system import System, running
from tests.support.wait import eventually

BASE = "https://ombud.example.com"


@dataclass
class Site:
    """A visitor's browser, and the system behind the pages."""

    browser: httpx.AsyncClient
    system: System
    sink: SmtpSink

    async def grave(self, reference: str, minutes_ago: int = 0, **fields: Any) -> None:
        """A grave complaint: its managers are told at once."""
        received = datetime.now(UTC) - timedelta(minutes=minutes_ago)
        await self.system.open(
            "maintenance-service", reference, kind="complaint", level="3", received_at=received, **fields
        )

    async def mail_to(self, address: str, *references: str) -> EmailMessage:
        """The mail to this address that speaks of all these cases, once it has come and is on record."""

        def come() -> EmailMessage | None:
            for mail in self.sink.messages:
                if mail.recipients == (address,) and all(r in text(mail.message) for r in references):
                    return mail.message
            return None

        mail: EmailMessage = await eventually(come)
        id_ = str(mail["Message-ID"])[1:].partition("@")[0]
        await eventually(
            lambda: self.system.rows("SELECT 1 FROM messages WHERE id = :id AND state = 'accepted'", id=id_)
        )
        return mail

    async def answers(self) -> list[dict[str, Any]]:
        """Every acknowledgement on record."""
        found = await self.system.rows("SELECT body FROM ledger WHERE type = 'acknowledged' ORDER BY stream, seq")
        return [row["body"] for row in found]


def text(mail: EmailMessage) -> str:
    """The plain part of a mail."""
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def link(mail: EmailMessage) -> str:
    """The path of the link to the acknowledge page."""
    found = re.search(re.escape(BASE) + r"(/a/\S+)", text(mail))
    assert found is not None
    return found[1]


def link_to(site: Site, purpose: Purpose, subject: str, person: str) -> str:
    """The path of a link, as the command line prints it."""
    links = Links(site.system.settings.signing_key.get_secret_value(), BASE, purpose)
    return links.url(Addressed(subject, person)).removeprefix(BASE)


@pytest.fixture
async def site(temporal_env: WorkflowEnvironment, settings: Settings, smtp_sink: SmtpSink) -> AsyncIterator[Site]:
    """A site of this test's own, with a public address."""
    own = settings.model_copy(update={"task_queue": f"ombud-{uuid.uuid4().hex[:12]}", "base_url": BASE})
    async with running(temporal_env.client, own) as system:
        app = application(
            system.engine, Ombud(system.client, system.engine, task_queue=own.task_queue, patience=5), own
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=BASE) as browser:
            yield Site(browser, system, smtp_sink)


@pytest.fixture
async def shelf(settings: Settings) -> AsyncIterator[Shelf]:
    """Contracts and directory as they ship, in a database of this test's own."""
    async with opened(settings) as made:
        yield made


@pytest.fixture
async def visitor(shelf: Shelf) -> AsyncIterator[httpx.AsyncClient]:
    """A browser without an engine, on the pages of the shelf."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=shelf.app), base_url=BASE) as browser:
        yield browser


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The real thing, as Debian packages it."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium here; on Debian: apt-get install chromium")
    flags = ("no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking")
    more = ("disable-component-update", "disable-sync")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[f"--{flag}" for flag in (*flags, *more)])
        yield browser
        await browser.close()
