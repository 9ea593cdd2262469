"""Chromium of the machine, driven by Playwright. Debian: `apt-get install chromium`."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page, async_playwright, expect

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

# It talks to nobody but the page, and needs neither a graphics card nor a sandbox of its own in a container.
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@asynccontextmanager
async def browsing(width: int = 1400, height: int = 900) -> AsyncIterator[Page]:
    """A page of a browser that knows nothing yet. Skips the test where there is no Chromium."""
    if PROGRAM is None:
        pytest.skip("there is no Chromium on this machine; Debian: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=PROGRAM, args=ARGUMENTS)
        page = await browser.new_page(viewport={"width": width, "height": height}, locale="en-US")
        page.set_default_timeout(60_000)
        expect.set_options(timeout=60_000)  # the limit of a broken test, on a machine that does other things too
        yield page
        await browser.close()
