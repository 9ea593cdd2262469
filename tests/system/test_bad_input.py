"""Bad input through every way in: one clear message, no half-written case, no workflow held up."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import RawValue
from temporalio.service import RPCError

from deploy.temporal import binary
from tests.fuzz.payloads import start_of
from tests.starter.conftest import Cli, command_line, environment
from tests.support.history import unharmed
from tests.support.system import SHIPPED, System
from tests.support.wait import eventually

Handle = WorkflowHandle[Any, Any]

SOON = (datetime.now(UTC) + timedelta(minutes=30)).isoformat()
DEEP = b"[" * 5_000 + b"]" * 5_000


def raw(data: bytes, encoding: bytes = b"json/plain") -> RawValue:
    return RawValue(Payload(metadata={"encoding": encoding}, data=data))


def new() -> str:
    """A reference that no other test has."""
    return f"R-{uuid4().hex[:12]}"


STARTS: list[tuple[dict[str, Any], str]] = [
    ({"contract": "nowhere"}, "Unknown contract 'nowhere'; published are canary, complaint-handling,"),
    ({"contract": "no where"}, "contract: must begin with a letter or digit"),
    ({"level": "9"}, "Unknown level '9'; the contract has 1, 2, 3"),
    ({"level": True}, "level: must be a valid string"),
    ({"level": 10**70}, "level: is longer than 60 characters"),
    ({"category": "weather"}, "Unknown category 'weather'; the contract has product_quality"),
    ({"kind": "rant"}, "kind: must be 'complaint', 'suggestion'"),
    ({"content": " \n"}, "content: is empty"),
    ({"content": "x" * 200_001}, "content: is longer than 200,000 characters"),
    ({"content": "x" * 1_900_000}, "content: is longer than 200,000 characters"),
    ({"content": "\x01" * 200_000, "remedy_sought": "\x01" * 100_000}, "at most 1,500,000 are taken"),
    ({"content": None}, "content: must be a valid string"),
    ({"received_at": "2026-11-20T10:00:00"}, "received_at: has no offset"),
    ({"received_at": "2026-11-20"}, "received_at: has no offset"),
    ({"received_at": "yesterday"}, "received_at: is no time"),
    ({"received_at": 1763600000}, "received_at: give a time as RFC 3339"),
    ({"received_at": "20261120"}, "received_at: give a time as RFC 3339"),
    ({"received_at": "2016-12-31T23:59:60Z"}, "received_at: is no time"),
    ({"received_at": "2026-11-20T10:00:00+24:00"}, "received_at: is no time"),
    ({"received_at": "0001-01-01T00:00:00+14:00"}, "look for a mistyped year"),
    ({"received_at": "0026-11-20T10:00:00Z"}, "look for a mistyped year"),
    ({"received_at": "9999-12-31T23:59:59-14:00"}, "look for a mistyped year"),
    ({"raised_at": "0001-01-01T00:00:00Z"}, "raised_at: lies outside the years 1900 to 2199"),
    ({"received_at": SOON}, "at most 2 minutes ahead are taken"),
    ({"raised_at": SOON}, "raised_at lies after received_at"),
    ({"channel": "we chat"}, "channel: must hold only letters, digits"),
    ({"channel": "a\x00"}, "channel: must hold only letters, digits"),
    ({"complainant": {"needs": ["x"] * 100_000}}, "complainant.needs: has more than 100 entries"),
    ({"evidence": [{"id": "e", "sha256": "z"}]}, "evidence.0.sha256: must be a SHA-256"),
    ({f"f{n}": 1 for n in range(30_000)}, "and 29,980 more"),
    ({"k" * 500_000: 1}, "unknown field; remove it or correct its name"),
]
"""Fields of a start, and what its refusal must say."""

UNREADABLE: list[RawValue] = [
    raw(b"{not json"),
    raw(b""),
    raw(b"null"),
    raw(b"[" + b"1," * 100_000 + b"1]"),
    raw(DEEP),
    raw(b'{"contract": ' + DEEP + b"}"),
    raw(b'{"content": "\\ud800"}'),
    raw(b'{"content": "\xff"}'),
    raw(b'{"level": ' + b"9" * 10_000 + b"}"),
    raw(b"\xef\xbb\xbf{}"),
    raw(b"{}", b"binary/plain"),
    raw(b"{}", b"binary/protobuf"),
    raw(b"{}", b"what/ever"),
    raw(b"{}", b"\xff"),
]
"""Payloads that hold no JSON object."""

WRITTEN = ("ledger", "complaints", "clocks", "notices", "content", "registry")
"""What a case would leave behind."""


async def failure(handle: Handle) -> str:
    """Why the workflow failed."""
    with pytest.raises(WorkflowFailureError) as caught:
        await asyncio.wait_for(handle.result(), 60)
    return str(caught.value.cause)


async def written(system: System) -> dict[str, int]:
    """How many rows stand in each table that a case fills."""
    return {table: (await system.rows(f"SELECT count(*) AS n FROM {table}"))[0]["n"] for table in WRITTEN}


def begin(system: System, reference: str, start: Any, contract: str = "maintenance-service") -> Any:
    return system.client.start_workflow(
        "Complaint", start, id=f"complaint/{contract}/{reference}", task_queue=system.settings.task_queue
    )


@pytest.fixture
def ombud(system: System, tmp_path: Path) -> Cli:
    """The command `ombud` as a process."""
    return command_line(environment(system.settings, address(system.client)), tmp_path)


def address(client: Client) -> str:
    return client.service_client.config.target_host


async def temporal(system: System, *arguments: str) -> tuple[int, str]:
    """The bare Temporal command line: its exit code, and everything it said."""
    process = await asyncio.create_subprocess_exec(
        str(binary()),
        *arguments,
        *("--address", address(system.client), "--namespace", system.client.namespace),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def test_a_start_that_cannot_be_one_says_why_and_leaves_nothing(system: System) -> None:
    """From a foreign starter: each bad start ends with its reason, stands among the rejects, and wrote no case."""
    for number, (fields, reason) in enumerate(STARTS):
        start = start_of(f"R-{number}", **fields)
        handle = await begin(system, f"R-{number}", start, start["contract"])
        said = await failure(handle)
        assert reason in said, (said[:500], str(fields)[:100])
        assert len(said) < 3_000
        await unharmed(handle)
    for number, payload in enumerate(UNREADABLE):
        handle = await begin(system, f"U-{number}", payload)
        assert "is not valid" in await failure(handle)
        await unharmed(handle)
    assert set((await written(system)).values()) == {0}
    (rejects,) = await system.rows("SELECT count(*) AS n FROM rejects")
    assert rejects["n"] == len(STARTS) + len(UNREADABLE)


@pytest.mark.parametrize("reference", ["a/b", "投诉-1", "x" * 150, "line\n", "-a", "a b", "a\x7f"])
async def test_an_odd_reference_is_refused(system: System, reference: str) -> None:
    """A reference is part of ids and addresses: what could not stand in one is refused, never changed."""
    handle = await begin(system, reference, start_of(reference))
    assert "reference: must begin with a letter or digit" in await failure(handle)
    await unharmed(handle)
    assert set((await written(system)).values()) == {0}


@pytest.mark.parametrize(
    "fields",
    [
        {"content": "😀 عربي \u202e rtl \u0301"},
        {"content": "a\x00b", "remedy_sought": "\x00"},
        {"evidence": [{"id": "e", "sha256": "0" * 64, "media_type": "a\x00b", "source": "\x00"}]},
        {"received_at": "2026-03-08T02:30:00-05:00"},
        {"received_at": "2026-11-20T10:00:00-00:00"},
        {"received_at": "2026-11-20T10:00:00+23:59"},
        {"received_at": "1900-01-01T00:00:00Z"},
        {"channel": "微信"},
        {"level": 2},
    ],
    ids=str,
)
async def test_an_odd_start_that_is_none_the_less_one_is_taken(system: System, fields: dict[str, Any]) -> None:
    """Characters that Postgres cannot hold, hours that a zone skips, and old times lose no complaint."""
    name = new()
    handle = await begin(system, name, start_of(name, **fields))
    await handle.execute_update("note", {"text": "Here."})
    await eventually(lambda: system.rows("SELECT 1 FROM ledger WHERE type = 'noted'"))
    await unharmed(handle)
    assert [row["id"] for row in await system.rows("SELECT id FROM complaints")] == [f"maintenance-service/{name}"]


async def test_the_same_reference_with_other_content_is_a_conflict(system: System) -> None:
    """After closure too, the second start fails with what to do, and the first case stands as it was."""
    name = new()
    start = start_of(name, kind="enquiry", category="usage", level="1")
    first = await begin(system, name, start)
    await first.execute_update("answer", {"text": "Press it."})
    await first.execute_update("accept", {})
    await first.result()
    before = await written(system)
    second = await begin(system, name, start | {"content": "It burns."})
    assert "Give a new complaint a reference of its own" in await failure(second)
    assert await written(system) == before


@pytest.mark.parametrize("start", [{}, {"colour": "red"}], ids=["sound", "bad"])
async def test_a_start_on_a_schedule_is_refused_each_time(system: System, start: dict[str, Any]) -> None:
    """A foreign starter may give a cron schedule: no run of it takes what it gets for the state of a run before."""
    name = new()
    queue = system.settings.task_queue
    id_ = f"complaint/maintenance-service/{name}"
    first = await system.client.start_workflow(
        "Complaint", start_of(name, **start), id=id_, task_queue=queue, cron_schedule="@every 1s"
    )
    for run in (first.first_execution_run_id, await eventually(lambda: _next_run(first))):
        handle = system.client.get_workflow_handle(id_, run_id=run)
        assert "without a schedule" in str(await eventually(partial(_said_at_its_end, handle)))
        await unharmed(handle)
    await first.terminate()
    assert set((await written(system)).values()) == {0}
    assert await system.rows("SELECT 1 FROM rejects")


async def _said_at_its_end(handle: Handle) -> str:
    """Why a run on a schedule failed: the next one is on its way then, so that nobody gets its failure."""
    last = [event async for event in handle.fetch_history_events()][-1]
    return last.workflow_execution_failed_event_attributes.failure.message


async def _next_run(handle: Handle) -> str | None:
    """The run behind the first."""
    run = (await handle.describe()).run_id
    return None if run == handle.first_execution_run_id else run


@pytest.mark.parametrize(
    "start", [5, "x", [], {"erased": -1, "colour": 1}, {"cursor": "x"}, raw(b"{no"), raw(b"")], ids=repr
)
async def test_a_sweep_started_by_hand_ends_in_words(system: System, start: Any) -> None:
    """What is no sweep's state ends with one clear failure and holds nothing up."""
    queue = system.settings.task_queue
    handle = await system.client.start_workflow("Retention", start, id=f"sweep/{new()}", task_queue=queue)
    assert "A sweep is started without an argument" in await failure(handle)
    await unharmed(handle)


