"""The desk: what is due, overdue, unanswered and undeliverable, whole, for whoever handles the contract."""

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import text

from rules.directory import Directory, Member
from starter.pages import desk
from storage.database import transaction
from tests.support.cases import grave, told, undeliverable
from tests.support.shelf import Shelf, hours_ago, in_force
from tests.support.story import Story

CONTRACT = "maintenance-service"


def late(reference: str, **fields: str) -> Story:
    """An enquiry received a month ago whose first response is overdue, whatever day it is."""
    story = Story(in_force())
    story.open(hours_ago(720), reference=reference, content="Hello?", **fields)
    return story


async def lists(visitor: httpx.AsyncClient, shelf: Shelf, query: str = "", person: str = "maya.brandt") -> str:
    """The page, as text."""
    shown = await visitor.get(shelf.link("desk", CONTRACT, person) + query)
    assert shown.status_code == 200
    return shown.text


async def test_each_line_leads_to_its_case_and_to_temporal(visitor: httpx.AsyncClient, shelf: Shelf) -> None:
    """A line names clause, due and lateness; its link opens the case file for the same reader."""
    await told(shelf, grave())
    shown = await lists(visitor, shelf)
    assert "Closed loop" in shown
    assert "Tue 3 Nov 2026, 10:00 UTC+8" in shown
    assert "/workflows/complaint%2Fmaintenance-service%2FK-4711" in shown
    path = re.search(r'href="\.\.(/c/[^"]+)"', shown)
    assert path is not None
    case = await visitor.get(path[1])
    assert case.status_code == 200
    assert "Maya Brandt" in case.text


async def test_a_link_from_the_desk_ends_with_the_desk(visitor: httpx.AsyncClient, shelf: Shelf) -> None:
    """The link of a line lives no longer than the link of the page it stands on."""
    await told(shelf, grave())
    shown = await lists(visitor, shelf)
    until = re.search(r"Valid until</dt><dd>([^<]+)", shown)
    path = re.search(r'href="\.\.(/c/[^"]+)"', shown)
    assert until is not None
    assert path is not None
    assert f"Valid until</dt><dd>{until[1]}" in (await visitor.get(path[1])).text


async def test_what_is_due_stands_on_the_right_list(shelf: Shelf) -> None:
    """By the wall of the contract: overdue, later today, within 24 hours after today, later."""
    async with transaction(shelf.engine) as db:
        at_midnight = await db.scalar(
            text("SELECT date_trunc('day', now() AT TIME ZONE 'Asia/Shanghai') + interval '1 day'")
        )
    assert isinstance(at_midnight, datetime)
    story = late("D-1")
    await shelf.put(story)
    now = datetime.now(UTC)
    midnight = at_midnight.replace(tzinfo=UTC) - timedelta(hours=8)
    wanted = {
        now - timedelta(seconds=5): "overdue",
        midnight: "today",
        midnight + timedelta(seconds=1): "24 hours",
        now + timedelta(hours=25): "later",
    }
    async with transaction(shelf.engine) as db:
        for due, name in wanted.items():
            await db.execute(text("UPDATE clocks SET due_at = :due"), {"due": due})
            found = await db.scalar(text("SELECT list FROM desk WHERE obligation = 'first_response'"))
            assert found == name, due


async def test_notices_of_misses_wait_for_an_answer(visitor: httpx.AsyncClient, shelf: Shelf) -> None:
    """What a server took and nobody acknowledged is listed while it is not done; what reached nobody always."""
    story = late("D-1")
    story.live(hours_ago(10))
    keys = [n.key for entry in story.entries for n in entry.notices if n.key.endswith("handler.manager")]
    await shelf.put(story)
    now = datetime.now(UTC)
    await shelf.mailed("d4" * 32, "maya.brandt", keys[:1], now, "250 ok")
    bounced = grave()
    undeliverable(bounced, "2026-11-10 11:00")
    await shelf.put(bounced)
    waiting = await lists(visitor, shelf, "?list=unacknowledged")
    assert "D-1" in waiting
    assert "Service manager · Maya Brandt" in waiting
    assert "said the server" in await lists(visitor, shelf, "?list=undeliverable")
    async with transaction(shelf.engine) as db:
        await db.execute(text("UPDATE clocks SET done_at = now() WHERE complaint LIKE '%D-1'"))
    assert "D-1" not in await lists(visitor, shelf, "?list=unacknowledged")


