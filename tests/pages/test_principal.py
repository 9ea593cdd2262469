"""The principal's pages: its cases, lists and what waits; a form acts by POST alone, once, for nobody else."""

import hashlib
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rules.contract_file import read
from storage import contracts, evidence
from storage.content import Vault
from storage.database import transaction
from tests.pages.conftest import Site, link_to, text
from tests.support.system import ROOT
from tests.support.wait import eventually

CONTRACT = "maintenance-service"
PERSON = "gao.jie"


@pytest.fixture
def reference() -> str:
    """A case number that no other test has: all of them share one Temporal."""
    return f"P-{uuid.uuid4().hex[:10]}"


def home(site: Site, contract: str = CONTRACT, person: str = PERSON) -> str:
    return link_to(site, "principal", contract, person)


async def entries(site: Site, kind: str) -> list[dict[str, Any]]:
    """Every entry of this type on record."""
    found = await site.system.rows("SELECT body FROM ledger WHERE type = :kind ORDER BY stream, seq", kind=kind)
    return [row["body"] for row in found]


async def late_case(site: Site, reference: str, contract: str = CONTRACT, **fields: Any) -> Any:
    """A case of level 2, an hour old by the time it is known: its first response is missed."""
    received = datetime.now(UTC) - timedelta(days=20)
    handle = await site.system.open(contract, reference, kind="complaint", level="2", received_at=received, **fields)
    missed = "SELECT 1 FROM clocks WHERE complaint = :id AND missed_at IS NOT NULL"
    await eventually(lambda: site.system.rows(missed, id=f"{contract}/{reference}"))
    return handle


async def asked(site: Site, handle: Any, reference: str, **fields: Any) -> int:
    """A request to the principal; its entry."""
    body = {
        "of": "principal.responsible_person",
        "due": (datetime.now(UTC) + timedelta(hours=5)).isoformat(),
        "text": "Which <b>batch</b> was it?",
    } | fields
    told = await handle.execute_update("request", body)
    await eventually(lambda: entries(site, "requested"))
    seq: int = told["seq"]
    return seq


def form(page: str, **fields: str) -> dict[str, str]:
    """The hidden fields of the first form of a page that has these values, and what is filled in."""
    for one in re.findall(r"<form.*?</form>", page, re.DOTALL):
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', one))
        if f'value="{fields["do"]}"' in one:
            return hidden | fields
    raise AssertionError(f"no form for {fields}")


async def test_a_request_is_answered_from_the_page(site: Site, reference: str) -> None:
    """From the request's words to the answer on record: who, as whom, by which way; then it waits no more."""
    handle = await late_case(site, reference)
    seq = await asked(site, handle, reference)
    path = home(site)
    page = (await site.browser.get(path)).text
    for said in ("Your answer is asked for", "Responsible person", "Gao Jie", reference, "&lt;b&gt;batch&lt;/b&gt;"):
        assert said in page
    sent = form(page, do="answer", text="Batch 7.")
    done = await site.browser.post(path, data=sent)
    assert (done.status_code, "Your answer is recorded." in done.text) == (200, True)
    (answer,) = await eventually(lambda: entries(site, "request_answered"))
    assert answer["data"]["request"] == seq
    assert answer["by"] == {"role": "principal.responsible_person", "person": PERSON}
    assert (answer["via"], answer["authenticated_as"]) == ("page", f"link:principal/{PERSON}")
    again = await site.browser.post(path, data=sent | {"text": "Batch 8."})
    assert "Sent already" in again.text
    assert len(await entries(site, "request_answered")) == 1
    assert "No request waits for you." in (await site.browser.get(path)).text


async def test_a_request_is_contested_and_a_second_word_is_refused_in_words(site: Site, reference: str) -> None:
    """Contesting is one button beside answering; a stale form of another showing is told what is the matter."""
    handle = await late_case(site, reference)
    await asked(site, handle, reference)
    path = home(site)
    first, second = [(await site.browser.get(path)).text for _ in range(2)]
    await site.browser.post(path, data=form(first, do="contest", text="Nobody waited for us."))
    await eventually(lambda: entries(site, "request_contested"))
    late = await site.browser.post(path, data=form(second, do="answer", text="Batch 7."))
    assert late.status_code == 409
    assert "This request is answered, contested or withdrawn already." in late.text


