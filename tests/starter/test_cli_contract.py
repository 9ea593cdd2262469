"""`ombud contract …` and `ombud due` as people and programs call them: output, messages, exit codes."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from pydantic import SecretStr

from rules.contract import LANGUAGES, Language
from rules.contract_file import read, schema
from settings import Settings
from starter.cli import _run
from storage.contracts import published
from storage.database import create_engine

CONTRACTS = Path(__file__).parents[2] / "contracts"
MAINTENANCE = str(CONTRACTS / "maintenance-service.yaml")
GOOD = Path(MAINTENANCE).read_text()
FRIDAY = "2026-11-20T17:50:00+08:00"


class Ran(NamedTuple):
    code: int
    out: str
    err: str


Ombud = Callable[..., Ran]


@pytest.fixture
def ombud(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ombud:
    """The command line, called as the shell would: `ombud("due", file, stdin="…")`."""

    def run(*args: str, stdin: str = "") -> Ran:
        monkeypatch.setattr(sys, "argv", ["ombud", *args])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = _run()
        return Ran(code, *capsys.readouterr())

    return run


@pytest.fixture
def bad_file(tmp_path: Path) -> Path:
    file = tmp_path / "bad.yaml"
    text = GOOD.replace("due: 7 working days", "due: 7 wroking days")
    file.write_text(text.replace("clause: B 8.1.3", "clause: ____"))
    return file


def test_check_says_what_is_wrong_by_line_and_ends_with_1(ombud: Ombud, bad_file: Path) -> None:
    """Every error stands with file, line and reason, also when another file is good."""
    ran = ombud("contract", "check", MAINTENANCE, str(bad_file))

    assert ran.code == 1
    lines = bad_file.read_text().splitlines()
    term = next(n for n, line in enumerate(lines, 1) if "wroking" in line)
    blank = next(n for n, line in enumerate(lines, 1) if "____" in line)
    assert f"{bad_file}:{term}: obligations › investigation › due: '7 wroking days' is no term" in ran.out
    assert f"{bad_file}:{blank}: obligations › resolution › clause: is blank" in ran.out
    assert f"{MAINTENANCE}: ok; 0 errors, 1 warning" in ran.out
    assert f"{bad_file}: refused; 2 errors, 0 warnings" in ran.out


def test_check_lets_warnings_pass(ombud: Ombud) -> None:
    """A doubt is marked as a warning and does not fail a check."""
    ran = ombud("contract", "check", *map(str, CONTRACTS.glob("*.yaml")))

    assert ran.code == 0
    assert f"warning: {MAINTENANCE}:" in ran.out
    assert "no holidays are published for 2027" in ran.out


@pytest.mark.parametrize("command", [("contract", "show"), ("due", "--received", FRIDAY)])
def test_a_bad_file_is_never_shown_or_counted_with(ombud: Ombud, bad_file: Path, command: tuple[str, ...]) -> None:
    """Whoever asks about a contract that cannot be in force gets its errors, on standard error."""
    ran = ombud(*command, str(bad_file))

    assert (ran.code, ran.out) == (1, "")
    assert "'7 wroking days' is no term" in ran.err
    assert "Traceback" not in ran.err


def test_a_file_that_is_not_there_is_said(ombud: Ombud, tmp_path: Path) -> None:
    """No file, a folder, no text: one line each."""
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")

    missing, folder, binary = (
        ombud("contract", "show", str(tmp_path / name)) for name in ("none.yaml", "", "binary.yaml")
    )

    assert [missing.code, folder.code, binary.code] == [1, 1, 1]
    assert "No such file" in missing.err
    assert "Is a directory" in folder.err
    assert "is not UTF-8 text" in binary.err


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("file", sorted(CONTRACTS.glob("*.yaml")), ids=lambda file: file.stem)
def test_show_has_every_promise(ombud: Ombud, file: Path, language: Language) -> None:
    """Obligation, clause, due, ladder and roles of every shipped contract can be read in the terminal."""
    contract = read(file.read_text(), file.name).contract
    ran = ombud("contract", "show", str(file), "--language", language)

    assert ran.code == 0
    for name, promise in contract.obligations.items():
        assert name in ran.out
        assert promise.clause in ran.out
        assert contract.words(promise.title, language) in ran.out
    for role in contract.roles:
        assert role in ran.out
    assert "due → handler.manager" in ran.out


def test_schema_is_printed(ombud: Ombud) -> None:
    """Editors get the JSON Schema of contract files."""
    ran = ombud("contract", "schema")

    assert (ran.code, json.loads(ran.out)) == (0, schema())


def test_due_explains_every_clock(ombud: Ombud) -> None:
    """People read clause, due, what was counted, what is provisional, and what may come later."""
    ran = ombud("due", MAINTENANCE, "--received", FRIDAY, "--level", "2")

    assert (ran.code, ran.err) == (0, "")
    said = " ".join(ran.out.split())
    assert "first_response E 2.1.1 Fri 2026-11-20 18:05:00 +0800" in said
    assert "department_handover E 2.1.3 Mon 2026-11-23 10:50:00 +0800" in said
    assert "provisional" in said
    assert "Later: message_reply (E 2.1.1) on customer message; explanation (B 8.2.1) on miss of resolution" in said


def test_due_for_programs(ombud: Ombud) -> None:
    """--json prints one array; each object has clock, clause, due with offset, provisional and explanation."""
    ran = ombud("due", MAINTENANCE, "--received", FRIDAY, "--level", "2", "--json")

    clocks = json.loads(ran.out)
    assert [clock["clock"] for clock in clocks] == [
        "first_response",
        "department_handover",
        "investigation",
        "proposal",
        "resolution",
    ]
    assert [clock["provisional"] for clock in clocks] == [False, False, False, False, True]
    assert clocks[0]["due_at"] == "2026-11-20T18:05:00+08:00"
    assert all(clock["clause"] and clock["explanation"] for clock in clocks)


def test_due_outside_the_term_is_answered_and_said(ombud: Ombud) -> None:
    """Rule 127: the answer stands, the doubt goes to standard error and into the JSON."""
    ran = ombud("due", MAINTENANCE, "--received", "2025-12-31T10:00:00+08:00", "--json")

    clocks = {clock["clock"]: clock for clock in json.loads(ran.out)}
    assert clocks["investigation"]["due_at"] == "2026-01-12T18:00:00+08:00"
    assert all(clock["outside_term"] for clock in clocks.values())
    assert "2025-12-31 lies outside the contract's term" in ran.err


def test_due_in_chinese(ombud: Ombud) -> None:
    """The explanation follows the contract's language or the one asked for."""
    ran = ombud("due", MAINTENANCE, "--received", FRIDAY, "--json", "--language", "zh-CN")

    assert "个工作日" in json.loads(ran.out)[1]["explanation"]
    assert ombud("due", MAINTENANCE, "--received", FRIDAY, "--language", "fr").code == 1


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("--received", "2026-11-20T17:50:00"), 1, "has no offset"),
        (("--received", "soon"), 1, "is no time"),
        (("--received", FRIDAY, "--level", "9"), 1, "Unknown level '9'; the contract has 1, 2, 3."),
        (("--received", FRIDAY, "--category", "x"), 1, "Unknown category 'x'"),
        (("--received", FRIDAY, "--kind", "x"), 1, "kind: must be 'complaint'"),
        ((), 2, "give either --received or --batch"),
        (("--received", FRIDAY, "--batch"), 2, "give either --received or --batch"),
    ],
)
def test_a_wrong_question_gets_one_message(ombud: Ombud, args: tuple[str, ...], code: int, message: str) -> None:
    """What makes no sense ends with 1, wrong usage with 2, and nothing but the message is printed."""
    ran = ombud("due", MAINTENANCE, *args)

    assert (ran.code, ran.out) == (code, "")
    assert message in " ".join(ran.err.split())
    assert "Traceback" not in ran.err


