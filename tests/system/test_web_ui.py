"""What operations do in Temporal's Web UI, done in a browser against the real one."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from playwright.async_api import Page, expect
from temporalio.common import SearchAttributeKey

from deploy.ports import free_port
from settings import Settings
from tests.support.browser import browsing
from tests.support.system import System, running
from tests.support.temporal import start_real
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(240)


@dataclass
class Desk:
    """A browser in front of the Web UI of a running system."""

    page: Page
    system: System
    url: str

    async def ask(self, query: str) -> None:
        """Open the list of workflows that a query finds."""
        await self.page.goto(f"{self.url}/namespaces/default/workflows?query={quote(query)}")


@pytest.fixture
async def desk(search_attributes: list[SearchAttributeKey[Any]], settings: Settings) -> AsyncIterator[Desk]:
    """A system on a Temporal server of its own that shows its Web UI."""
    port = free_port()
    own = settings.model_copy(update={"task_queue": f"ombud-{uuid.uuid4().hex[:12]}"})
    async with (
        await start_real(search_attributes, ui_port=port) as env,
        running(env.client, own) as system,
        browsing() as page,
    ):
        yield Desk(page, system, f"http://127.0.0.1:{port}")


async def test_a_complaint_is_found_read_and_commanded(desk: Desk) -> None:
    """A query by search attributes finds it alone, its timer carries clause and promise, its details show every clock,
    and an update sent from the page stands in the ledger and in the details.
    """
    await desk.system.open("maintenance-service", "K-1", kind="complaint", category="product_quality", level="2")
    await desk.system.open("maintenance-service", "K-2", kind="enquiry", level="1")
    started = "SELECT 1 FROM clocks WHERE complaint = 'maintenance-service/K-1' AND obligation = 'resolution'"
    await eventually(lambda: desk.system.rows(started))
    page = desk.page

    # the search attributes of a workflow can be asked for a moment after it set them
    query = 'ExecutionStatus = "Running" AND OmbudContract = "maintenance-service" AND OmbudLevel = "2"'

    async def seen() -> bool:
        found = [one.id async for one in desk.system.client.list_workflows(query)]
        return found == ["complaint/maintenance-service/K-1"]

    await eventually(seen)
    await desk.ask(query)
    link = page.get_by_role("link", name="complaint/maintenance-service/K-1")
    await expect(link.first).to_be_visible()
    await expect(page.get_by_text("maintenance-service/K-2")).to_have_count(0)

    await link.first.click()
    await expect(page.get_by_text("First response 50% · E 2.1.1").first).to_be_visible()

    await page.get_by_role("tab", name="User Metadata").click()
    details = page.frame_locator("iframe[src*='content=**classified**']")
    row = details.get_by_role("row").filter(has_text="First response")
    await expect(row).to_contain_text("E\u00a02.1.1")
    await expect(row).to_contain_text("running")
    await expect(details.get_by_role("row").filter(has_text="Resolution")).to_contain_text("B\u00a08.1.3")

    await page.get_by_role("button", name="More Actions").click()
    await page.get_by_role("menuitem", name="Send an Update").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_test_id("update-select-button").click()
    await dialog.get_by_role("option", name="respond").click()
    await dialog.locator(".cm-content").fill('{"text": "We call you at once."}')
    await dialog.get_by_role("button", name="Submit").click()

    responded = "SELECT body FROM ledger WHERE stream = 'complaint/maintenance-service/K-1' AND type = 'responded'"
    (entry,) = await eventually(lambda: desk.system.rows(responded))
    assert entry["body"]["via"] == "ui"
    met = "SELECT 1 FROM clocks WHERE complaint LIKE '%K-1' AND obligation = 'first_response' AND status = 'met'"
    await eventually(lambda: desk.system.rows(met))
    await page.reload()
    await expect(row).to_contain_text("met")


async def test_an_update_that_is_refused_says_why(desk: Desk) -> None:
    """What a complaint refuses is said on the page, in the words of the refusal."""
    await desk.system.open("maintenance-service", "K-1", kind="complaint", level="2")
    await eventually(lambda: desk.system.rows("SELECT 1 FROM clocks"))
    page = desk.page
    await page.goto(f"{desk.url}/namespaces/default/workflows/complaint%2Fmaintenance-service%2FK-1")
    await page.get_by_role("button", name="More Actions").click()
    await page.get_by_role("menuitem", name="Send an Update").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_test_id("update-select-button").click()
    await dialog.get_by_role("option", name="respond").click()
    await dialog.locator(".cm-content").fill('{"txt": "We call you at once."}')
    await dialog.get_by_role("button", name="Submit").click()
    await expect(page.get_by_text("unknown field; remove it or correct its name").first).to_be_visible()
    assert not await desk.system.rows("SELECT 1 FROM ledger WHERE type = 'responded'")