COMMANDS: list[tuple[str, Any, str]] = [
    ("accept", {}, "accept comes after resolve; the complaint is classified"),
    ("close", {}, "close comes after resolve"),
    ("propose", {"text": "We propose."}, "propose comes after findings"),
    ("note", None, "`note` takes one argument: an object"),
    ("note", "words", "`note` takes one argument: an object"),
    ("note", [1], "`note` takes one argument: an object"),
    ("note", {}, "text: is missing"),
    ("note", {"text": " "}, "text: is empty"),
    ("note", {"text": "x" * 200_001}, "text: is longer than 200,000 characters"),
    ("note", {"text": "x", "colour": "red"}, "colour: unknown field"),
    ("note", {"text": "x", "occurred_at": "2026-11-20T10:00:00"}, "occurred_at: has no offset"),
    ("note", {"text": "x", "occurred_at": SOON}, "at most 2 minutes ahead are taken"),
    ("note", {"text": "x", "occurred_at": "2001-01-01T00:00:00Z"}, "lies before the receipt"),
    ("note", {"text": "x", "occurred_at": "0001-01-01T00:00:00Z"}, "look for a mistyped year"),
    ("note", {"text": "x", "by": {"role": "nobody.here"}}, "Unknown role 'nobody.here'"),
    ("note", {"text": "x", "by": {"role": "a b"}}, "by.role: must begin with a letter or digit"),
    ("note", {"text": "x", "key": "k" * 201}, "key: is longer than 200 characters"),
    ("findings", {"text": "\x01" * 150_000, "cause": "\x01" * 150_000}, "at most 1,500,000 are taken"),
    ("resolve", {"outcome": "maybe"}, "outcome: must be 'upheld'"),
    ("reclassify", {"text": "x", "reason": "misjudged", "level": "9"}, "Unknown level '9'"),
    ("reclassify", {"text": "x", "reason": "misjudged", "category": "weather"}, "Unknown category 'weather'"),
    ("reclassify", {"text": "x", "reason": "misjudged", "kind": "rant"}, "kind: must be 'complaint'"),
    ("reclassify", {"text": "x", "reason": "new_facts", "level": "3", "known_at": SOON}, "at most 2 minutes ahead"),
    ("hand_over", {"to": "nobody"}, "Unknown role 'nobody'"),
    ("acknowledge", {"notices": ["none"]}, "Unknown notice 'none'"),
    ("note", raw(b"{no"), "`note` takes one argument: an object"),
    ("note", raw(b'{"text": ' + DEEP + b"}"), "`note` takes one argument: an object"),
    ("note", raw(b'{"text": "\\ud800"}'), "`note` takes one argument: an object"),
    ("note", raw(b'{"text": NaN}'), "text: must be a valid string"),
    ("note", raw(b"{}", b"binary/plain"), "`note` takes one argument: an object"),
]
"""A command, its argument, and what its refusal must say."""


