"""Links for customers and principals, the figures of a survey and a signed proof, from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest

from rules.commands import AnswerSurvey, Findings, Propose, Resolve, TellResult
from starter.client import Ombud
from storage import evidence
from storage.content import Vault
from storage.database import transaction
from templates.links import Addressed, Links, Purpose
from tests.starter.conftest import Cli, opening
from tests.support.system import System
from tests.support.wait import eventually

BASE = "https://ombud.example.com"
CONTRACT = "complaint-handling"


async def ended(ombud: Ombud, system: System, **fields: object) -> str:
    """A case whose customer was told the result and answered the survey."""
    start = opening(contract=CONTRACT, category="product", channel="phone", **fields)
    name = (await ombud.open(start)).complaint
    for command in (
        Findings(text="A crack.", cause="Transport."),
        Propose(text="A new one."),
        Resolve(outcome="upheld"),
        TellResult(text="You get a new one."),
        AnswerSurvey(answers={"result": "quite", "product": "good"}, words={"better": "Ring first."}),
    ):
        await ombud.tell(name, command)
    await eventually(lambda: system.rows("SELECT 1 FROM survey_answers"))
    return name


async def test_links_for_the_customer_and_the_principal(cli: Cli, ombud: Ombud, system: System) -> None:
    """Each leads to its page and its person, and stands in the record of accesses; wrong ones are refused in words."""
    name = await ended(ombud, system, complainant={"id": "C-17"})
    other = (await ombud.open(opening(contract=CONTRACT, category="product"))).complaint
    await eventually(lambda: system.rows("SELECT 1 FROM complaints WHERE id = :id", id=other))
    asked: tuple[tuple[Purpose, tuple[str, ...], Addressed], ...] = (
        ("status", (name,), Addressed(name, "C-17")),
        ("survey", (name,), Addressed(name, "C-17")),
        ("status", (other,), Addressed(other, "customer")),
        ("principal", (CONTRACT, "--for", "liu.yan"), Addressed(CONTRACT, "liu.yan")),
    )
    for purpose, arguments, leads in asked:
        printed = await cli("link", purpose, *arguments, "--by", "ops", OMBUD_BASE_URL=BASE)
        assert printed.code == 0, printed.err
        links = Links(system.settings.signing_key.get_secret_value(), BASE, purpose)
        address = printed.out.strip()
        assert address.startswith(f"{BASE}/{purpose[0] if purpose != 'survey' else 'q'}/")
        assert links.read(address.rpartition("/")[2]) == leads
    rows = await system.rows("SELECT action FROM access_log WHERE person = 'ops' ORDER BY id")
    assert [row["action"] for row in rows] == ["link:status", "link:survey", "link:status", "link:principal"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("principal", CONTRACT, "--for", "maya.brandt.none"), "is not in the directory"),
        (("principal", CONTRACT, "--for", "tang.min"), "holds no office of the principal"),
        (("principal", CONTRACT), "--for PERSON"),
        (("status", f"{CONTRACT}/none"), "has no complaint"),
        (("status", f"{CONTRACT}/none", "--for", "liu.yan"), "leave --for out"),
        (("stauts", CONTRACT), "there are case, desk, standard, principal, status, survey"),
    ],
)
async def test_a_link_that_would_open_nothing_is_refused(cli: Cli, arguments: tuple[str, ...], said: str) -> None:
    """One clear sentence says why, and no link is printed."""
    refused = await cli("link", *arguments, OMBUD_BASE_URL=BASE)
    assert (refused.code, refused.out) == (1, "")
    assert said in refused.err


async def test_without_a_public_address_there_is_no_link(cli: Cli) -> None:
    """The setting is named."""
    refused = await cli("link", "status", f"{CONTRACT}/x")
    assert (refused.code, "OMBUD_BASE_URL" in refused.err) == (2, True)


async def test_the_figures_of_a_survey(cli: Cli, ombud: Ombud, system: System) -> None:
    """By question the answers, the mean score and the share of the dissatisfied; as JSON for programs."""
    await ended(ombud, system)
    shown = await cli("survey", CONTRACT)
    assert shown.code == 0
    assert "result" in shown.out
    assert "4.00" in shown.out
    assert "3 answers" in shown.out
    found = json.loads((await cli("survey", CONTRACT, "--json")).out)
    assert {figure["question"]: figure["n"] for figure in found} == {"result": 1, "product": 1, "better": 1}


async def test_a_signed_proof_is_written_to_a_file(cli: Cli, ombud: Ombud, system: System, tmp_path: Path) -> None:
    """The very bytes come out, and who read them stands on record; an id that is not there is said so."""
    name = (await ombud.open(opening(reference=f"E-{uuid4().hex[:10]}"))).complaint
    vault = Vault(system.settings.keyring)
    async with transaction(system.engine) as connection:
        digest = await evidence.keep(connection, vault, name, b"signed \x00\xff")
        assert await evidence.keep(connection, vault, name, b"signed \x00\xff") == digest
    out = tmp_path / "letter"
    done = await cli("evidence", name, digest, "--out", str(out), "--by", "ops")
    assert (done.code, out.read_bytes()) == (0, b"signed \x00\xff")
    (row,) = await system.rows("SELECT action, person FROM access_log")
    assert row == {"action": "evidence:read", "person": "ops"}
    assert "has no proof" in (await cli("evidence", name, "0" * 64, "--out", str(out))).err
