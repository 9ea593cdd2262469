"""The acknowledge page: it shows what the mail said, acts on POST alone, and lets nobody else in."""

import uuid
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest
from itsdangerous import URLSafeTimedSerializer
from itsdangerous.timed import TimestampSigner
from temporalio.testing import WorkflowEnvironment

from settings import Settings
from starter.client import Ombud
from starter.serve import application
from templates.links import PAGES, Addressed, BadLinkError, Links
from tests.pages.conftest import BASE, Site, link
from tests.support.desk import missed, opened
from tests.support.smtp import SmtpSink
from tests.support.wait import eventually

MANAGER = "maya.brandt@example.com"
DIRECTOR = "liu.yan@example.com"


@pytest.fixture
def reference() -> str:
    """A case number that no other test has: all of them share one Temporal."""
    return f"P-{uuid.uuid4().hex[:10]}"


async def test_a_manager_acknowledges_from_the_mail(site: Site, reference: str) -> None:
    """From a real mail through page and form to the ledger: who, as whom, by which way, about what."""
    await site.grave(reference)
    path = link(await site.mail_to(MANAGER, reference))
    page = await site.browser.get(path)
    assert page.status_code == 200
    for said in (
        "Acknowledge notices",
        "Service manager",
        "Maya Brandt",
        reference,
        "E 2.1.3",
        "UTC+8",
        "Clock started",
    ):
        assert said in page.text
    done = await site.browser.post(path, data={"line": ["0"], "follow": "noted"})
    assert done.status_code == 200
    assert "Recorded" in done.text
    (answer,) = await eventually(site.answers)
    assert answer["by"] == {"role": "handler.manager", "person": "maya.brandt"}
    assert answer["via"] == "page"
    assert answer["data"]["notices"] == [f"maintenance-service/{reference}/principal_contact#1@0%/handler.manager"]
    later = await eventually(lambda: _answered(site, path))
    assert "Acknowledged by maya.brandt" in later
    assert "<button" not in later


async def test_opening_a_link_changes_nothing(site: Site, reference: str) -> None:
    """Mail scanners open every link, by GET and by HEAD: nothing is acknowledged by that."""
    await site.grave(reference)
    path = link(await site.mail_to(MANAGER, reference))
    for _ in range(3):
        assert (await site.browser.get(path)).status_code == 200
        assert (await site.browser.head(path)).status_code == 200
    assert (await site.browser.put(path)).status_code == 405
    assert await site.answers() == []


async def test_pressing_twice_acknowledges_once(site: Site, reference: str) -> None:
    """The same form sent again is the same answer: one entry in the ledger, and the same page."""
    await site.grave(reference)
    path = link(await site.mail_to(MANAGER, reference))
    pages = [await site.browser.post(path, data={"line": "0", "follow": "noted"}) for _ in range(3)]
    assert {page.status_code for page in pages} == {200}
    await eventually(site.answers)
    assert len(await site.answers()) == 1


async def test_taken_over_until_is_on_the_recipients_wall(site: Site, reference: str) -> None:
    """The time in the form has no zone; it is meant on the wall of the recipient."""
    await site.grave(reference)
    path = link(await site.mail_to(MANAGER, reference))
    wall = (datetime.now(ZoneInfo("Asia/Shanghai")) + timedelta(hours=3)).replace(second=0, microsecond=0, tzinfo=None)
    done = await site.browser.post(path, data={"line": "0", "follow": "taken_over", "until": f"{wall:%Y-%m-%dT%H:%M}"})
    assert done.status_code == 200
    (answer,) = await eventually(site.answers)
    assert datetime.fromisoformat(answer["data"]["until"]) == wall.replace(tzinfo=ZoneInfo("Asia/Shanghai"))


async def test_passed_on_tells_the_other_role(site: Site, reference: str) -> None:
    """Passing on is recorded, and the role it is passed to gets a mail that says what was passed and by whom."""
    await site.grave(reference)
    path = link(await site.mail_to(MANAGER, reference))
    done = await site.browser.post(path, data={"line": "0", "follow": "passed", "to": "handler.director"})
    assert done.status_code == 200
    mail = await site.mail_to(DIRECTOR, reference)
    assert mail["Subject"] == f"已转交给您 · {reference} · 联系负责人"


