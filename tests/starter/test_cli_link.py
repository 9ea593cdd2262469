"""`ombud link`, `ombud file` and `ombud contract standard`: what people get without a mail."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from settings import Settings
from storage.database import transaction
from tests.starter.conftest import Cli, command_line, environment
from tests.support.cases import grave, told
from tests.support.shelf import MAINTENANCE, Shelf, in_force, opened
from tests.support.story import Story

BASE = "https://ombud.example.com/front"
CASE = "maintenance-service/K-4711"


@pytest.fixture
async def shelf(settings: Settings) -> AsyncIterator[Shelf]:
    """One case on record."""
    async with opened(settings) as made:
        await told(made, grave())
        yield made


@pytest.fixture
def ombud(settings: Settings, tmp_path: Path) -> Cli:
    """`ombud` without a Temporal."""
    variables = environment(settings, "127.0.0.1:1") | {"OMBUD_BASE_URL": BASE, "USER": "root"}
    return command_line(variables, tmp_path)


async def test_a_printed_link_opens_its_page(ombud: Cli, shelf: Shelf) -> None:
    """Each kind of link leads to its page behind the public address, and its making is on record."""
    pages = {"case": CASE, "desk": "maintenance-service", "standard": "maintenance-service"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=shelf.app), base_url="http://x") as browser:
        for page, subject in pages.items():
            ended = await ombud("link", page, subject, "--for", "maya.brandt")
            assert (ended.code, ended.err) == (0, "")
            assert ended.out.startswith(f"{BASE}/")
            shown = await browser.get(ended.out.strip().removeprefix(BASE))
            assert shown.status_code == 200
            assert "Maya Brandt" in shown.text
    async with transaction(shelf.engine) as db:
        found = await db.exec_driver_sql("SELECT action, person, reason FROM access_log WHERE via = 'cli' ORDER BY id")
        assert [tuple(row) for row in found] == [(f"link:{page}", "root", "for maya.brandt") for page in pages]


async def test_no_link_that_would_stay_closed(ombud: Cli, shelf: Shelf) -> None:
    """Somebody without an office, unknown, or complained about gets none, and the reason is said."""
    story = Story(in_force())
    story.open("2026-11-02 10:00", reference="K-9", against="maya.brandt")
    await shelf.put(story)
    for arguments, said in (
        (("case", CASE, "--for", "ada.novak"), "ada.novak holds no office in maintenance-service"),
        (("desk", "maintenance-service", "--for", "gao.jie"), "gao.jie holds no office of the handler"),
        (("case", CASE, "--for", "who"), "who is not in the directory"),
        (("case", "maintenance-service/K-0", "--for", "maya.brandt"), "Postgres has no complaint"),
        (("case", "maintenance-service/K-9", "--for", "maya.brandt"), "against maya.brandt"),
        (("standard", "none", "--for", "maya.brandt"), "No contract none is in force"),
        (("home", "x", "--for", "maya.brandt"), "There is no page 'home'"),
    ):
        ended = await ombud("link", *arguments)
        assert ended.code == 1, arguments
        assert said in ended.err, arguments
        assert ended.out == ""
    assert (await ombud("link", "case", CASE, "--for", "maya.brandt", OMBUD_BASE_URL="")).code == 2


async def test_a_file_is_written_whole_or_for_the_principal(ombud: Cli, shelf: Shelf, tmp_path: Path) -> None:
    """The handler's file has the internal note, the principal's has not; both are on record."""
    for party, there in (("handler", True), ("principal", False)):
        out = tmp_path / f"{party}.html"
        ended = await ombud("file", CASE, "--out", str(out), "--as", party, "--language", "zh-CN")
        assert (ended.code, ended.err) == (0, "")
        written = out.read_text(encoding="utf-8")
        assert "The kettle burst" in written
        assert ("recalled in May" in written) is there
        assert "时限" in written
        assert "root" in written
    async with transaction(shelf.engine) as db:
        found = await db.exec_driver_sql("SELECT action, complaint FROM access_log")
        assert [tuple(row) for row in found] == [("case:file", CASE)] * 2
    assert (await ombud("file", "maintenance-service/none", "--out", "x.html")).code == 1
    assert (await ombud("file", CASE, "--out", "no/such/folder.html")).code == 1
    assert (await ombud("file", CASE, "--out", "x.html", "--as", "nobody")).code == 1


async def test_the_standard_of_a_file_needs_no_server(ombud: Cli, tmp_path: Path) -> None:
    """A contract owner gets the standard from the file alone."""
    out = tmp_path / "standard.html"
    ended = await ombud(
        "contract", "standard", str(MAINTENANCE), "--language", "zh-CN", "--out", str(out), OMBUD_DATABASE_URL=""
    )
    assert (ended.code, ended.err) == (0, "")
    written = out.read_text(encoding="utf-8")
    assert "服务标准" in written
    assert 'class="flow"' in written
