"""The pages in the real browser: contrast, phone width, print, no script, nothing loaded from elsewhere."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, Page, expect

from rules.directory import Directory, Member
from tests.support.cases import EVIL, acknowledged, grave, told, undeliverable
from tests.support.shelf import Shelf

PHONE = {"width": 390, "height": 844}
PAGES = ("case", "desk", "standard")
READERS = ("maya.brandt", "liu.yan")

CONTRAST = """() => {
  const channel = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const luminance = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const colour = text => {
    const m = (text || '').match(/[\\d.]+/g);
    return m && (m.length < 4 || +m[3] > 0.99) ? m.slice(0, 3).map(Number) : null;
  };
  const inside = (r, x, y) => r.left <= x && x <= r.right && r.top <= y && y <= r.bottom;
  const drawnUnder = el => {
    const r = el.getBoundingClientRect(), x = r.left + r.width / 2, y = r.top + r.height / 2;
    let found = null;
    for (const shape of el.ownerSVGElement.querySelectorAll('rect')) {
      const before = shape.compareDocumentPosition(el) & Node.DOCUMENT_POSITION_FOLLOWING;
      if (before && inside(shape.getBoundingClientRect(), x, y))
        found = colour(getComputedStyle(shape).fill) || found;
    }
    return found;
  };
  const under = el => {
    if (el instanceof SVGElement && el.ownerSVGElement) { const c = drawnUnder(el); if (c) return c; }
    for (let e = el; e; e = e.parentElement) { const c = colour(getComputedStyle(e).backgroundColor); if (c) return c; }
    return [255, 255, 255];
  };
  const poor = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  for (let node; node = walker.nextNode();) {
    const el = node.parentElement;
    if (!node.data.trim() || !el.getClientRects().length || el.closest('option')) continue;
    const style = getComputedStyle(el), size = parseFloat(style.fontSize), bold = +style.fontWeight >= 700;
    const ink = colour(el instanceof SVGElement ? style.fill : style.color), paper = under(el);
    const [a, b] = [luminance(ink), luminance(paper)], ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    seen += 1;
    const wanted = size >= 24 || (bold && size >= 18.66) ? 3 : 4.5;
    if (ratio < wanted) poor.push([node.data.trim().slice(0, 40), ratio.toFixed(2)]);
  }
  return {seen, poor};
}"""
"""WCAG 2.2, 1.4.3: every visible text against what lies under it."""


@asynccontextmanager
async def shown(chromium: Browser, address: str, **context: object) -> AsyncIterator[Page]:
    """A page in a window of its own, which fails on whatever the browser complains of."""
    window = await chromium.new_context(viewport=PHONE, **context)  # type: ignore[arg-type]  # options of the browser
    page = await window.new_page()
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    answer = await page.goto(address)
    assert answer is not None
    assert answer.status == 200
    yield page
    assert complaints == []
    assert [url for url in asked if not url.startswith(address.split("/", 3)[0])] == []
    assert len(asked) == 1
    await window.close()


async def filled(shelf: Shelf, content: str = "The kettle burst.") -> None:
    """A case in which much happened."""
    story = grave(content=content)
    acknowledged(story, "2026-11-10 10:30")
    undeliverable(story, "2026-11-10 11:00")
    await told(shelf, story)


def path(shelf: Shelf, page: str, reader: str) -> str:
    """The link to each page."""
    subject = "maintenance-service/K-4711" if page == "case" else "maintenance-service"
    return shelf.link(page, subject, reader)  # type: ignore[arg-type]  # one of PAGES


@pytest.mark.parametrize("reader", READERS)
async def test_pages_are_legible_and_fit_a_phone(chromium: Browser, shelf: Shelf, reader: str) -> None:
    """Every text has the contrast of WCAG AA, on a phone and on a wide screen, and nothing scrolls sideways."""
    await filled(shelf)
    async with shelf.served() as base:
        for name in PAGES:
            async with shown(chromium, base + path(shelf, name, reader)) as page:
                for width in (390, 1200):
                    await page.set_viewport_size({"width": width, "height": 844})
                    found = await page.evaluate(CONTRAST)
                    assert found["poor"] == [], (name, width)
                    assert found["seen"] > 40
                    assert await page.evaluate("document.documentElement.scrollWidth") <= width, name


async def test_poor_contrast_would_be_found(chromium: Browser) -> None:
    """The check itself: grey on white and white on a light drawing are found, black is not."""
    page = await chromium.new_page()
    await page.set_content(
        '<p style="color:#999">grey</p><p>black</p><svg><rect width="90" height="40" fill="#ffd"/>'
        '<text y="20" fill="#fff">white</text></svg>'
    )
    found = await page.evaluate(CONTRAST)
    assert [text for text, _ in found["poor"]] == ["grey", "white"]
    assert found["seen"] == 3
    await page.close()


@pytest.mark.parametrize("reader", READERS)
async def test_pages_print(chromium: Browser, shelf: Shelf, reader: str) -> None:
    """Each page becomes a PDF on A4 of several sheets, and nothing is wider than the sheet."""
    await filled(shelf)
    async with shelf.served() as base:
        for name in PAGES:
            async with shown(chromium, base + path(shelf, name, reader)) as page:
                pdf = await page.pdf(prefer_css_page_size=True)
                assert pdf.startswith(b"%PDF-")
                assert b"/MediaBox [0 0 594.95" in pdf or b"/MediaBox [0 0 595" in pdf, name
                await page.emulate_media(media="print")
                await page.set_viewport_size(
                    {"width": 700, "height": 1000}
                )  # A4 without its margins, at 96 dots an inch
                assert await page.evaluate("document.documentElement.scrollWidth") <= 700, name


async def test_a_chart_goes_over_to_the_next_sheet(chromium: Browser, shelf: Shelf) -> None:
    """What does not fit on the first sheet leaves no half of it empty: the chart breaks between two clocks, never
    within one, and has its times on top of every sheet."""
    await filled(shelf)
    async with shelf.served() as base, shown(chromium, base + path(shelf, "case", "maya.brandt")) as page:
        await page.emulate_media(media="print")
        await page.set_viewport_size({"width": 700, "height": 1000})
        chart = page.locator("figure.line")
        assert await chart.evaluate("one => getComputedStyle(one).breakInside") == "auto"
        times = chart.locator(".times")
        assert await times.evaluate("one => getComputedStyle(one).display") == "table-header-group"
        clocks = chart.locator(".drawn")
        assert await clocks.count() > 3
        breaks = "all => all.map(one => [getComputedStyle(one).breakInside, one.offsetHeight < 100])"
        assert await clocks.evaluate_all(breaks) == [["avoid", True]] * await clocks.count()
        assert await chart.evaluate("one => one.offsetWidth") > 650


async def test_markup_in_words_and_names_stays_text(chromium: Browser, shelf: Shelf) -> None:
    """What people wrote makes no element, runs nothing and loads nothing, on any page that shows it."""
    await filled(shelf, EVIL)
    eve = Member(name=EVIL[:120], email="e@example.com", language="en", zone="UTC")
    roles = ("handler.manager", "handler.owner", "handler.team_lead", "handler.director")
    await shelf.people(Directory(people={"eve": eve}, roles={"*": dict.fromkeys(roles, ("eve",))}))
    async with shelf.served() as base:
        for name in PAGES:
            async with shown(chromium, base + path(shelf, name, "eve")) as page:
                assert await page.locator("script, img, [onload], [onerror]").count() == 0
                assert EVIL[:40] in await page.inner_text("body")
        async with shown(chromium, base + path(shelf, "case", "eve")) as page:
            assert EVIL in (await page.locator(".said").first.text_content() or "")


async def test_everything_works_without_script(chromium: Browser, shelf: Shelf) -> None:
    """With scripts switched off the drawing is there, and filter and links of the desk work."""
    await filled(shelf)
    async with shelf.served() as base:
        async with shown(chromium, base + path(shelf, "case", "maya.brandt"), java_script_enabled=False) as page:
            assert await page.locator("svg.bar").count() == 7
            box = await page.locator("svg.bar .over").first.bounding_box()
            assert box is not None
            assert box["width"] > 5
        window = await chromium.new_context(java_script_enabled=False)
        page = await window.new_page()
        await page.goto(base + path(shelf, "desk", "maya.brandt"))
        await page.select_option("select[name=category]", "usage")
        await page.click("button")
        await expect(page).to_have_url(re.compile("category=usage"))
        await expect(page.locator("section li")).to_have_count(0)
        await page.go_back()
        await page.click("section li a >> nth=0")
        await expect(page).to_have_title(re.compile("Case file"))
        await window.close()
