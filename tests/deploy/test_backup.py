"""Backups of the one-machine system, restored to an earlier time while the other side went on (docs/backup.md)."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections import Counter
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from temporalio.client import Client

from deploy.postgres import tools
from rules.commands import OpenComplaint
from tests.support.machine import Machine
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(400)

WORDS = "SELECT stream, seq, field FROM content WHERE stream LIKE $1 ORDER BY 1, 2, 3"
LEDGER = "SELECT stream, seq, body::text FROM ledger WHERE stream LIKE $1 ORDER BY 1, 2"
WAITING = "SELECT count(*) FROM notices WHERE state IN ('planned', 'claimed')"


async def test_postgres_restored_to_an_earlier_time(machine: Machine, tmp_path: Path) -> None:
    """Openings, acts, misses, mails and closings after the dump are in the ledger again, the words too; no clock is
    lost, the tables are what the ledger says, and no mail leaves a second time."""
    process = await machine.ready()
    client = await Client.connect(machine.announced("TEMPORAL_ADDRESS"))
    for n in range(6):
        await _open(client, f"A-{n}", days=4 if n % 2 else 0)
    await _quiet(machine, 6)
    dump = tmp_path / "ombud.dump"
    await _run(_pg(machine, "pg_dump"), "-Fc", "-f", str(dump), "-d", _url(machine))

    for n in range(4):
        await _tell(client, f"A-{n}", "respond", {"text": "We are on it.", "key": f"r{n}"})
    await _tell(client, "A-4", "withdraw", {"by": {"role": "complainant"}})
    for n in range(4):
        await _open(client, f"B-{n}", days=4 if n % 2 else 0)
    await _tell(client, "B-0", "withdraw", {"by": {"role": "complainant"}})
    await _quiet(machine, 10)
    before, messages, words = await _ledger(machine), await _ledger(machine, "message/%"), await _words(machine)
    mails = _mails(machine)
    assert await machine.stop(process) == 0

    process = await machine.ready("--servers-only")
    await _run(
        _pg(machine, "pg_restore"), "--clean", "--if-exists", "--single-transaction", "-d", _url(machine), str(dump)
    )
    assert len(await _ledger(machine)) < len(before)
    found = await _reconcile(machine, expected=1)
    assert {damage["kind"] for damage in found["damages"]} >= {"ledger short"}
    applied = await _reconcile(machine, "--apply", expected=0)
    assert applied["remaining"] == 0
    assert applied["counts"]["mails written again"] > 0
    assert await machine.stop(process) == 0

    process = await machine.ready()
    after = await _ledger(machine)
    assert {place: after.get(place) for place in before} == before
    assert await _ledger(machine, "message/%") == messages
    assert await _words(machine) >= words
    client = await Client.connect(machine.announced("TEMPORAL_ADDRESS"))
    for n in range(3):
        await _tell(client, f"B-{n + 1}", "note", {"text": "It goes on."})
    await _quiet(machine, 10)
    sound = await _reconcile(machine, "--thorough", expected=0)
    assert sound["found"] == 0, sound
    assert "No difference" in await machine.ombud("rebuild")
    assert _mails(machine) == mails, "nobody is told again"
    assert await machine.stop(process) == 0


async def test_temporal_restored_to_an_earlier_time(machine: Machine, tmp_path: Path) -> None:
    """What happened after the copy stands in the ledger, and every workflow takes it over: those opened since run
    again, those closed since end, and no command and no notice is repeated."""
    process = await machine.ready()
    client = await Client.connect(machine.announced("TEMPORAL_ADDRESS"))
    for n in range(6):
        await _open(client, f"A-{n}", days=4 if n % 2 else 0)
    await _quiet(machine, 6)
    copy = tmp_path / "temporal.db"
    await asyncio.to_thread(_copy, machine.folder.temporal, copy)

    for n in range(4):
        await _tell(client, f"A-{n}", "respond", {"text": "We are on it.", "key": f"r{n}"})
    await _tell(client, "A-4", "withdraw", {"by": {"role": "complainant"}})
    for n in range(4):
        await _open(client, f"B-{n}", days=4 if n % 2 else 0)
    await _tell(client, "B-0", "withdraw", {"by": {"role": "complainant"}})
    await _quiet(machine, 10)
    before, mails = await _ledger(machine), _mails(machine)
    assert await machine.stop(process) == 0

    for file in machine.folder.path.glob("temporal.db*"):
        file.unlink()
    shutil.copy(copy, machine.folder.temporal)
    process = await machine.ready()
    applied = await _reconcile(machine, "--apply", expected=0)
    kinds = Counter(damage["kind"] for damage in applied["damages"])
    assert kinds["lost"] == 3, kinds
    assert kinds["workflow behind"] + kinds["closed and running"] > 0
    client = await Client.connect(machine.announced("TEMPORAL_ADDRESS"))
    for n in range(4):
        again = await _tell(client, f"A-{n}", "respond", {"text": "We are on it.", "key": f"r{n}"})
        assert before["complaint/maintenance-service/" + f"A-{n}", again["seq"]], "the same key, the same entry"
    await _quiet(machine, 10)
    after = await _ledger(machine)
    assert {place: after.get(place) for place in before} == before
    sound = await _reconcile(machine, "--thorough", expected=0)
    assert sound["found"] == 0, sound
    assert _mails(machine) == mails, "nobody is told again"
    assert await machine.stop(process) == 0


async def _open(client: Client, reference: str, days: int) -> None:
    start = OpenComplaint.model_validate(
        {
            "contract": "maintenance-service",
            "reference": reference,
            "channel": "phone",
            "content": "It leaks.",
            "kind": "complaint",
            "level": "2",
            "received_at": datetime.now(UTC) - timedelta(days=days),
        }
    )
    await client.start_workflow(
        "Complaint",
        start.model_dump(mode="json", exclude_none=True),
        id=f"complaint/maintenance-service/{reference}",
        task_queue="ombud",
    )


async def _tell(client: Client, reference: str, command: str, body: dict[str, Any]) -> dict[str, Any]:
    handle = client.get_workflow_handle(f"complaint/maintenance-service/{reference}")
    answer: dict[str, Any] = await handle.execute_update(command, body)
    return answer


async def _quiet(machine: Machine, complaints: int) -> None:
    """Until so many complaints are on record, and everything that was to be told was told."""
    database = await machine.database()
    try:

        async def still() -> bool:
            there = await database.fetchval("SELECT count(*) FROM complaints WHERE contract = 'maintenance-service'")
            untold = await database.fetchval("SELECT count(*) FROM messages WHERE untold")
            return there == complaints and not untold and not await database.fetchval(WAITING)

        await eventually(still, 120)
    finally:
        await database.close()


async def _ledger(machine: Machine, streams: str = "complaint/%") -> dict[tuple[str, int], str]:
    database: asyncpg.Connection = await machine.database()
    try:
        return {(row[0], row[1]): row[2] for row in await database.fetch(LEDGER, streams)}
    finally:
        await database.close()


async def _words(machine: Machine) -> set[tuple[str, int, str]]:
    """Which texts of complaints are kept."""
    database: asyncpg.Connection = await machine.database()
    try:
        return {tuple(row) for row in await database.fetch(WORDS, "complaint/%")}
    finally:
        await database.close()


def _mails(machine: Machine) -> Counter[str]:
    """Every mail that left, by its Message-ID."""
    files = machine.folder.mail.glob("*.eml")
    return Counter(message_from_bytes(file.read_bytes())["Message-ID"] for file in files)


async def _reconcile(machine: Machine, *options: str, expected: int) -> dict[str, Any]:
    code, said = await machine.ended("reconcile", "--json", *options)
    assert code == expected, said
    report: dict[str, Any] = json.loads(said)
    return report


def _pg(machine: Machine, program: str) -> str:
    return str(tools(machine.folder.postgres) / program)


def _url(machine: Machine) -> str:
    return machine.announced("OMBUD_DATABASE_URL").replace("+asyncpg", "")


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


def _copy(source: Path, target: Path) -> None:
    """While the server runs: what SQLite hands out is one moment of it."""
    with sqlite3.connect(source) as live, sqlite3.connect(target) as copy:
        live.backup(copy)
