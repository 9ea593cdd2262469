"""The customer's page: plain words about their own case, a few things to do, and nothing of the house."""

import re
import uuid
from typing import Any

import pytest

from tests.pages.conftest import Site, link_to
from tests.support.wait import eventually

CONTRACT = "complaint-handling"
RESULT = (
    ("findings", {"text": "SECRET-FINDING", "cause": "SECRET-CAUSE"}),
    ("propose", {"text": "SECRET-PROPOSAL"}),
    ("resolve", {"outcome": "upheld", "text": "SECRET-RESOLUTION"}),
    ("tell_result", {"to": "principal", "text": "SECRET-FOR-THE-PRINCIPAL"}),
    ("tell_result", {"text": "You get a <new> kettle."}),
)


@pytest.fixture
def reference() -> str:
    """A case number that no other test has: all of them share one Temporal."""
    return f"C-{uuid.uuid4().hex[:10]}"


async def case(
    site: Site, reference: str, *acts: tuple[str, dict[str, Any]], contract: str = CONTRACT
) -> tuple[Any, str]:
    """A complaint of customer C-17 to which these acts were done, and the path of the page."""
    person = {"complainant": {"id": "C-17", "language": "en", "grade": "key"}}
    handle = await site.system.open(contract, reference, kind="complaint", category="product", **person)
    last = {"seq": 1}
    for name, body in acts:
        last = await handle.execute_update(name, body)
    complaint = f"{contract}/{reference}"
    await eventually(
        lambda: site.system.rows("SELECT 1 FROM complaints WHERE id = :id AND seq >= :n", id=complaint, n=last["seq"])
    )
    return handle, link_to(site, "status", complaint, "C-17")


def form(page: str, do: str, **fields: str) -> dict[str, str]:
    """The form with this button, filled in."""
    one = next(one for one in re.findall(r"<form.*?</form>", page, re.DOTALL) if f'value="{do}"' in one)
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', one)) | {"do": do} | fields


async def said(site: Site, kind: str) -> list[dict[str, Any]]:
    """Every entry of this type on record."""
    found = await site.system.rows("SELECT body FROM ledger WHERE type = :kind ORDER BY stream, seq", kind=kind)
    return [row["body"] for row in found]


async def test_it_says_in_plain_words_where_the_case_stands(site: Site, reference: str) -> None:
    """Stage, promises and what is next, without a clause, a role, a name of staff or words that are not theirs."""
    by = {"role": "handler.owner", "person": "tang.min"}
    handle, path = await case(site, reference)
    await handle.execute_update("assign", {"person": "tang.min", "by": by})
    await handle.execute_update("note", {"text": "SECRET-NOTE", "internal": True})
    page = (await site.browser.get(path)).text
    for here in ("Your case", reference, "What we promised", "A reply to you", "Next: a reply to you, by", "C-17"):
        assert here in page
    await handle.execute_update("respond", {"text": "We look.", "by": by})
    await handle.execute_update("findings", {"text": "SECRET-FINDING", "cause": "SECRET-CAUSE", "by": by})

    async def further() -> str:
        now = (await site.browser.get(path)).text
        return now if "We are looking into it." in now else ""

    page = await eventually(further)
    for nowhere in ("SECRET", "B 8.1", "C 四", "tang.min", "Tang Min", "handler", "Case owner", "Investigation"):
        assert nowhere not in page


async def test_a_message_reaches_the_case_once(site: Site, reference: str) -> None:
    """A message is on record as the customer's; pressed twice it is one, written anew on a fresh page it is two."""
    handle, path = await case(site, reference)
    page = (await site.browser.get(path)).text
    sent = form(page, "message", text="It hisses & <b>leaks</b>.")
    first = await site.browser.post(path, data=sent)
    assert (first.status_code, "Your message is with us" in first.text) == (200, True)
    assert "Sent already" in (await site.browser.post(path, data=sent)).text
    (wrote,) = await eventually(lambda: said(site, "customer_wrote"))
    assert wrote["by"] == {"role": "complainant", "person": "C-17"}
    assert (wrote["via"], wrote["authenticated_as"]) == ("page", "link:status/C-17")
    await site.browser.post(path, data=form((await site.browser.get(path)).text, "message", text="And it smells."))
    await eventually(lambda: site.system.rows("SELECT 1 FROM ledger WHERE type = 'customer_wrote' HAVING count(*) = 2"))
    empty = await site.browser.post(path, data=form(page, "message", text="  "))
    assert (empty.status_code, "Write something first." in empty.text) == (422, True)
    assert await handle.query("state")


