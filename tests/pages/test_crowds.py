"""A crowd from start to end: real complaints of one incident, real mails, one button, and what joins later."""

import re
import uuid
from datetime import UTC, datetime
from typing import Any

import httpx
from temporalio.testing import WorkflowEnvironment

from settings import Settings
from starter.client import Ombud
from starter.serve import application
from storage import contracts
from storage.database import transaction
from tests.pages.conftest import BASE, Site, link, text
from tests.support.desk import Desk, missed, opened
from tests.support.smtp import SmtpSink
from tests.support.story import SMALL, law
from tests.support.wait import eventually

CASES = 12
LADDER = [
    {"at": "due", "tell": "handler.manager"},
    {"after": "1 second", "tell": "handler.director", "per": "incident"},
    {"after": "100 days", "tell": "handler.director", "unless": "acknowledged"},
    {"after": "200 days", "tell": "handler.director"},
]


async def published(site: Site) -> str:
    """A contract with a first response due after a second, whose director is told once an incident."""
    promise: dict[str, Any] = {**SMALL["obligations"]["first_response"], "due": "1 second", "ladder": LADDER}
    contract = law(contract="crowded", obligations={"first_response": promise}, notices={}).contract
    since = datetime(2026, 1, 1, tzinfo=UTC)
    async with transaction(site.system.engine) as connection:
        await contracts.publish(connection, contract, since, "test", since)
    return contract.contract


async def test_one_button_answers_for_an_incident(site: Site) -> None:
    """Many complaints miss at once: each stands in a mail to the manager, the director hears of the incident once, and
    one press answers for every case, for the one that misses later too."""
    contract, run = await published(site), uuid.uuid4().hex[:8]
    names = [f"{run}-{n:02}" for n in range(CASES)]
    for name in names:
        await site.system.open(contract, name, incident=f"INC-{run}")
    told = "SELECT key, joined FROM notices WHERE contract = 'crowded' AND rung = :rung AND state = 'accepted'"
    await eventually(lambda: _count(site, told, "+1 second", CASES))
    await eventually(lambda: _count(site, told, "due", CASES))
    to_manager = [mail.message for mail in site.sink.messages if mail.recipients == ("maya.brandt@example.com",)]
    assert all(any(name in text(mail) for mail in to_manager) for name in names)
    (mail,) = [mail.message for mail in site.sink.messages if mail.recipients == ("liu.yan@example.com",)]
    path = link(mail)
    page = (await site.browser.get(path)).text
    assert f"INC-{run}" in page
    assert all(name in page for name in names)
    done = await site.browser.post(path, data={"line": "0", "follow": "noted"})
    assert done.status_code == 200
    assert f"目前{CASES}件投诉" in page
    await eventually(lambda: _acknowledged(site, CASES))
    later = f"{run}-later"
    await site.system.open(contract, later, incident=f"INC-{run}")
    await eventually(lambda: _acknowledged(site, CASES + 1))
    assert len([mail for mail in site.sink.messages if mail.recipients == ("liu.yan@example.com",)]) == 1
    answers = await site.answers()
    assert {(a["by"]["role"], a["by"]["person"], a["via"]) for a in answers} == {
        ("handler.director", "liu.yan", "page")
    }
    (joined,) = await site.system.rows(
        "SELECT joined FROM notices WHERE complaint = :c AND rung = '+1 second'", c=f"crowded/{later}"
    )
    assert joined["joined"]


async def _count(site: Site, query: str, rung: str, count: int) -> bool:
    return len(await site.system.rows(query, rung=rung)) == count


async def _acknowledged(site: Site, count: int) -> bool:
    return len(await site.answers()) == count


async def test_two_hundred_lines_are_one_button(
    temporal_env: WorkflowEnvironment, settings: Settings, smtp_sink: SmtpSink
) -> None:
    """A page of many lines has them by what they are about, all of them chosen; one press tells every complaint."""
    unique = uuid.uuid4().hex[:8]
    async with opened(temporal_env.client, settings, smtp_sink) as desk:
        stories = [missed(f"{unique}-{n:03}") for n in range(30)]
        await desk.record(*stories)
        handles = [await desk.listen(story) for story in stories]
        await desk.deliver("cy")
        async with visitor(desk) as browser:
            path = link(smtp_sink.messages[0].message)
            page = (await browser.get(path)).text
            assert page.count("<details") == 1
            assert all(story.case.reference in page for story in stories)
            shown = re.search(r'name="shown" value="([\d ]+)"', page)
            assert shown is not None
            assert page.count('type="checkbox"') == 30
            assert not re.search(r'type="checkbox"[^>]*checked', page)
            both = await browser.post(path, data={"which": "all", "shown": shown[1], "line": "3", "follow": "noted"})
            assert both.status_code == 422
            assert "Choose which it is." in both.text
            done = await browser.post(path, data={"which": "all", "shown": shown[1], "follow": "noted"})
        assert done.status_code == 200
        assert "30 cases" in done.text
        for handle in handles:
            assert len(await handle.query("told")) == 1


async def test_who_is_complained_about_sees_and_answers_nothing(
    temporal_env: WorkflowEnvironment, settings: Settings, smtp_sink: SmtpSink
) -> None:
    """Rule 37, through an older mail: once a case is against the visitor, its line is gone and cannot be answered; the
    other lines keep their numbers, and a message with nothing else has no page."""
    unique = uuid.uuid4().hex[:8]
    async with opened(temporal_env.client, settings, smtp_sink) as desk:
        stories = [missed(f"{unique}-{n}") for n in range(3)]
        await desk.record(*stories)
        handles = [await desk.listen(story) for story in stories]
        await desk.deliver("cy")
        async with visitor(desk) as browser:
            path = link(smtp_sink.messages[0].message)
            before = (await browser.get(path)).text
            order = sorted(range(3), key=lambda n: before.index(stories[n].case.reference))
            first, second, last = (stories[n].case for n in order)
            await desk.rows("UPDATE complaints SET against = 'eve cy' WHERE id = :id RETURNING 1", id=second.id)
            page = (await browser.get(path)).text
            assert second.reference not in page
            assert re.findall(r'name="line" value="(\d)"', page) == ["0", "2"]
            assert (await browser.post(path, data={"line": "1", "follow": "noted"})).status_code == 422
            done = await browser.post(path, data={"line": ["0", "1", "2"], "follow": "noted"})
            assert second.reference not in done.text
            for index, case in zip(order, (first, second, last), strict=True):
                assert len(await handles[index].query("told")) == (case is not second)
            await desk.rows("UPDATE complaints SET against = 'cy' RETURNING 1")
            assert (await browser.get(path)).status_code == 403
            assert (await browser.post(path, data={"line": "0", "follow": "noted"})).status_code == 403


def visitor(desk: Desk) -> httpx.AsyncClient:
    """A browser at the pages of this post office."""
    app = application(desk.engine, Ombud(desk.client, desk.engine), desk.settings)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=BASE)
