"""The command line: what it prints, what it refuses, and what it ends with."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from settings import Settings
from starter.cli import _run
from tests.starter.conftest import Cli, Ended, command_line, environment
from tests.support.postgres import Databases
from tests.support.system import ROOT, System
from tests.support.wait import eventually

START = ["open", "--contract", "maintenance-service", "--reference", "R1", "--kind", "complaint"]
START += ["--channel", "wechat", "--content", "It leaks."]

NOBODY = "127.0.0.1:1"
"""An address where nobody listens."""


Here = Callable[..., Ended]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Here:
    """The command line in this process, for what needs no process of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["ombud", *arguments])
        code = _run()
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return run


async def test_a_complaint_from_the_command_line(cli: Cli, system: System) -> None:
    """Opened, told and shown: fields come from options, pairs, JSON and standard input, and all of it is on record."""
    reference = f"R-{uuid4().hex[:12]}"
    name = f"maintenance-service/{reference}"
    opened = await cli(
        "open", "complainant.needs=older", "--contract", "maintenance-service", "--reference", reference, "--kind",
        "complaint", "--category", "product_quality", "--channel", "wechat", "--content", "-",
        "--received-at", "2026-11-20T17:50:00+08:00", stdin="It leaks.",
    )  # fmt: skip
    assert (opened.code, opened.out) == (0, f"opened: {name} · workflow complaint/{name}\n")
    told = await cli("tell", name, "respond", "--by", "handler.owner/li", "--json", "-", stdin='{"text": "We look."}')
    assert (told.code, told.out.split(", ")[0]) == (0, f"{name}: responded")
    left = await cli("tell", name, "note", "--text", "Called.", "--durable")
    assert (left.code, left.out) == (0, f"left with {name}: note\n")
    await eventually(lambda: system.rows("SELECT 1 FROM ledger WHERE stream LIKE :s AND type = 'noted'", s=f"%{name}"))

    state = json.loads((await cli("show", name, "--json")).out)
    assert state["entries"][0]["data"]["needs"] == ["older"]
    responded = next(entry for entry in state["entries"] if entry["type"] == "responded")
    assert (responded["by"], responded["via"]) == ({"role": "handler.owner", "person": "li"}, "cli")
    shown = (await cli("show", name)).out
    assert "2026-11-20 18:05:00 CST" in shown
    assert "It leaks" not in shown
    (row,) = json.loads((await cli("list", "--contract", "maintenance-service", "--json")).out)
    assert (row["id"], row["level"]) == (name, "2")
    assert name in (await cli("list", "--missed")).out
    assert "0 complaints" in (await cli("list", "--due-before", "2026-01-01T00:00:00Z")).out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([*START, "--kind", "rant"], "kind: must be 'complaint', 'suggestion'"),
        ([*START, "--content", " "], "content: "),
        ([*START, "--received-at", "2026-11-20T17:50:00"], "received_at: has no offset"),
        ([*START, "--raised-at", "2099-11-20T17:50:00Z"], "raised_at lies after received_at"),
        ([*START, "colour=red"], "colour: unknown field"),
        ([*START, "colour"], "'colour' is no field; write name=value"),
        ([*START, "--json", "missing.json"], "Cannot read missing.json"),
        (["tell", "c/none", "shout"], "There is no command 'shout'. docs/commands.md has them all."),
        (["tell", "c/none", "resolve", "outcome=maybe"], "outcome: must be 'upheld'"),
        (["tell", "c/none", "respond"], "text: is missing"),
        (["list", "--due-before", "tomorrow"], "--due-before is not valid"),
        (["directory", "import", "missing.yaml"], "Cannot read missing.yaml"),
        (["import", "missing.csv", "--contract", "c", "--map", "missing.yaml"], "Cannot read missing.yaml"),
    ],
)
def test_an_input_that_fits_no_form_is_one_clear_line(here: Here, arguments: list[str], reason: str) -> None:
    """What is wrong with an input is said in words before any server is asked, and the command ends with 1."""
    ended = here(*arguments)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("ombud: ")
    assert reason in ended.err