async def test_no_case_is_lost_between_pages(
    visitor: httpx.AsyncClient, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page by page every case comes once, whatever a page holds; the first page counts all of them."""
    monkeypatch.setattr(desk, "LINES", 3)
    monkeypatch.setattr(desk, "AT_FIRST", 2)
    await shelf.put(*(late(f"D-{n}") for n in range(10)))
    whole = await lists(visitor, shelf)
    assert "Overdue (10)" in whole
    assert "All 10" in whole
    seen: list[str] = []
    address = "?list=overdue"
    while address:
        shown = await lists(visitor, shelf, address)
        seen += re.findall(r"<h3><a [^>]+>(D-\d+)</a>", shown)
        on = re.search(r'<a href="(\?[^"]+)">Next lines', shown)
        address = on[1].replace("&amp;", "&") if on else ""
    assert sorted(seen) == [f"D-{n}" for n in range(10)]


async def test_filters_narrow_counts_and_lines(visitor: httpx.AsyncClient, shelf: Shelf) -> None:
    """Category, level and owner restrict what is listed and what is counted, by plain links."""
    logistics = late("D-2", category="logistics")
    logistics.tell("assign", hours_ago(23), person="chen.lin")
    await shelf.put(late("D-1", category="usage"), logistics)
    for query, there, gone in (
        ("?category=usage", "D-1", "D-2"),
        ("?level=2", "D-2", "D-1"),
        ("?owner=chen.lin", "D-2", "D-1"),
        ("?owner=handler.owner", "D-1", "D-2"),
    ):
        shown = await lists(visitor, shelf, query)
        assert there in shown, query
        assert gone not in shown, query
    assert "Overdue (0)" in await lists(visitor, shelf, "?category=usage&level=2&list=overdue")


async def test_only_who_handles_the_contract(visitor: httpx.AsyncClient, shelf: Shelf) -> None:
    """The principal and strangers are turned away; of a case against the reader nothing shows."""
    await shelf.put(late("D-1"), late("D-2", against="maya.brandt"))
    for person in ("gao.jie", "ada.novak"):
        assert (await visitor.get(shelf.link("desk", CONTRACT, person))).status_code == 403
    assert (await visitor.get(shelf.link("desk", "unknown", "maya.brandt"))).status_code == 403
    shown = await lists(visitor, shelf)
    assert "D-1" in shown
    assert "D-2" not in shown


async def test_all_contracts_are_those_of_the_reader(visitor: httpx.AsyncClient, shelf: Shelf) -> None:
    """A desk of all contracts shows those in which its reader handles cases, and no other."""
    await shelf.put(late("D-1"))
    who = Member(name="Sam", email="s@example.com", language="en", zone="UTC")
    await shelf.people(Directory(people={"sam": who}, roles={"consumer-finance": {"handler.owner": ("sam",)}}))
    shown = await visitor.get(shelf.link("desk", "*", "sam"))
    assert shown.status_code == 200
    assert "D-1" not in shown.text


@pytest.mark.parametrize(
    "after", ["x", "2026-01-01~D", "~", "2026-01-01T00:00:00%2B00:00~%00", "0001-01-01T00:00:00%2B14:00~"]
)
async def test_a_place_that_is_none_of_ours(visitor: httpx.AsyncClient, shelf: Shelf, after: str) -> None:
    """A changed address is answered with a page that says so, not with an error."""
    shown = await visitor.get(shelf.link("desk", CONTRACT, "maya.brandt") + f"?list=overdue&after={after}")
    assert shown.status_code == 404


async def test_a_filter_that_nothing_can_have(visitor: httpx.AsyncClient, shelf: Shelf) -> None:
    """What Postgres could not even compare finds nothing, or stands for the filter without it."""
    for name in ("category", "level", "owner"):
        shown = await visitor.get(shelf.link("desk", CONTRACT, "maya.brandt") + f"?{name}=%00%ed%a0%80")
        assert shown.status_code == 200