async def test_a_bad_command_is_refused_as_an_update_and_recorded_as_a_signal(system: System) -> None:
    """An update gets the reason and writes nothing; a signal, which nobody waits for, becomes an entry with it."""
    reference = new()
    handle = await begin(system, reference, start_of(reference))
    await handle.execute_update("note", {"text": "Begun."})
    await eventually(lambda: system.rows("SELECT 1 FROM ledger WHERE type = 'noted'"))
    before = await written(system)
    for command, body, reason in COMMANDS:
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await asyncio.wait_for(handle.execute_update(command, body), 60)
        assert reason in str(caught.value.cause)
    assert await written(system) == before
    for command, body, _ in COMMANDS:
        await handle.signal(command, body)
    await handle.signal("shout", {})
    await handle.signal("notice_outcome", {"notice": "none", "accepted": True, "at": "0001-01-01T00:00:00Z"})
    await handle.execute_update("note", {"text": "After all of them."})
    await eventually(lambda: system.rows("SELECT 1 FROM ledger WHERE type = 'noted' OFFSET 1"))
    refused = await system.rows("SELECT body FROM ledger WHERE type = 'refused' ORDER BY seq")
    said = [row["body"]["data"]["reason"] for row in refused]
    assert len(said) == len(COMMANDS) + 2
    assert [reason for (_, _, reason), got in zip(COMMANDS, said, strict=False) if reason not in got] == []
    assert said[-2] == "There is no command 'shout'. docs/commands.md has them all."
    await unharmed(handle)