async def test_an_incomplete_form_says_what_is_missing(site: Site, reference: str) -> None:
    """A form that cannot be taken comes back with one sentence and what was filled in; nothing is recorded."""
    await site.grave(reference)
    path = link(await site.mail_to(MANAGER, reference))
    page = await site.browser.post(path, data={"line": "0", "follow": "taken_over", "until": "2020-01-01T10:00"})
    assert page.status_code == 422
    assert "That time is over already" in page.text
    assert 'value="2020-01-01T10:00"' in page.text
    assert 'value="taken_over" checked' in page.text
    assert await site.answers() == []


async def test_a_closed_case_says_so(site: Site, reference: str) -> None:
    """What cannot be acknowledged any more is said with its reason, and is no error of the visitor."""
    await site.grave(reference)
    path = link(await site.mail_to(MANAGER, reference))
    handle = site.system.client.get_workflow_handle(f"complaint/maintenance-service/{reference}")
    await handle.execute_update("withdraw", {"by": {"role": "complainant"}})
    await handle.result()
    done = await site.browser.post(path, data={"line": "0", "follow": "noted"})
    assert done.status_code == 409
    assert "Not recorded" in done.text
    assert "The case is closed" in done.text


async def test_a_page_speaks_the_recipients_language(site: Site, reference: str) -> None:
    """The same page in Chinese for whom the directory says so, with the contract's Chinese words."""
    await site.grave(reference, minutes_ago=30)
    page = (await site.browser.get(link(await site.mail_to(DIRECTOR, reference)))).text
    assert '<html lang="zh-CN">' in page
    for said in ("确认通知", "客服总监", "后续安排", "转交给", "联系负责人"):
        assert said in page


async def test_a_crowd_is_answered_case_by_case(
    temporal_env: WorkflowEnvironment, settings: Settings, smtp_sink: SmtpSink
) -> None:
    """Of one mail about three cases the chosen ones are told, each its own notices; one that refuses stops no other."""
    unique = uuid.uuid4().hex[:8]
    async with opened(temporal_env.client, settings, smtp_sink) as desk:
        stories = [missed(f"{unique}-{name}") for name in ("left", "right", "refuses", "unchosen")]
        await desk.record(*stories)
        left, right, _, unchosen = [await desk.listen(story) for story in stories]
        await desk.deliver("cy")
        app = application(desk.engine, Ombud(desk.client, desk.engine), desk.settings)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=BASE) as browser:
            path = link(smtp_sink.messages[0].message)
            shown = (await browser.get(path)).text
            order = sorted(stories, key=lambda story: shown.index(story.case.reference))
            lines = [str(n) for n, story in enumerate(order) if "unchosen" not in story.case.reference]
            page = await browser.post(path, data={"line": lines, "follow": "noted"})
        assert page.status_code == 200
        assert page.text.count("Not recorded") == 1
        assert "Not this one, says the contract." in page.text
        for handle in (left, right):
            (command,) = await handle.query("told")
            assert len(command["notices"]) == 1
            assert command["notices"][0].startswith(f"small/{handle.id.rpartition('/')[2]}/")
        assert await unchosen.query("told") == []


async def test_a_tampered_link_opens_nothing(site: Site, reference: str) -> None:
    """Any change of a token makes it invalid, and the page says what to do in the browser's language."""
    await site.grave(reference)
    path = link(await site.mail_to(MANAGER, reference))
    for bad in (path[:-1], path[:-4] + "AAAA", "/a/x", "/a/" + "A" * 3000, path.replace("/a/", "/a/a")):
        page = await site.browser.get(bad)
        assert page.status_code == 404
        assert "This link does not work" in page.text
    chinese = await site.browser.get("/a/x", headers={"Accept-Language": "zh-CN,zh;q=0.9"})
    assert "链接无效" in chinese.text
    assert (await site.browser.post(path[:-1], data={"line": "0", "follow": "noted"})).status_code == 404
    assert await site.answers() == []


