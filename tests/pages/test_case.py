"""The file of a case: what is on record of it, for whoever may read it, and for nobody else."""

import re
import uuid
from datetime import UTC, datetime

import httpx
import pytest
from pydantic import SecretStr

from rules.directory import Absence, Directory, Member
from storage.database import transaction
from storage.ledger import stream_of
from tests.pages.conftest import BASE, Site, text
from tests.support.cases import EVIL, acknowledged, closed, grave, told, undeliverable
from tests.support.shelf import UI, Shelf, in_force, maintenance
from tests.support.story import Story

CASE = "maintenance-service/K-4711"


async def page(visitor: httpx.AsyncClient, shelf: Shelf, person: str, case: str = CASE) -> httpx.Response:
    """The file as this person opens it from a mail."""
    return await visitor.get(shelf.link("case", case, person))


async def accesses(shelf: Shelf) -> list[tuple[str, str, str, bool]]:
    """What is on record about who read what."""
    async with transaction(shelf.engine) as db:
        found = await db.exec_driver_sql("SELECT via, person, complaint, allowed FROM access_log ORDER BY id")
        return [tuple(row) for row in found]


async def test_it_says_what_is_on_record(visitor: httpx.AsyncClient, shelf: Shelf) -> None:
    """Clocks with clause, due and fate, acts with who and when, words, evidence, all in the zone of the contract."""
    await told(shelf, grave())
    shown = await page(visitor, shelf, "maya.brandt")
    assert shown.status_code == 200
    for said in (
        "Case file K-4711",
        "Service manager",
        "Maya Brandt",
        "Preliminary plan",
        "E 2.1.3",
        "Mon 2 Nov 2026, 10:30 UTC+8",
        "Mon 2 Nov 2026, 10:42 UTC+8 · 12 min late",
        "Missed, done late",
        "Missed, not done",
        "Due time over, not recorded yet",
        "The kettle burst and burnt my hand.",
        "The batch was recalled in May.",
        "Case owner · Chen Lin",
        "refund: 200.00 CNY",
        "recording-7",
        "ab" * 32,
        f"{UI}/namespaces/default/workflows/complaint%2Fmaintenance-service%2FK-4711",
    ):
        assert said in shown.text, said
    assert "default-src 'none'" in shown.headers["content-security-policy"]


async def test_every_notice_has_its_proof(visitor: httpx.AsyncClient, shelf: Shelf) -> None:
    """The id of the message, the server's own reply, who acknowledged and what follows, and what reached nobody."""
    story = grave()
    acknowledged(story, "2026-11-10 10:30")
    undeliverable(story, "2026-11-10 11:00")
    await told(shelf, story)
    shown = (await page(visitor, shelf, "maya.brandt")).text
    for said in (
        f"{'a1' * 32}@example.com",
        "250 2.0.0 Ok: queued as 4F1B2",
        "Maya Brandt, Tue 10 Nov 2026, 10:30 UTC+8: taken over until Mon 30 Nov 2026, 18:00 UTC+8",
        "Undeliverable",
        "said the server",
        "On its way",
        "Not sent yet",
    ):
        assert said in shown, said


async def test_whose_time_it_was(visitor: httpx.AsyncClient, shelf: Shelf) -> None:
    """A wait for the principal shows in the drawing and in the unit of the clock."""
    await told(shelf, grave())
    shown = (await page(visitor, shelf, "maya.brandt")).text
    assert 'class="wait"' in shown
    assert "Asked of other parties" in shown
    assert "Principal, 2.4 working days" in shown


async def test_what_was_reported_late_shows_its_lag(visitor: httpx.AsyncClient, shelf: Shelf) -> None:
    """An act that was reported after it happened stands there with both times and the distance."""
    await shelf.put(closed())
    shown = (await page(visitor, shelf, "maya.brandt", "maintenance-service/K-4712")).text
    assert "Recorded Tue 3 Nov 2026, 12:00 UTC+8, 20 min after it happened" in shown
    assert "Closed" in shown


