"""Whoever is turned away from a page is on record: once a refusal, within bounds, no stranger's words in it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from rules.contract_file import read
from starter.pages.reader import NO_OFFICE
from storage import used_links
from storage.access_log import Access, listed
from storage.database import create_engine, transaction
from templates.links import ANYBODY, PAGES, Addressed, Links, Purpose
from tests.pages.conftest import BASE
from tests.support.shelf import Shelf, hours_ago, in_force
from tests.support.story import Story
from tests.support.system import ROOT

CONTRACT = "complaint-handling"
MAINTENANCE = "maintenance-service"
CASE = f"{CONTRACT}/C-1"
OURS: tuple[Purpose, ...] = ("status", "survey")


async def refused(shelf: Shelf) -> list[Access]:
    """What is on record as refused, in order."""
    async with transaction(shelf.engine) as db:
        return [access for _, access in reversed(await listed(db, refused=True))]


@pytest.fixture
async def case(shelf: Shelf) -> None:
    """A case of customer C-17 whose result was told, so that status and survey have something to show."""
    path = ROOT / "contracts" / f"{CONTRACT}.yaml"
    story = Story(in_force(read(path.read_text(encoding="utf-8"), path.name, datetime.now(UTC)).contract))
    who = {"id": "C-17", "language": "en"}
    story.open(hours_ago(5), reference="C-1", kind="complaint", category="product", complainant=who)
    story.tell("findings", hours_ago(4), text="A crack.", cause="Transport.")
    story.tell("propose", hours_ago(4), text="A new one.")
    story.tell("resolve", hours_ago(3), outcome="upheld")
    story.tell("tell_result", hours_ago(3), text="You get a new kettle.")
    await shelf.put(story)


def expired(shelf: Shelf, purpose: Purpose, subject: str, person: str) -> str:
    """The path of a link that was good until an hour ago."""
    links = Links(shelf.settings.signing_key.get_secret_value(), "", purpose)
    return f"/{PAGES[purpose].path}/{links.onward(Addressed(subject, person), datetime.now(UTC) - timedelta(hours=1))}"


@pytest.mark.usefixtures("case")
async def test_a_customers_refused_link_is_on_record(visitor: httpx.AsyncClient, shelf: Shelf) -> None:
    """Expired, another customer's, of no case, used up: each with page, person, case, address, reason; forms too.

    Opening a good link, as mail scanners do before the customer, is no refusal.
    """
    for purpose in OURS:
        for method in ("GET", "HEAD"):
            good = shelf.link(purpose, CASE, "C-17")
            assert (await visitor.request(method, good)).status_code == 200, purpose
    assert await refused(shelf) == []
    wanted: list[tuple[str, str, str | None, str | None, str]] = []
    for purpose in OURS:
        for path, status, person, subject, why in (
            (expired(shelf, purpose, CASE, "C-17"), 410, "C-17", CASE, "expired"),
            (shelf.link(purpose, CASE, "C-18"), 404, "C-18", CASE, "the case is another customer's"),
            (shelf.link(purpose, f"{CONTRACT}/none", ANYBODY), 404, ANYBODY, f"{CONTRACT}/none", "no case on record"),
            (
                shelf.link("case", CASE, "C-17").replace("/c/", f"/{PAGES[purpose].path}/"),
                404,
                None,
                None,
                "no link of ours",
            ),
        ):
            for method, action in (("GET", "read"), ("HEAD", "read"), ("POST", "act")):
                assert (await visitor.request(method, path)).status_code == status
                wanted.append((f"{purpose}:{action}", person or "", subject, subject and CONTRACT, why))
    used = shelf.link("survey", CASE, "C-17")
    async with transaction(shelf.engine) as db:
        await used_links.use(db, used.rpartition("/")[2], [used_links.WHOLE], datetime.now(UTC))
    assert "Thank you" in (await visitor.get(used)).text
    wanted.append(("survey:read", "C-17", CASE, CONTRACT, "used up"))
    found = await refused(shelf)
    assert [(one.action, one.person or "", one.complaint, one.contract, one.reason) for one in found] == wanted
    assert {(one.via, one.address, one.token) for one in found} == {("page", "127.0.0.1", None)}


async def test_nothing_of_a_forged_link_is_kept(visitor: httpx.AsyncClient, shelf: Shelf) -> None:
    """What stands in a link that was not signed here are a stranger's words: page, address and reason are all."""
    strange = Links("another key, of at least thirty-two letters", "", "status")
    for purpose, page in PAGES.items():
        token = strange.token(Addressed("maintenance-service/Zhang-San-13800138000", "zhang@example.com"))
        answer = await visitor.get(f"/{page.path}/{token}?name=zhang@example.com")
        assert answer.status_code == 404
        last = (await refused(shelf))[-1]
        assert last == Access(last.at, "page", f"{purpose}:read", False, address="127.0.0.1", reason="no link of ours")


