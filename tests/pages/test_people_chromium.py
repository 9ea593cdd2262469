"""The pages on which the principal and the customer act, in a browser: contrast, phone width, thumbs, no script."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Browser

from rules.contract_file import read
from templates.links import Purpose
from tests.pages.test_chromium import CONTRAST, shown
from tests.support.shelf import Shelf, in_force
from tests.support.story import Story
from tests.support.system import ROOT

THUMB = 44
"""CSS pixels that whatever is pressed must be high (WCAG 2.2, 2.5.5)."""

SMALL = """() => [...document.querySelectorAll('button, select, textarea, input:not([type=hidden]), summary, a')]
  .map(el => [el, (el.closest('label') || el).getBoundingClientRect()])
  .filter(([el, r]) => r.height > 0 && r.left >= 0 && r.height < %d)
  .map(([el, r]) => [el.outerHTML.slice(0, 80), Math.round(r.height)])"""

EVIL = '<img src=x onerror="alert(1)"> {{ 7 * 7 }}'


def handling() -> Story:
    """A case of the shipped contract with the survey."""
    file = ROOT / "contracts" / "complaint-handling.yaml"
    return Story(in_force(read(file.read_text("utf-8"), file.name, datetime.now(UTC)).contract))


def wall(ago: timedelta) -> str:
    """A moment before now, as stories write it: on the wall in Shanghai."""
    return (datetime.now(UTC) - ago + timedelta(hours=8)).strftime("%Y-%m-%d %H:%M")


async def cases(shelf: Shelf, language: str) -> None:
    """One that waits for the principal after a miss, and one whose customer was told the result."""
    asks, ends = handling(), handling()
    asks.open(wall(timedelta(days=20)), reference="K-1", kind="complaint", category="product")
    asks.live(wall(timedelta(hours=3)))
    due = datetime.now(UTC) - timedelta(hours=1)
    asks.tell("request", wall(timedelta(hours=2)), of="principal.responsible_person", due=due, text=EVIL)
    asks.tell("demand", wall(timedelta(hours=1)), wants="remedy", by={"role": "principal.supervisor"}, text=EVIL)
    ends.open(
        wall(timedelta(days=2)), reference="K-2", kind="complaint", complainant={"id": "C-1", "language": language}
    )
    for command, more in (
        ("findings", {"cause": EVIL}),
        ("propose", {}),
        ("resolve", {"outcome": "partly"}),
        ("tell_result", {"text": EVIL}),
    ):
        ends.tell(command, wall(timedelta(hours=2)), **more)
    await shelf.put(asks, ends)


PAGES: tuple[tuple[Purpose, str, str, str], ...] = (
    ("principal", "complaint-handling", "", ""),
    ("principal", "complaint-handling", "", "/case/K-1"),
    ("principal", "complaint-handling", "", "/list/waited-for-us"),
    ("status", "complaint-handling/K-2", "C-1", ""),
    ("survey", "complaint-handling/K-2", "C-1", ""),
)


@pytest.mark.parametrize(("reader", "language"), [("maya.brandt", "en"), ("liu.yan", "zh-CN")])
async def test_pages_are_legible_fit_a_phone_and_a_thumb(
    chromium: Browser, shelf: Shelf, reader: str, language: str
) -> None:
    """Every text has the contrast of WCAG AA, nothing scrolls sideways, everything that is pressed is high enough, and
    words of people make no element."""
    await cases(shelf, language)
    async with shelf.served() as base:
        for purpose, subject, person, below in PAGES:
            address = f"{base}{shelf.link(purpose, subject, person or reader)}{below}"
            async with shown(chromium, address) as page:
                for width in (390, 1200):
                    await page.set_viewport_size({"width": width, "height": 844})
                    found = await page.evaluate(CONTRAST)
                    assert found["poor"] == [], (purpose, below, width)
                    assert found["seen"] > 10
                    assert await page.evaluate("document.documentElement.scrollWidth") <= width, (purpose, below)
                assert await page.evaluate(SMALL % THUMB) == [], (purpose, below)
                assert await page.evaluate("document.images.length + document.scripts.length") == 0
                assert await page.evaluate("document.documentElement.lang") == language
                if (purpose, below) in (("principal", ""), ("principal", "/case/K-1"), ("status", "")):
                    assert EVIL in await page.inner_text("main")