async def test_opening_the_pages_does_nothing(site: Site, reference: str) -> None:
    """Scanners and previews open every link; nothing is answered, demanded or used up by that."""
    handle = await late_case(site, reference)
    await asked(site, handle, reference)
    for path in (home(site), f"{home(site)}/case/{reference}", f"{home(site)}/list/waived"):
        assert (await site.browser.get(f"{path}?do=answer&text=x")).status_code == 200
        assert (await site.browser.head(path)).status_code == 200
    assert await site.system.rows("SELECT 1 FROM ledger WHERE body ->> 'via' = 'page'") == []
    assert await site.system.rows("SELECT 1 FROM used_links") == []


async def test_a_demand_after_a_miss(site: Site, reference: str) -> None:
    """Rule 46 from the page of the case: what is demanded, after which miss; answered it waits no more."""
    handle = await late_case(site, reference)
    path = f"{home(site)}/case/{reference}"
    page = (await site.browser.get(path)).text
    assert "Missed, not done" in page
    nothing = await site.browser.post(path, data=form(page, do="demand", text="More."))
    assert (nothing.status_code, "Choose what you demand." in nothing.text) == (422, True)
    sent = form(page, do="demand", wants="remedy", clock="first_response#1", text="A new part <today>.")
    assert (await site.browser.post(path, data=sent)).status_code == 200
    (demand,) = await eventually(lambda: entries(site, "demanded"))
    assert demand["data"]["wants"] == "remedy"
    page = (await site.browser.get(path)).text
    assert "A new part &lt;today&gt;." in page
    assert "Waits for an answer" in page
    await handle.execute_update("answer_demand", {"demand": demand["seq"], "text": "It is on its way."})
    await eventually(lambda: entries(site, "demand_answered"))
    page = (await site.browser.get(path)).text
    assert "It is on its way." in page
    assert "Waits for an answer" not in page
    listed = (await site.browser.get(f"{home(site)}/list/demanded")).text
    assert reference in listed
    assert "another remedy" in listed


async def test_a_waiver_is_in_writing(site: Site, reference: str) -> None:
    """Typed under the signer's full name, the signed text is kept sealed, named by its SHA-256; without a name nothing
    happens.
    """
    await late_case(site, reference)
    path = f"{home(site)}/case/{reference}"
    page = (await site.browser.get(path)).text
    sent = form(page, do="waive", clock="resolution#1", text="We need no repair any more.")
    refused = await site.browser.post(path, data=sent | {"signed": "Somebody Else"})
    assert (refused.status_code, "Type your full name" in refused.text) == (422, True)
    assert await entries(site, "waived") == []
    assert (await site.browser.post(path, data=sent | {"signed": " gao  jie "})).status_code == 200
    (waived,) = await eventually(lambda: entries(site, "waived"))
    (proof,) = waived["evidence"]
    assert (proof["id"], proof["media_type"]) == (proof["sha256"], "text/plain; charset=utf-8")
    kept = await _kept(site, reference, proof["id"])
    assert kept.decode().startswith("We need no repair any more.\n\n")
    assert "Gao Jie, Responsible person" in kept.decode()
    assert hashlib.sha256(kept).hexdigest() == proof["sha256"]
    assert "no repair" not in str(await site.system.rows("SELECT body FROM ledger"))


async def test_a_signed_letter_is_kept(site: Site, reference: str) -> None:
    """A small file in place of the typed name; one that is too large is refused before anything happens."""
    await late_case(site, reference)
    path = f"{home(site)}/case/{reference}"
    sent = form((await site.browser.get(path)).text, do="waive", clock="resolution#1", text="As in the letter.")
    large = {"file": ("letter.pdf", b"x" * 1_100_000, "application/pdf")}
    assert (await site.browser.post(path, data=sent, files=large)).status_code == 413
    broken = await site.browser.post(
        path, content=b"--x\r\n", headers={"content-type": "multipart/form-data; boundary=y"}
    )
    assert broken.status_code in (400, 422)
    letter = b"%PDF-1.7 signed \x00\xff"
    done = await site.browser.post(path, data=sent, files={"file": ("letter.pdf", letter, "application/pdf")})
    assert done.status_code == 200
    (waived,) = await eventually(lambda: entries(site, "waived"))
    (proof,) = waived["evidence"]
    assert proof["media_type"] == "application/pdf"
    assert await _kept(site, reference, proof["id"]) == letter


