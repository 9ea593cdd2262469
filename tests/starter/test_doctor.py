"""`ombud doctor` against a system that is right, and against each thing that may be wrong."""

from __future__ import annotations

import base64
import json
import mailbox
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from settings import Settings
from starter import doctor
from starter.doctor import Finding, examine
from storage.content import Vault
from storage.database import create_engine, transaction
from tests.starter.conftest import Cli, command_line, environment
from tests.support.postgres import Databases
from tests.support.system import System

NOBODY = "127.0.0.1:1"


async def found(settings: Settings) -> dict[str, Finding]:
    """The findings by what they are of."""
    return {finding.what: finding for finding in await examine(settings)}


async def test_a_running_system_is_right(cli: Cli) -> None:
    """Every look succeeds; the exit code is 0 for a terminal and for a program."""
    said = await cli("doctor", "--json", OMBUD_BASE_URL="https://ombud.example.com")
    assert said.code == 0, said.out
    standing = {finding["what"]: finding["standing"] for finding in json.loads(said.out)}
    whole = ["settings", "Temporal", "search attributes", "worker", "Postgres", "migrations", "master key"]
    assert list(standing) == [*whole, "contracts", "calendar", "directory", "mail server"]
    del standing["calendar"]  # late in a year the next one may not be announced yet
    assert set(standing.values()) == {"ok"}
    plain = await cli("doctor")
    assert plain.code == 0
    assert "ok     worker: 1 on task queue" in plain.out
    assert "look   mail server" in plain.out
    assert "mails carry no links" in plain.out


async def test_what_is_away_is_named_and_hides_nothing_else(settings: Settings, tmp_path: Path) -> None:
    """Without Temporal, Postgres and mail server each is one line with what to do, and the exit code is 1."""
    away = settings.model_copy(update={"database_url": f"postgresql+asyncpg://u:secret@{NOBODY}/o", "smtp_port": 1})
    said = await command_line(environment(away, NOBODY), tmp_path)("doctor")
    assert said.code == 1
    assert said.out.count("WRONG") == 3
    assert "OMBUD_DATABASE_URL" in said.out
    assert "TEMPORAL_ADDRESS" in said.out
    assert "OMBUD_SMTP_HOST" in said.out
    assert "unseen directory" in said.out
    assert "secret" not in said.out


async def test_missing_settings_are_one_line(settings: Settings, tmp_path: Path) -> None:
    """Nothing can be looked at without settings, and each that is missing is named."""
    variables = environment(settings, NOBODY)
    del variables["OMBUD_MASTER_KEY"], variables["OMBUD_MAIL_FROM"]
    said = await command_line(variables, tmp_path)("doctor")
    assert said.code == 1
    assert "OMBUD_MASTER_KEY is not set" in said.out
    assert "OMBUD_MAIL_FROM is not set" in said.out


async def test_a_queue_that_nobody_works_on(system: System, cli: Cli) -> None:
    """A task queue without a worker is wrong, and says how to start one."""
    said = await cli("doctor", OMBUD_TASK_QUEUE="nobody-works-here")
    assert said.code == 1
    assert "WRONG  worker: nobody asks the task queue nobody-works-here for workflows and activities" in said.out


async def test_tables_that_were_never_made(settings: Settings, databases: Databases) -> None:
    """An empty database stands at no migration; what lies in tables is not looked at."""
    seen = await found(settings.model_copy(update={"database_url": await databases.empty()}))
    assert seen["Postgres"].standing == "ok"
    assert seen["migrations"].standing == "wrong"
    assert seen["migrations"].do == "Run `ombud migrate`."
    assert seen["directory"].standing == "unseen"


async def test_tables_of_a_newer_version(settings: Settings, databases: Databases) -> None:
    """A migration that this version does not know is not called old."""
    url = await databases.fresh()
    newer = create_engine(url)
    async with transaction(newer) as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await newer.dispose()
    seen = (await found(settings.model_copy(update={"database_url": url})))["migrations"]
    assert (seen.standing, seen.said) == ("wrong", "at 9999, which this version does not know")
    assert "A newer Ombud was here" in seen.do


async def test_a_master_key_of_another_system(system: System) -> None:
    """Texts sealed under another master key are found before anybody needs them."""
    other = Vault(bytes(range(1, 33)))
    async with transaction(system.engine) as connection:
        await other.seal(connection, {"complaint/demo/X": {1: {"content": "It smokes."}}})
    seen = (await found(system.settings))["master key"]
    assert (seen.standing, seen.said) == ("wrong", "1 keys were sealed under another master key")
    key = base64.b64encode(bytes(range(1, 33))).decode()
    theirs = system.settings.model_copy(update={"master_key": type(system.settings.master_key)(key)})
    assert (await found(theirs))["master key"].standing == "ok"
    async with transaction(system.engine) as connection:
        damaged = "(SELECT jsonb_object_agg(key, repeat('00', 60)) FROM jsonb_each_text(wraps))"
        await connection.execute(text(f"UPDATE content_keys SET wraps = {damaged}"))
    assert (await found(theirs))["master key"].said == "does not open what was sealed with it"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM holders WHERE role = 'handler.manager'", "nobody holds handler.manager of"),
        ("DELETE FROM directory_version", "is empty"),
    ],
)
async def test_a_directory_with_holes(system: System, statement: str, said: str) -> None:
    """A role that a contract tells and nobody holds is wrong, and so is no directory at all."""
    async with transaction(system.engine) as connection:
        await connection.execute(text(statement))
    seen = (await found(system.settings))["directory"]
    assert seen.standing == "wrong"
    assert said in seen.said


async def test_holidays_that_nobody_has_published(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant 9: a look that reaches into an unpublished year names it and the contracts that count through it."""
    monkeypatch.setattr(doctor, "AHEAD", doctor.AHEAD * 40)
    seen = (await found(system.settings))["calendar"]
    assert seen.standing == "warning"
    assert "is not published in" in seen.said
    assert "provisional" in seen.do


async def test_a_mail_server_that_refuses_the_login(system: System) -> None:
    """A login that the server does not offer is wrong, and no mail was sent to find out."""
    changed: dict[str, Any] = {"smtp_username": "u", "smtp_password": type(system.settings.master_key)("p")}
    seen = (await found(system.settings.model_copy(update=changed)))["mail server"]
    assert seen.standing == "wrong"
    assert "OMBUD_SMTP_HOST" in seen.do


async def test_the_bounce_mailbox_is_opened(system: System, tmp_path: Path) -> None:
    """Where one is named it is looked into, and one that cannot be opened is wrong."""
    mailbox.Maildir(tmp_path / "box").add(b"Subject: back\n\nagain\n")
    kind = type(system.settings.master_key)
    there = system.settings.model_copy(update={"bounce_mailbox": kind(f"maildir:{tmp_path}/box")})
    seen = (await found(there))["bounce mailbox"]
    assert (seen.standing, seen.said) == ("ok", "1 to take in")
    away = system.settings.model_copy(update={"bounce_mailbox": kind("imaps://u:secret@127.0.0.1:1/INBOX")})
    seen = (await found(away))["bounce mailbox"]
    assert seen.standing == "wrong"
    assert "secret" not in seen.said
    assert "bounce mailbox" not in await found(system.settings)