async def test_what_temporal_itself_refuses_harms_nothing(system: System, ombud: Cli) -> None:
    """More than 2 MB is turned away at the door, by Temporal or by the command line; the complaint goes on."""
    large, name = "x" * 2_500_000, new()
    with pytest.raises(RPCError):
        await begin(system, name, start_of(name, content=large))
    handle = await begin(system, name, start_of(name))
    with pytest.raises(RPCError):
        await handle.signal("note", {"text": large})
    ended = await ombud("tell", f"maintenance-service/{name}", "note", "--text", "-", stdin=large)
    assert ended.code == 1
    assert "larger than any input taken here" in ended.err
    await handle.execute_update("note", {"text": "Still here."})
    await unharmed(handle)
    with pytest.raises(RPCError):
        await handle.execute_update("note", {"text": large})
    # The server lets such an update through to the worker, whose refusal repeats it and is too large in turn: the
    # task fails twice, the server drops the update, and the complaint goes on by itself.
    await eventually(lambda: _answers(handle), 60)


async def _answers(handle: Handle) -> bool:
    try:
        await handle.execute_update("note", {"text": "Here again."})
    except RPCError:
        return False
    return True


async def test_a_closed_or_unknown_complaint_takes_nothing(system: System, ombud: Cli) -> None:
    """The command line answers for both, from the record where Temporal no longer runs the complaint."""
    name = new()
    start = start_of(name, kind="enquiry", category="usage", level="1")
    handle = await begin(system, name, start)
    await handle.execute_update("answer", {"text": "Press it."})
    await handle.execute_update("accept", {})
    await handle.result()
    before = await written(system)
    for durable in ((), ("--durable",)):
        for reference, reason in ((name, "It was closed at"), ("none", "There is no complaint")):
            ended = await ombud("tell", f"maintenance-service/{reference}", "respond", "--text", "x", *durable)
            assert (ended.code, ended.out) == (1, "")
            assert reason in ended.err
    code, said = await temporal(
        system,
        *("workflow", "update", "execute", "--workflow-id", "complaint/maintenance-service/none"),
        *("--name", "note", "--input", '{"text": "x"}'),
    )
    assert code == 1
    assert "not found" in said
    assert await written(system) == before