async def test_the_result_can_be_accepted(site: Site, reference: str) -> None:
    """Only what was told to the customer is shown, and accepting closes the case; afterwards the page says so."""
    _, path = await case(site, reference, *RESULT)
    page = (await site.browser.get(path)).text
    assert "Your complaint is justified." in page
    assert "You get a &lt;new&gt; kettle." in page
    assert "SECRET" not in page
    assert (await site.browser.post(path, data=form(page, "accept"))).status_code == 200
    closed = "SELECT 1 FROM complaints WHERE id = :id AND closed_reason = 'accepted'"
    await eventually(lambda: site.system.rows(closed, id=f"{CONTRACT}/{reference}"))
    page = (await site.browser.get(path)).text
    assert "you accepted the result" in page
    assert 'value="accept"' not in page
    survey = re.search(r'href="(/q/[^"]+)"', page)
    assert survey is not None
    done = await site.browser.post(survey[1], data={"q.result": "very"})
    assert done.status_code == 200, done.text[-1500:]
    await eventually(lambda: said(site, "survey_answered"))


async def test_the_result_can_be_rejected_with_a_reason(site: Site, reference: str) -> None:
    """Without a reason it comes back; with one the case is taken up again, and a stale form is told so."""
    _, path = await case(site, reference, *RESULT)
    page = (await site.browser.get(path)).text
    assert (await site.browser.post(path, data=form(page, "reject", text=""))).status_code == 422
    assert (await site.browser.post(path, data=form(page, "reject", text="It leaks again."))).status_code == 200
    await eventually(lambda: said(site, "rejected"))
    late = await site.browser.post(path, data=form(page, "accept"))
    assert late.status_code == 409
    assert "The case is not that far yet." in late.text


async def test_withdrawing_takes_a_tick(site: Site, reference: str) -> None:
    """One press is not enough to end a case."""
    _, path = await case(site, reference)
    page = (await site.browser.get(path)).text
    unsure = await site.browser.post(path, data=form(page, "withdraw"))
    assert (unsure.status_code, "Tick the box" in unsure.text) == (422, True)
    assert (await site.browser.post(path, data=form(page, "withdraw", sure="yes"))).status_code == 200
    (entry,) = await eventually(lambda: said(site, "withdrawn"))
    assert entry["by"]["role"] == "complainant"
    assert "you withdrew it" in (await site.browser.get(path)).text


async def test_a_withdrawal_is_taken_back_where_it_was_made(site: Site, reference: str) -> None:
    """The page of a withdrawn case offers that, within the contract's time; the case goes on, and the page says so."""
    _, path = await case(site, reference)
    page = (await site.browser.get(path)).text
    assert 'value="take_back"' not in page
    await site.browser.post(path, data=form(page, "withdraw", sure="yes"))
    await eventually(lambda: said(site, "closed"))
    page = (await site.browser.get(path)).text
    done = await site.browser.post(path, data=form(page, "take_back"))
    assert (done.status_code, "Your case is open again." in done.text) == (200, True)
    (entry,) = await eventually(lambda: said(site, "withdrawal_taken_back"))
    assert (entry["by"]["role"], entry["via"]) == ("complainant", "page")
    await eventually(lambda: said(site, "reopened"))
    assert "you withdrew it" not in (await site.browser.get(path)).text


async def test_opening_the_page_does_nothing(site: Site, reference: str) -> None:
    """Neither GET nor HEAD acts, whatever stands behind the address."""
    _, path = await case(site, reference, *RESULT)
    for method in ("GET", "HEAD"):
        page = await site.browser.request(method, f"{path}?do=accept&sure=yes&mark={'m' * 20}")
        assert page.status_code == 200
    assert await site.system.rows("SELECT 1 FROM ledger WHERE body ->> 'via' = 'page'") == []
    assert await site.system.rows("SELECT 1 FROM used_links") == []


async def test_nobody_else_gets_in(site: Site, reference: str) -> None:
    """Not another customer, not a link for another page or case, not a changed one, not one without its mark."""
    _, path = await case(site, reference)
    complaint = f"{CONTRACT}/{reference}"
    good = form((await site.browser.get(path)).text, "message", text="x")
    wrong = [
        link_to(site, "status", complaint, "C-18"),
        link_to(site, "survey", complaint, "C-17").replace("/q/", "/s/"),
        link_to(site, "status", f"{CONTRACT}/none", "C-17"),
        path[:-4] + "AAAA",
    ]
    for bad in wrong:
        assert (await site.browser.get(bad)).status_code == 404
        assert (await site.browser.post(bad, data=good)).status_code == 404
    for broken in ({"mark": ""}, {"do": "close"}):
        assert (await site.browser.post(path, data=good | broken)).status_code == 422
    assert await said(site, "customer_wrote") == []