async def test_the_principal_sees_nothing_internal(visitor: httpx.AsyncClient, shelf: Shelf) -> None:
    """For a reader of the principal internal entries are left out, counted, and Temporal is not offered."""
    await told(shelf, grave())
    shown = (await page(visitor, shelf, "gao.jie")).text
    assert "The kettle burst" in shown
    assert "recalled in May" not in shown
    assert "1 entry is internal to the handler" in shown
    assert UI not in shown


async def test_a_third_party_sees_facts_alone(visitor: httpx.AsyncClient, shelf: Shelf) -> None:
    """Without the consent of both parties a third party reads times and clauses, no words and no evidence."""
    terms = maintenance()
    third = terms.model_copy(
        update={
            "contract": "mediated",
            "parties": terms.parties | {"third_party": terms.parties["principal"]},
            "roles": terms.roles | {"third_party.mediator": terms.roles["handler.owner"]},
        }
    )
    await shelf.publish(third)
    story = Story(in_force(third))
    story.open("2026-11-02 10:00", reference="M-1", kind="complaint", content="The words.")
    await shelf.put(story)
    who = Member(name="Mia Dorn", email="mia@example.com", language="en", zone="Europe/Berlin")
    await shelf.people(Directory(people={"mia": who}, roles={"mediated": {"third_party.mediator": ("mia",)}}))
    shown = (await page(visitor, shelf, "mia", "mediated/M-1")).text
    assert "First response" in shown
    assert "The words." not in shown
    assert "Words are not shown to this reader." in shown
    assert await accesses(shelf) == []


async def test_reading_the_words_is_on_record(visitor: httpx.AsyncClient, shelf: Shelf) -> None:
    """Who read the words of a case stands in the record of accesses, and so does who was turned away."""
    await told(shelf, grave())
    assert (await page(visitor, shelf, "maya.brandt")).status_code == 200
    assert (await page(visitor, shelf, "ada.novak")).status_code == 403
    assert await accesses(shelf) == [("page", "maya.brandt", CASE, True), ("page", "ada.novak", CASE, False)]


async def test_the_person_complained_about_reads_nothing(visitor: httpx.AsyncClient, shelf: Shelf) -> None:
    """Whoever a case is against is turned away, whatever office they hold, and does not learn why."""
    story = Story(in_force())
    story.open("2026-11-02 10:00", reference="K-4713", kind="complaint", against="maya.brandt")
    await shelf.put(story)
    closed_to_her = await page(visitor, shelf, "maya.brandt", "maintenance-service/K-4713")
    assert closed_to_her.status_code == 403
    assert "K-4713" not in closed_to_her.text
    assert (await page(visitor, shelf, "liu.yan", "maintenance-service/K-4713")).status_code == 200


async def test_an_office_must_be_held_now(visitor: httpx.AsyncClient, shelf: Shelf) -> None:
    """A link opens for the holder of an office and for the deputy of an absent one, and closes when that ends."""
    await told(shelf, grave())
    away = Absence.model_validate({"from": "2020-01-01", "to": "2199-01-01", "deputy": "dee"})

    def member(name: str, *absences: Absence) -> Member:
        return Member(name=name, email="x@example.com", language="en", zone="UTC", absences=absences)

    async def reads(**people: Member) -> dict[str, int]:
        await shelf.people(
            Directory(people=people, roles={"*": {"handler.manager": ("max",), "handler.owner": ("max",)}})
        )
        return {id_: (await page(visitor, shelf, id_)).status_code for id_ in ("max", "dee", "nobody")}

    assert await reads(max=member("Max", away), dee=member("Dee")) == {"max": 200, "dee": 200, "nobody": 410}
    assert await reads(max=member("Max"), dee=member("Dee")) == {"max": 200, "dee": 403, "nobody": 410}