async def test_the_bare_temporal_command_line_shows_the_reason(system: System) -> None:
    """Whoever starts or commands a complaint with Temporal's own tool reads the same reasons, and gets exit code 1."""
    queue, name = system.settings.task_queue, new()
    for number, body in enumerate(('{"contract": "maintenance-service"}', "{}", '"words"', "[]")):
        bad = f"complaint/maintenance-service/{name}-{number}"
        code, said = await temporal(
            system,
            *("workflow", "execute", "--type", "Complaint", "--task-queue", queue),
            *("--workflow-id", bad, "--input", body),
        )
        assert code == 1
        assert "The start of a complaint is not valid" in said
    code, said = await temporal(
        system,
        *("workflow", "start", "--type", "Complaint", "--task-queue", queue),
        *("--workflow-id", f"complaint/maintenance-service/{name}", "--input", json.dumps(start_of(name))),
    )
    assert code == 0
    for command, body, reason in (
        ("accept", "{}", "accept comes after resolve"),
        ("note", '{"text": ""}', "text: is empty"),
        ("note", '"words"', "`note` takes one argument: an object"),
    ):
        code, said = await temporal(
            system,
            *("workflow", "update", "execute", "--workflow-id", f"complaint/maintenance-service/{name}"),
            *("--name", command, "--input", body),
        )
        assert code == 1
        assert reason in said
    await unharmed(system.client.get_workflow_handle(f"complaint/maintenance-service/{name}"))


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (b'{"content": "cut', "holds no JSON"),
        (b"[" * 100_000, "holds no JSON"),
        (b'{"content": "\\ud800"}', "holds no JSON"),
        (b'{"content": "\xff"}', "is not UTF-8"),
        (b'["content"]', "must hold one JSON object"),
        (b'{"content": NaN}', "content: must be a valid string"),
        (b'\xef\xbb\xbf{"content": " "}', "content: is empty"),
        (b"x" * 1_700_000, "is larger than any input taken here"),
    ],
    ids=lambda value: str(value)[:24],
)
async def test_malformed_json_from_a_file(ombud: Cli, tmp_path: Path, file: bytes, reason: str) -> None:
    """`ombud open --json` says what is wrong with the file in one line and ends with 1."""
    (tmp_path / "start.json").write_bytes(file)
    fields = ("--contract", "maintenance-service", "--reference", "R-1", "--kind", "complaint", "--channel", "wechat")
    ended = await ombud("open", *fields, "--json", "start.json")
    assert (ended.code, ended.out) == (1, "")
    assert reason in ended.err
    assert len(ended.err.strip().splitlines()) == 1