async def _kept(site: Site, reference: str, digest: str) -> bytes:
    vault = Vault(site.system.settings.keyring)
    async with transaction(site.system.engine) as connection:
        kept = await evidence.read(connection, vault, f"{CONTRACT}/{reference}", digest)
        assert await evidence.read(connection, vault, f"{CONTRACT}/{reference}", "0" * 64) is None
    assert kept is not None
    return kept


async def test_a_late_report_is_confirmed_by_the_role_of_the_contract(site: Site, reference: str) -> None:
    """Only the role that the contract names sees the report; whether it agrees goes on record."""
    text = (ROOT / "contracts" / f"{CONTRACT}.yaml").read_text("utf-8").replace(f"contract: {CONTRACT}", "contract: lc")
    text += "\nlate reports: {within: 60 working days, confirmed by: principal.responsible_person}\n"
    now = datetime.now(UTC)
    async with transaction(site.system.engine) as connection:
        since = datetime(2000, 1, 1, tzinfo=UTC)
        await contracts.publish(connection, read(text, "lc.yaml", now).contract, since, "test", now)
    handle = await late_case(site, reference, "lc")
    happened = (datetime.now(UTC) - timedelta(days=20)).isoformat()
    await handle.execute_update("respond", {"text": "We looked at once.", "occurred_at": happened})
    waits = "SELECT 1 FROM clocks WHERE report = 'unconfirmed'"
    await eventually(lambda: site.system.rows(waits))
    path = home(site, "lc")
    page = (await site.browser.get(path)).text
    assert "Late reports to confirm" in page
    await site.browser.post(path, data=form(page, do="disagree", text="The customer heard nothing."))
    (answer,) = await eventually(lambda: entries(site, "report_answered"))
    assert (answer["data"]["agrees"], answer["by"]["person"]) == (False, PERSON)
    assert "Late reports to confirm" not in (await site.browser.get(path)).text


async def test_a_provisional_due_is_called_so(site: Site, reference: str) -> None:
    """Invariant 9, on the list of cases and on the page of one: no year is published, so no working day is certain."""
    shipped = ROOT / "contracts" / f"{CONTRACT}.yaml"
    contract = read(shipped.read_text("utf-8"), shipped.name).contract
    unknown = contract.model_copy(update={"calendar": contract.calendar.model_copy(update={"published": {}})})
    async with transaction(site.system.engine) as connection:
        since = datetime(2001, 1, 1, tzinfo=UTC)
        await contracts.publish(connection, unknown, since, "test", datetime.now(UTC))
    await late_case(site, reference)
    for path in (home(site), f"{home(site)}/case/{reference}"):
        page = await site.browser.get(path)
        assert page.status_code == 200
        assert "provisional: the holidays of that year are not published yet" in page.text


async def test_nothing_internal_is_shown(site: Site, reference: str) -> None:
    """What the handler marked as internal stands on no page of the principal, be it a request or an explanation."""
    handle = await late_case(site, reference)
    await asked(site, handle, reference, text="INTERNAL-REQUEST", internal=True)
    await handle.execute_update("explain", {"reason": "INTERNAL-REASON", "internal": True})
    await handle.execute_update("explain", {"plan": "The open plan."})
    await handle.execute_update("note", {"text": "INTERNAL-NOTE", "internal": True})
    await eventually(lambda: site.system.rows("SELECT 1 FROM ledger WHERE type = 'explained' HAVING count(*) = 2"))
    paths = [home(site), f"{home(site)}/case/{reference}", f"{home(site)}/list/waited-for-us"]
    pages = [(await site.browser.get(path)).text for path in paths]
    assert not any("INTERNAL" in page for page in pages)
    assert "The open plan." in pages[1]
    assert "No request waits for you." in pages[0]
    assert "Nothing is on this list." in pages[2]