@pytest.mark.usefixtures("case")
async def test_every_page_records_whom_it_turns_away(visitor: httpx.AsyncClient, shelf: Shelf) -> None:
    """Messages, files, desks, standards and the principal's pages, each with who it was and why."""
    refusals: tuple[tuple[Purpose, str, str, int, str | None, str], ...] = (
        ("acknowledge", "c0ffee", "maya.brandt", 404, None, "sent to somebody else: message c0ffee"),
        ("case", f"{CONTRACT}/none", "gao.jie", 403, f"{CONTRACT}/none", "no case on record"),
        ("desk", MAINTENANCE, "gao.jie", 403, MAINTENANCE, NO_OFFICE),
        ("standard", CONTRACT, "nobody", 410, CONTRACT, "not in the directory"),
        ("principal", MAINTENANCE, "maya.brandt", 403, MAINTENANCE, NO_OFFICE),
    )
    for purpose, subject, person, status, about, why in refusals:
        assert (await visitor.get(shelf.link(purpose, subject, person))).status_code == status, purpose
        last = (await refused(shelf))[-1]
        assert (last.action, last.person, last.reason) == (f"{purpose}:read", person, why)
        assert (last.complaint or last.contract) == about
    assert len(await refused(shelf)) == len(refusals)


@pytest.fixture
async def strict(shelf: Shelf) -> AsyncIterator[httpx.AsyncClient]:
    """A visitor of pages that bear three failures a minute."""
    shelf.settings = shelf.settings.model_copy(update={"rate_failures": "3/minute"})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=shelf.app), base_url=BASE) as browser:
        yield browser


@pytest.mark.usefixtures("case")
async def test_the_record_is_no_target(strict: httpx.AsyncClient, shelf: Shelf) -> None:
    """An address that fails too often waits, which is on record once whatever it tries; good links from there open."""
    answers = [await strict.get(f"/s/{n}", headers={"accept-language": "zh-CN"}) for n in range(4)]
    answers += [await strict.get(expired(shelf, "status", CASE, f"C-{n}")) for n in range(4)]
    assert [answer.status_code for answer in answers] == [404] * 3 + [429] * 5
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers[3:])
    assert "尝试过于频繁" in answers[3].text
    found = await refused(shelf)
    assert [one.reason for one in found] == ["no link of ours"] * 3 + ["too many requests"]
    assert found[-1].person is None
    assert (await strict.get(shelf.link("status", CASE, "C-17"))).status_code == 200


async def test_what_is_no_refusal_is_not_on_record(visitor: httpx.AsyncClient, shelf: Shelf) -> None:
    """A form that is too large, a list and a line of it that do not exist: said to the visitor, no access refused."""
    desk = shelf.link("desk", MAINTENANCE, "maya.brandt")
    principal = shelf.link("principal", MAINTENANCE, "gao.jie")
    asked: list[tuple[str, str, dict[str, Any], int]] = [
        ("POST", shelf.link("status", CASE, "C-17"), {"content": b"x" * 600_000}, 413),
        ("GET", f"{desk}?list=overdue&after=nonsense", {}, 404),
        ("GET", f"{principal}/list/nonsense", {}, 404),
    ]
    for method, path, more, status in asked:
        assert (await visitor.request(method, path, **more)).status_code == status
    assert await refused(shelf) == []


async def test_a_refusal_while_postgres_is_away_is_in_the_log(shelf: Shelf, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody is let in for that, and the refusal is not lost."""
    nowhere = "postgresql+asyncpg://nobody:nothing@127.0.0.1:1/none"
    away = Shelf(
        create_engine(nowhere), shelf.settings.model_copy(update={"database_url": nowhere}), shelf.vault, shelf.temporal
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=away.app), base_url=BASE) as browser:
        assert (await browser.get("/c/forged")).status_code == 404
    await away.engine.dispose()
    assert "refused, and Postgres is away" in caplog.text
    assert "case:read" in caplog.text