def test_batch_answers_line_by_line(ombud: Ombud) -> None:
    """One array a line, in order, the same as asked one by one; options say what a line leaves out."""
    asked = [{"received_at": FRIDAY, "level": 2}, {"received_at": FRIDAY}, {"received_at": FRIDAY, "kind": "enquiry"}]

    ran = ombud("due", MAINTENANCE, "--batch", "--category", "usage", stdin="\n".join(map(json.dumps, asked)))

    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert (ran.code, ran.err) == (0, "")
    assert [[clock["clock"] for clock in line][:2] for line in lines] == [
        ["first_response", "department_handover"],
        ["first_response", "standard_answer"],
        ["first_response", "standard_answer"],
    ]
    one = ombud("due", MAINTENANCE, "--received", FRIDAY, "--level", "2", "--category", "usage", "--json")
    assert lines[0] == json.loads(one.out)


def test_a_bad_line_of_a_batch_keeps_its_place(ombud: Ombud) -> None:
    """Lines that cannot be answered become an error with their number; the others are answered; the end is 1."""
    good = json.dumps({"received_at": FRIDAY})
    bad = ["{", "[]", "", '{"received_at": "x"}', '{"received_at": "9999-12-31T23:00:00Z"}', "[" * 5000]

    ran = ombud("due", MAINTENANCE, "--batch", stdin="\n".join([good, *bad, good]))

    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert ran.code == 1
    assert lines[0] == lines[-1]
    assert lines[0][0]["clock"] == "first_response"
    assert [line["error"].split(":")[0] for line in lines[1:-1]] == [f"line {n}" for n in range(2, 8)]
    assert [line.split(": ")[1] for line in ran.err.splitlines()] == [f"line {n}" for n in range(2, 8)]