async def test_only_the_principal_of_this_contract_gets_in(site: Site, reference: str) -> None:
    """Not the handler's director, not the principal of another contract, nobody who left, and no case of another."""
    handle = await late_case(site, reference)
    await asked(site, handle, reference)
    other = f"O-{uuid.uuid4().hex[:10]}"
    await site.system.open("complaint-handling", other, kind="complaint")
    filed = "SELECT 1 FROM complaints WHERE reference = :r"
    await eventually(lambda: site.system.rows(filed, r=other))
    good = form((await site.browser.get(home(site))).text, do="answer", text="x")
    for person in ("liu.yan", "maya.brandt", "ada.novak"):
        path = home(site, person=person)
        assert (await site.browser.get(path)).status_code == 403
        assert (await site.browser.post(path, data=good)).status_code == 403
        assert (await site.browser.get(f"{path}/case/{reference}")).status_code == 403
    assert (await site.browser.get(home(site, person="nobody"))).status_code == 410
    for contract in ("none", "*"):
        assert (await site.browser.get(home(site, contract=contract))).status_code in (403, 404)
    assert (await site.browser.get(f"{home(site)}/case/{other}")).status_code == 404
    stolen = good | {"reference": other, "request": "2"}
    assert (await site.browser.post(home(site), data=stolen)).status_code == 404
    for wrong in (f"..%2fcomplaint-handling%2f{other}", "x" * 200):
        assert (await site.browser.get(f"{home(site)}/case/{wrong}")).status_code == 404
    assert other not in (await site.browser.get(home(site))).text
    assert await entries(site, "request_answered") == []
    turned_away = await site.system.rows("SELECT DISTINCT person FROM access_log WHERE NOT allowed ORDER BY person")
    assert [row["person"] for row in turned_away] == ["ada.novak", "gao.jie", "liu.yan", "maya.brandt", "nobody"]


async def test_reading_words_is_on_record(site: Site, reference: str) -> None:
    """Every showing of a case's words to the principal stands in the record of accesses, with who it was (rule 111)."""
    handle = await late_case(site, reference)
    assert (await site.browser.get(home(site))).status_code == 200
    assert await site.system.rows("SELECT 1 FROM access_log") == []  # nothing was said yet that the page would show
    await asked(site, handle, reference)
    await site.browser.get(home(site))
    (row,) = await site.system.rows("SELECT via, action, person, complaint FROM access_log")
    assert row == {
        "via": "page",
        "action": "principal:read",
        "person": PERSON,
        "complaint": f"{CONTRACT}/{reference}",
    }


async def test_a_case_against_the_reader_is_closed_to_them(site: Site, reference: str) -> None:
    """Whoever is complained about neither sees the case nor acts on it (rule 37)."""
    await late_case(site, reference, against=PERSON)
    assert reference not in (await site.browser.get(home(site))).text
    assert (await site.browser.get(f"{home(site)}/case/{reference}")).status_code == 403


async def test_a_forged_or_swapped_link_opens_nothing(site: Site, reference: str) -> None:
    """A changed token, one of another purpose, and a form without its mark do nothing."""
    handle = await late_case(site, reference)
    await asked(site, handle, reference)
    path = home(site)
    swapped = link_to(site, "desk", CONTRACT, PERSON).replace("/d/", "/p/")
    for bad in (path[:-4] + "AAAA", swapped, "/p/x"):
        assert (await site.browser.get(bad)).status_code == 404
    unmarked = form((await site.browser.get(path)).text, do="answer", text="x") | {"mark": "short"}
    page = await site.browser.post(path, data=unmarked)
    assert (page.status_code, "did not arrive whole" in page.text) == (422, True)
    assert await entries(site, "request_answered") == []


async def test_a_mail_to_the_principal_leads_to_its_page(site: Site, reference: str) -> None:
    """A level 3 case tells the responsible person at once, with the way to their own page; the manager's mail has
    none.
    """
    await site.grave(reference)
    mail = text(await site.mail_to("gao.jie@example.com", reference))
    found = re.search(r"https://ombud\.example\.com(/p/\S+)", mail)
    assert found is not None
    page = await site.browser.get(found[1])
    assert (page.status_code, reference in page.text) == (200, True)
    assert "/p/" not in text(await site.mail_to("maya.brandt@example.com", reference))
