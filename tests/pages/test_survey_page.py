"""The survey page: the contract's questions in the customer's language, taken once, and nothing for anybody else."""

import uuid
from typing import Any

import httpx
import pytest

from starter.pages.survey import FIELD
from tests.pages.conftest import Site, link_to
from tests.support.wait import eventually

CONTRACT = "complaint-handling"
GOOD = {f"{FIELD}result": "very", f"{FIELD}repair_days": "3", f"{FIELD}better": "Ring <b>before</b> you come."}


@pytest.fixture
def reference() -> str:
    """A case number that no other test has: all of them share one Temporal."""
    return f"S-{uuid.uuid4().hex[:10]}"


async def told(site: Site, reference: str, **fields: Any) -> str:
    """A complaint whose customer was told the result; the path of the survey's link."""
    person = {"complainant": {"id": "C-17", "language": "en"}}
    handle = await site.system.open(CONTRACT, reference, kind="complaint", category="product", **person | fields)
    for name, body in (
        ("findings", {"text": "A crack.", "cause": "Transport."}),
        ("propose", {"text": "A new one."}),
        ("resolve", {"outcome": "upheld"}),
        ("tell_result", {"text": "You get a new kettle."}),
    ):
        await handle.execute_update(name, body)
    complaint = f"{CONTRACT}/{reference}"
    await eventually(
        lambda: site.system.rows("SELECT 1 FROM complaints WHERE id = :id AND stage = 'confirming'", id=complaint)
    )
    return link_to(site, "survey", complaint, "C-17")


async def surveyed(site: Site) -> list[dict[str, Any]]:
    """Every survey answer on record."""
    found = await site.system.rows("SELECT body FROM ledger WHERE type = 'survey_answered' ORDER BY stream, seq")
    return [row["body"] for row in found]


async def test_a_customer_answers_once(site: Site, reference: str) -> None:
    """Questions of all three kinds and parts; answers reach the ledger as codes, words do not; the link is used up."""
    path = await told(site, reference)
    page = await site.browser.get(path)
    assert page.status_code == 200
    for said in ("Are you satisfied with the result?", "Very satisfied", "The product", "After the sale", reference):
        assert said in page.text
    done = await site.browser.post(path, data=GOOD)
    assert (done.status_code, "Thank you" in done.text) == (200, True)
    (answer,) = await eventually(lambda: surveyed(site))
    assert answer["data"]["answers"] == {"result": "very"}
    assert answer["data"]["wrote"] == {"repair_days": "after_sales", "better": "after_sales"}
    assert answer["by"] == {"role": "complainant", "person": "C-17"}
    assert (answer["via"], answer["authenticated_as"]) == ("page", "link:survey/C-17")
    assert "before" not in str(answer)
    again = await site.browser.post(path, data={f"{FIELD}result": "not_at_all"})
    assert "answered already" in again.text
    assert "answered already" in (await site.browser.get(path)).text
    assert len(await surveyed(site)) == 1


async def test_another_link_to_the_same_survey_answers_nothing_twice(site: Site, reference: str) -> None:
    """A second link, made later, is no second vote."""
    path = await told(site, reference)
    await site.browser.post(path, data=GOOD)
    await eventually(lambda: surveyed(site))
    other = link_to(site, "survey", f"{CONTRACT}/{reference}", "customer")
    page = await site.browser.post(other, data=GOOD)
    assert "answered already" in page.text
    assert len(await surveyed(site)) == 1


async def test_dissatisfaction_reopens_the_case(site: Site, reference: str) -> None:
    """As the contract says, the case is taken up again."""
    path = await told(site, reference)
    await site.browser.post(path, data={f"{FIELD}result": "little"})
    rejected = "SELECT 1 FROM complaints WHERE id = :id AND rejections = 1"
    await eventually(lambda: site.system.rows(rejected, id=f"{CONTRACT}/{reference}"))


async def test_opening_the_survey_answers_nothing(site: Site, reference: str) -> None:
    """What scanners and previews do leaves no trace."""
    path = await told(site, reference)
    for _ in range(3):
        await site.browser.get(path)
        assert (await site.browser.head(path)).status_code == 200
    assert await surveyed(site) == []
    assert await site.system.rows("SELECT 1 FROM used_links") == []


async def test_an_empty_form_comes_back(site: Site, reference: str) -> None:
    """Without an answer nothing is sent and nothing used up; an option that is not there is none."""
    path = await told(site, reference)
    page = await site.browser.post(path, data={f"{FIELD}result": "", f"{FIELD}product": "forged"})
    assert (page.status_code, "Answer one question at least" in page.text) == (422, True)
    assert await site.system.rows("SELECT 1 FROM used_links") == []


async def test_before_the_result_there_is_nothing_to_answer(site: Site, reference: str) -> None:
    """The page says so, and a form that is sent all the same is not taken."""
    await site.system.open(CONTRACT, reference, kind="complaint")
    complaint = f"{CONTRACT}/{reference}"
    await eventually(lambda: site.system.rows("SELECT 1 FROM complaints WHERE id = :id", id=complaint))
    path = link_to(site, "survey", complaint, "customer")
    page = await site.browser.get(path)
    assert "案件尚未进行到这一步" in page.text  # the contract's language, where the customer's is not known
    assert (await site.browser.post(path, data=GOOD)).status_code == 409


async def test_a_link_of_somebody_else_or_for_another_page_opens_nothing(site: Site, reference: str) -> None:
    """Neither another complainant's, nor one for another page, nor a changed one."""
    path = await told(site, reference)
    complaint = f"{CONTRACT}/{reference}"
    wrong = [
        link_to(site, "survey", complaint, "C-18"),
        link_to(site, "status", complaint, "C-17").replace("/s/", "/q/"),
        link_to(site, "survey", f"{CONTRACT}/none", "C-17"),
        path[:-4] + "AAAA",
    ]
    for bad in wrong:
        pages = [await site.browser.get(bad), await site.browser.post(bad, data=GOOD)]
        assert [page.status_code for page in pages] == [404, 404]
    assert await surveyed(site) == []


async def test_what_was_typed_is_no_markup(site: Site, reference: str) -> None:
    """A form that comes back shows what was typed as text."""
    path = await told(site, reference)
    page = await site.browser.post(
        path, data={f"{FIELD}result": "", f"{FIELD}repair_days": " ", "x": "<script>alert(1)</script>"}
    )
    assert "<script" not in page.text
    evil: httpx.Response = await site.browser.post(path, data={f"{FIELD}better": '"><script>alert(1)</script>'})
    assert "<script" not in evil.text