@pytest.fixture
def in_reach(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """This test's database, where the command line finds it."""
    for name, value in settings.model_dump(exclude_defaults=True).items():
        text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        monkeypatch.setenv(f"OMBUD_{name.upper()}", text)
    return settings


async def test_publish_keeps_a_version_for_ever(ombud: Ombud, in_reach: Settings, tmp_path: Path) -> None:
    """Rule 126: a version is in force from its moment on; again is the same, something else for that moment refused."""

    async def publish(file: str | Path, effective: str, by: str) -> Ran:
        command = ("contract", "publish", str(file), "--effective", effective, "--by", by)
        return await asyncio.to_thread(ombud, *command)

    other = tmp_path / "other.yaml"
    other.write_text(GOOD.replace("7 working days", "6 working days"))

    first = await publish(MAINTENANCE, "2026-01-01", "gao.jie")
    again = await publish(MAINTENANCE, "2026-01-01", "somebody.else")
    instead = await publish(other, "2025-12-31T16:00:00Z", "gao.jie")
    later = await publish(other, "2026-07-01T00:00:00+08:00", "gao.jie")

    assert [first.code, again.code, instead.code, later.code] == [0, 0, 1, 0]
    assert first.out == again.out
    assert "a version never changes" in instead.err
    engine = create_engine(in_reach.database_url)
    async with engine.connect() as connection:
        versions = await published(connection)
    await engine.dispose()
    assert [(one.contract, one.effective_from, one.published_by) for one in versions] == [
        ("maintenance-service", datetime(2025, 12, 31, 16, tzinfo=UTC), "gao.jie"),  # midnight in Shanghai
        ("maintenance-service", datetime(2026, 6, 30, 16, tzinfo=UTC), "gao.jie"),
    ]
    assert versions[0].parsed() == read(GOOD, "").contract


@pytest.mark.parametrize("effective", ["tomorrow", "2026-02-30", "2026-07-01T00:00:00"])
def test_publish_wants_a_moment(ombud: Ombud, effective: str) -> None:
    """From when a version is in force is a date or a time with its offset, and nothing is published without."""
    ran = ombud("contract", "publish", MAINTENANCE, "--effective", effective)

    assert (ran.code, ran.out) == (1, "")
    assert repr(effective) in ran.err


def test_publish_without_postgres_says_so(ombud: Ombud, in_reach: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unreachable database is one clear message and exit code 3."""
    monkeypatch.setenv("OMBUD_DATABASE_URL", "postgresql+asyncpg://nobody@127.0.0.1:1/none")

    ran = ombud("contract", "publish", MAINTENANCE, "--effective", "2026-01-01")

    assert (ran.code, ran.out) == (3, "")
    assert "Traceback" not in ran.err
    assert "Postgres" in ran.err