async def test_another_persons_link_opens_nothing(site: Site, reference: str) -> None:
    """A good signature is not enough: message and person of a token must belong together."""
    await site.grave(reference)
    mail = await site.mail_to(MANAGER, reference)
    links = Links(site.system.settings.signing_key.get_secret_value(), BASE)
    message = str(mail["Message-ID"])[1:].partition("@")[0]
    for wrong in (Addressed(message, "liu.yan"), Addressed("0" * 40, "maya.brandt")):
        assert (await site.browser.get(f"/a/{links.token(wrong)}")).status_code == 404
    elsewhere = Links(site.system.settings.signing_key.get_secret_value(), BASE, purpose="case")
    assert (await site.browser.get(f"/a/{elsewhere.token(Addressed(message, 'maya.brandt'))}")).status_code == 404


async def test_an_old_link_has_expired(site: Site, reference: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After 30 days a link shows nothing any more and says so; until then it works."""
    await site.grave(reference)
    path = link(await site.mail_to(MANAGER, reference))
    now = datetime.now(UTC).timestamp()
    monkeypatch.setattr(
        TimestampSigner, "get_timestamp", lambda _: int(now + PAGES["acknowledge"].valid_for.total_seconds() - 60)
    )
    assert (await site.browser.get(path)).status_code == 200
    monkeypatch.setattr(
        TimestampSigner, "get_timestamp", lambda _: int(now + PAGES["acknowledge"].valid_for.total_seconds() + 60)
    )
    page = await site.browser.get(path)
    assert page.status_code == 410
    assert "no longer valid" in page.text


async def test_who_left_the_directory_acts_no_more(site: Site, reference: str) -> None:
    """A link dies with its recipient's place in the directory."""
    await site.grave(reference)
    path = link(await site.mail_to(MANAGER, reference))
    await site.system.rows("DELETE FROM people WHERE id = 'maya.brandt' RETURNING 1")
    assert (await site.browser.get(path)).status_code == 410


async def test_answers_carry_security_headers(site: Site, reference: str) -> None:
    """No page is cached, framed, indexed or told to another site, and none may load anything."""
    await site.grave(reference)
    path = link(await site.mail_to(MANAGER, reference))
    for where in (path, "/a/x", "/healthz", "/nothing"):
        headers = (await site.browser.get(where)).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "unsafe" not in headers["Content-Security-Policy"]


async def test_a_huge_form_is_refused(site: Site, reference: str) -> None:
    """More than the form can hold is not read to its end."""
    await site.grave(reference)
    path = link(await site.mail_to(MANAGER, reference))
    page = await site.browser.post(path, content=b"x" * 200_000)
    assert page.status_code == 413
    assert "Too much was sent" in page.text


async def test_names_are_no_markup(site: Site, reference: str) -> None:
    """Names from the directory are shown as they are, never as markup."""
    await site.grave(reference)
    path = link(await site.mail_to(MANAGER, reference))
    await site.system.rows("UPDATE people SET name = :evil RETURNING 1", evil="<script>alert(1)</script>")
    page = await site.browser.get(path)
    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text


async def test_it_says_whether_it_lives(site: Site) -> None:
    """The sign of life is there for GET and HEAD."""
    assert (await site.browser.get("/healthz")).text == "ok\n"
    assert (await site.browser.head("/healthz")).status_code == 200


def test_a_link_needs_a_public_address() -> None:
    """Without a public address a mail carries no link rather than one that nobody can open."""
    assert Links("k" * 32, None).url(Addressed("m", "p")) == ""
    assert Links("k" * 32, "https://x.example/").url(Addressed("m", "p")).startswith("https://x.example/a/")


@pytest.mark.parametrize("value", ["text", 7, ["m"], ["m", "p", "x"], None])
def test_a_token_of_another_shape_is_refused(value: object) -> None:
    """What is signed with our key but is no message and person is refused, not stumbled over."""
    token = URLSafeTimedSerializer("k" * 32, salt="ombud acknowledge").dumps(value)
    with pytest.raises(BadLinkError):
        Links("k" * 32, BASE).read(token)


async def _answered(site: Site, path: str) -> str:
    page = (await site.browser.get(path)).text
    return page if "Acknowledged by" in page else ""