async def test_what_the_contract_or_the_case_refuses_ends_with_1(cli: Cli) -> None:
    """What only a server can know is refused in words too, and the process says so by its exit code."""
    for arguments, reason in [
        ([*START, "--contract", "nowhere"], "Unknown contract 'nowhere'"),
        ([*START, "--level", "9"], "Unknown level '9'; the contract has"),
        (["tell", "maintenance-service/none", "note", "--text", "x"], "There is no complaint maintenance-service/none"),
        (["show", "maintenance-service/none"], "no complaint maintenance-service/none"),
    ]:
        ended = await cli(*arguments)
        assert (ended.code, ended.out) == (1, ""), arguments
        assert ended.err.startswith("ombud: "), arguments
        assert reason in ended.err, arguments


@pytest.mark.parametrize("arguments", [["shout"], ["show"], ["list", "--colour", "red"], ["import", "x.csv"], []])
def test_wrong_usage_ends_with_2(here: Here, arguments: list[str]) -> None:
    """An unknown subcommand or option, or a missing argument, is wrong usage and no refusal."""
    assert here(*arguments).code == 2


def test_temporal_out_of_reach_ends_with_3(here: Here, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporal away: the message says where it was looked for."""
    for name, value in environment(settings, NOBODY).items():
        monkeypatch.setenv(name, value)
    ended = here(*START)
    assert ended.code == 3
    assert "Temporal does not answer at 127.0.0.1:1" in ended.err


@pytest.mark.parametrize(
    "command", [["list"], ["show", "c/r"], ["stuck"], ["rebuild"], ["migrate"], ["directory", "show"]]
)
def test_postgres_out_of_reach_ends_with_3(
    here: Here, settings: Settings, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """Postgres away: the message says where it was looked for, without the password."""
    away = settings.model_copy(update={"database_url": f"postgresql+asyncpg://ombud:secret@{NOBODY}/none"})
    for name, value in environment(away, NOBODY).items():
        monkeypatch.setenv(name, value)
    ended = here(*command)
    assert ended.code == 3
    assert "Postgres does not answer at 127.0.0.1:1" in ended.err
    assert "secret" not in ended.err


async def test_without_settings_the_process_ends_with_2(tmp_path: Path) -> None:
    """No settings at all: each is named, with where to set it."""
    bare = await command_line({"PYTHONPATH": str(ROOT)}, tmp_path)("list")
    assert bare.code == 2
    assert "OMBUD_DATABASE_URL is not set" in bare.err


async def test_an_empty_database_says_to_migrate(databases: Databases, settings: Settings, tmp_path: Path) -> None:
    """Without tables a read says which command makes them, and after it the read works."""
    own = settings.model_copy(update={"database_url": await databases.empty()})
    cli = command_line(environment(own, NOBODY), tmp_path)
    missing = await cli("list")
    assert missing.code == 3
    assert "Run `ombud migrate`" in missing.err
    assert (await cli("migrate")).code == 0
    assert (await cli("migrate")).code == 0
    assert (await cli("list")).code == 0


async def test_problems_found_end_with_1(cli: Cli, system: System) -> None:
    """`rebuild` and `stuck` end with 0 while all is well, and with 1 when they have found something."""
    handle = await system.open("maintenance-service")
    await handle.execute_update("respond", {"text": "We look."})
    await handle.signal("respond", {"nonsense": True})
    await eventually(lambda: system.rows("SELECT 1 FROM ledger WHERE type = 'refused'"))
    stuck = await cli("stuck")
    assert stuck.code == 1
    assert "refused signal" in stuck.out
    assert "nonsense: unknown field" in stuck.out
    assert (await cli("rebuild")).out.startswith("No difference")


async def test_the_directory_is_replaced_by_a_file(cli: Cli, tmp_path: Path) -> None:
    """A directory file takes the place of the one before, and a broken one changes nothing."""
    file = tmp_path / "people.yaml"
    person = "{name: Li Na, email: li@example.com, language: en, zone: Asia/Shanghai}"
    file.write_text(f'people: {{li: {person}}}\nroles: {{"*": {{handler.owner: [li]}}}}\n')
    assert (await cli("directory", "import", str(file))).out == "1 people stand behind 1 roles.\n"
    file.write_text('people: {}\nroles: {"*": {handler.owner: [li]}}\n')
    assert (await cli("directory", "import", str(file))).code == 1
    assert "Li Na" in (await cli("directory", "show")).out


def test_help_loads_nothing_heavy() -> None:
    """Help comes at once, since no library of a server is loaded for it."""
    code = "import sys, starter.cli; print({'pydantic', 'sqlalchemy', 'temporalio', 'rich'} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "set()"