async def test_erased_words_are_gone_and_the_facts_stay(visitor: httpx.AsyncClient, shelf: Shelf) -> None:
    """After erasure the file says so, and still tells what happened and when."""
    await told(shelf, grave())
    async with transaction(shelf.engine) as db:
        await shelf.vault.destroy(db, stream_of(CASE), datetime.now(UTC))
    shown = (await page(visitor, shelf, "maya.brandt")).text
    assert "The words of this case were erased" in shown
    assert "The kettle burst" not in shown
    assert "Preliminary plan given" in shown


async def test_words_under_another_key_do_not_break_it(shelf: Shelf) -> None:
    """A server with another master key shows the file without words, and says why."""
    await told(shelf, grave())
    key = {"master_key": SecretStr("A" * 43 + "=")}
    other = Shelf(shelf.engine, shelf.settings.model_copy(update=key), shelf.vault, shelf.temporal)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=other.app), base_url="http://x") as browser:
        shown = await page(browser, other, "maya.brandt")
    assert shown.status_code == 200
    assert "sealed under another key" in shown.text


async def test_markup_in_words_and_names_is_text(visitor: httpx.AsyncClient, shelf: Shelf) -> None:
    """HTML, SVG and template language in anything people wrote arrive as the letters they are."""
    await told(shelf, grave(content=EVIL))
    await shelf.people(
        Directory(
            people={"eve": Member(name=EVIL[:120], email="e@example.com", language="en", zone="UTC")},
            roles={"*": {"handler.manager": ("eve",), "handler.owner": ("eve",)}},
        )
    )
    shown = (await page(visitor, shelf, "eve")).text
    assert "<script" not in shown
    assert "<img" not in shown
    assert "onload=alert(3)&gt;" in shown
    assert "{{ 7*7 }}" in shown


@pytest.mark.parametrize("person", ["liu.yan", "maya.brandt"])
async def test_in_the_language_of_its_reader(visitor: httpx.AsyncClient, shelf: Shelf, person: str) -> None:
    """Every word of the frame is in the recipient's language; none is left in the other."""
    story = grave()
    acknowledged(story, "2026-11-10 10:30")
    await told(shelf, story)
    shown = (await page(visitor, shelf, person)).text
    chinese = person == "liu.yan"
    assert ('lang="zh-CN"' in shown) is chinese
    assert ("时限" in shown) is chinese
    names = re.findall(r"<(?:dt|h2|h3|figcaption)[^>]*>\s*([^<]*)", shown)
    foreign = {name for name in names if re.search("[A-Za-z]{3}" if chinese else "[\u4e00-\u9fff]", name)}
    assert foreign <= {"Message-ID", "SHA-256", "recording-7"} | {name for name in names if "Asia/Shanghai" in name}


async def test_other_links_do_not_open_it(visitor: httpx.AsyncClient, shelf: Shelf) -> None:
    """The token of another purpose, a changed one and one of an unknown case open nothing."""
    await told(shelf, grave())
    good = shelf.link("case", CASE, "maya.brandt")
    desk = shelf.link("desk", CASE, "maya.brandt").removeprefix("/d/")
    assert (await visitor.get(f"/c/{desk}")).status_code == 404
    assert (await visitor.get(f"{good}x")).status_code == 404
    assert (await page(visitor, shelf, "maya.brandt", "maintenance-service/none")).status_code == 403


async def test_the_mail_leads_to_it(site: Site) -> None:
    """A real mail to a manager carries the link to the case file, and it opens for that manager."""
    reference = f"P-{uuid.uuid4().hex[:10]}"
    await site.grave(reference, content="It smokes.")
    mail = await site.mail_to("maya.brandt@example.com", reference)
    found = re.search(rf"Open the case file: {re.escape(BASE)}(/c/\S+)", text(mail))
    assert found is not None
    html = mail.get_body(("html",))
    assert html is not None
    assert found[1] in html.get_content()
    shown = await site.browser.get(found[1])
    assert shown.status_code == 200
    assert "It smokes." in shown.text
    assert "Maya Brandt" in shown.text