async def test_an_argument_that_is_no_text_is_wrong_usage(ombud: Cli) -> None:
    """Bytes of another encoding in the terminal are told apart from a refusal: exit code 2, one line."""
    for arguments in (("show", "a/\udcff"), ("list", "--contract", "\udcff"), ("tell", "a/\udcff", "note")):
        ended = await ombud(*arguments)
        assert ended.code == 2
        assert "write it in UTF-8" in ended.err


async def test_nobody_behind_a_role_is_on_record_at_once(system: System) -> None:
    """Without a directory every notice is undeliverable at once, stands in the queue, and holds no clock up."""
    async with system.engine.begin() as connection:
        await connection.exec_driver_sql("DELETE FROM holders")
    handle = await system.open("demo", new())
    await eventually(lambda: system.rows("SELECT 1 FROM ledger WHERE type = 'notice_undeliverable'"), 60)
    assert (await handle.execute_update("note", {"text": "Still here."}))["event"] == "noted"
    await unharmed(handle)


NOT_UTF8, NESTED = b"\x96\xff", b"[" * 20_000


@pytest.mark.parametrize(
    "file", [b"a: [", b"[]", b"words", b"a: \x01", b"at: 2026-13-45", b"a: &a [*a]", NOT_UTF8, NESTED]
)
async def test_a_malformed_file_is_one_message(ombud: Cli, tmp_path: Path, file: bytes) -> None:
    """As a map, a directory or a contract: YAML that is none, or says something else, is named with its fault."""
    (tmp_path / "bad.yaml").write_bytes(file)
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    for arguments in (
        ("import", "rows.csv", "--contract", "demo", "--map", "bad.yaml"),
        ("directory", "import", "bad.yaml"),
        ("contract", "check", "bad.yaml"),
        ("contract", "publish", "bad.yaml", "--effective", "2026-01-01"),
        ("due", "bad.yaml", "--received", "2026-11-20T17:50:00+08:00"),
    ):
        ended = await ombud(*arguments)
        assert ended.code == 1, arguments
        assert "bad.yaml" in ended.err + ended.out


async def test_a_table_with_faults_gives_up_only_those_rows(system: System, ombud: Cli, tmp_path: Path) -> None:
    """Each bad row stands among the rejects with its line and reason, and the good ones become complaints."""
    good, another = new(), new()
    (tmp_path / "map.yaml").write_text(
        "contract: demo\nkind: enquiry\nreference: {column: ref}\nchannel: app\ncontent: {column: text}\n"
        "received: {column: at, zone: Asia/Shanghai, time: '09:00'}\n"
    )
    rows = [
        f"{good},hello,2026-11-20",
        '"X"x,cut,2026-11-20',
        f"{another},nul\x00here,2026-11-20",
        "I4,x,9999-12-31",
        "I5,,2026-11-20",
        "I/6,x,2026-11-20",
        "I7,x",
        "I8,x,2026-02-30",
        f"{good},other words,2026-11-20",
        "I10,x,2026-11-20,more",
    ]
    (tmp_path / "rows.csv").write_text("\n".join(["ref,text,at", *rows]) + "\n")
    ended = await ombud("import", "rows.csv", "--contract", "demo", "--map", "map.yaml", "--rejects", "out.csv")
    assert ended.code == 1
    assert "started: 2" in ended.out
    rejects = (tmp_path / "out.csv").read_text().splitlines()[1:]
    lines = {int(line.partition(",")[0]) for line in rejects}
    assert len(rejects) == 8
    assert lines - {2, 10} == {3, 5, 6, 7, 8, 9, 11}  # of two rows with one reference either is first
    await eventually(lambda: _rows(system, "SELECT id FROM complaints", 2))


async def _rows(system: System, query: str, expected: int) -> bool:
    return len(await system.rows(query)) == expected


async def test_a_contract_cannot_be_in_force_since_nowhen(ombud: Cli, tmp_path: Path) -> None:
    """A date that no calendar or database holds is refused by name."""
    contract = str(SHIPPED[0])
    for since in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0026-01-01"):
        ended = await ombud("contract", "publish", contract, "--effective", since)
        assert ended.code == 1
        assert "look for a mistyped year" in ended.err
