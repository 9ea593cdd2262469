"""`ombud webhook`: subscriptions are made, tried, paused, rotated, replayed and removed, and each step is on record."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator

import pytest
from standardwebhooks.webhooks import Webhook as Library

from starter.client import Ombud
from tests.starter.conftest import Cli, opening
from tests.support.receiver import Receiver
from tests.support.system import System
from tests.support.wait import eventually

ALLOWED = {"OMBUD_WEBHOOK_ALLOW": "127.0.0.1"}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A server that takes webhooks."""
    made = Receiver()
    await made.start()
    yield made
    await made.stop()


async def added(cli: Cli, receiver: Receiver, *options: str, stdin: str = "") -> tuple[str, str]:
    """Id and output of a new subscription."""
    made = await cli("webhook", "add", receiver.url, *options, "--by", "p.ops", stdin=stdin, **ALLOWED)
    assert made.code == 0, made.err
    found = re.search(r"Webhook (\w+)", made.out)
    assert found
    return found[1], made.out


async def test_from_adding_to_removing(cli: Cli, system: System, receiver: Receiver) -> None:
    """The secret shown once signs the test call; list shows where it goes without the token; the record has names."""
    hook, out = await added(cli, receiver, "--contract", "maintenance-service")
    found = re.search(r"whsec_\S+", out)
    assert found
    tested = await cli("webhook", "test", hook, **ALLOWED)
    assert (tested.code, tested.out) == (0, f"http://127.0.0.1:{receiver.port} took it.\n")
    (call,) = receiver.calls
    assert Library(found[0]).verify(call.body, call.headers)["type"] == "ombud.webhook.test"
    listed = await cli("webhook", "list")
    assert hook in listed.out
    assert "planted-token-1" not in listed.out + out
    assert found[0] not in listed.out
    rotated = await cli("webhook", "rotate", hook, "--by", "p.ops")
    fresh = re.search(r"whsec_\S+", rotated.out)
    assert fresh
    assert fresh[0] != found[0]
    await cli("webhook", "test", hook, **ALLOWED)
    for secret in (found[0], fresh[0]):
        Library(secret).verify(receiver.calls[-1].body, receiver.calls[-1].headers)
    assert (await cli("webhook", "pause", hook, "--by", "p.ops")).code == 0
    again = await cli("webhook", "pause", hook, "--by", "p.ops")
    assert (again.code, again.err) == (1, f"ombud: Webhook {hook} is paused already.\n")
    (row,) = json.loads((await cli("webhook", "list", "--json")).out)
    assert (row["state"], row["paused_why"], row["contract"]) == ("paused", "asked", "maintenance-service")
    assert (await cli("webhook", "resume", hook, "--by", "p.ops")).code == 0
    assert (await cli("webhook", "remove", hook, "--by", "p.ops")).code == 0
    gone = await cli("webhook", "test", hook)
    assert (gone.code, gone.err) == (
        1,
        f"ombud: There is no webhook {hook}; `ombud webhook list` names them.\n",
    )
    entries = await system.rows("SELECT type, body FROM ledger WHERE stream = :s ORDER BY seq", s=f"webhook/{hook}")
    assert [row["type"] for row in entries] == ["subscribed", "rotated", "paused", "resumed", "unsubscribed"]
    assert {row["body"]["by"]["person"] for row in entries} == {"p.ops"}


async def test_a_test_call_says_what_became_of_it(cli: Cli, receiver: Receiver) -> None:
    """A receiver that refuses, and an address the settings do not allow, end with 1 and the reason."""
    hook, _ = await added(cli, receiver)
    receiver.default = 401
    refused = await cli("webhook", "test", hook, **ALLOWED)
    assert (refused.code, refused.err) == (1, f"ombud: http://127.0.0.1:{receiver.port} did not take it: HTTP 401\n")
    forbidden = await cli("webhook", "test", hook)
    assert forbidden.code == 1
    assert "OMBUD_WEBHOOK_ALLOW" in forbidden.err


async def test_a_group_robot_needs_no_secret_of_ours(cli: Cli, receiver: Receiver) -> None:
    """A robot's own secret is taken from standard input; it signs the test message; its refusal is told."""
    receiver.said = b'{"errcode":0}'
    options = ("--format", "dingtalk", "--contract", "maintenance-service", "--secret", "-")
    hook, out = await added(cli, receiver, *options, stdin="SECplanted\n")
    assert "clock.warned, clock.missed" in out
    assert "SECplanted" not in out
    assert (await cli("webhook", "test", hook, **ALLOWED)).code == 0
    assert receiver.calls[0].json["markdown"]["text"] == "Test: Ombud reaches this group."
    assert "sign=" in receiver.calls[0].target
    receiver.said = b'{"errcode":310000,"errmsg":"sign not match"}'
    refused = await cli("webhook", "test", hook, **ALLOWED)
    assert (refused.code, "310000: sign not match" in refused.err) == (1, True)
    none = await cli("webhook", "rotate", hook)
    assert "give it with --secret" in none.err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("http://example.com/x",), "without TLS"),
        (("https://10.0.0.1/x",), "not a public address"),
        (("https://u:p@example.com/x",), "user name or password"),
        (("https://example.com/x", "--format", "teams"), "none of cloudevents, wecom"),
        (("https://example.com/x", "--event", "clock.late"), "none of complaint.opened"),
        (("https://example.com/x", "--contract", "nothing"), "No contract nothing is published"),
        (("https://example.com/x", "--secret", "short"), "24 to 64 random bytes"),
        (("https://example.com/x", "--by", "Jo Do"), "must begin with a letter"),
    ],
)
async def test_a_mistake_is_told_and_nothing_is_stored(
    cli: Cli, system: System, arguments: tuple[str, ...], why: str
) -> None:
    """Each mistake ends with 1 and one clear message."""
    ended = await cli("webhook", "add", *arguments)
    assert ended.code == 1
    assert why in ended.err
    assert await system.rows("SELECT 1 FROM webhooks") == []


async def test_a_replay_is_given_by_position_or_time(
    cli: Cli, ombud: Ombud, system: System, receiver: Receiver
) -> None:
    """Both lead to a position; what lies ahead or was never recorded is refused."""
    hook, _ = await added(cli, receiver)
    opened = await ombud.open(opening())
    await eventually(lambda: system.rows("SELECT 1 FROM ledger WHERE stream LIKE 'complaint/%'"))
    since = await cli("webhook", "replay", hook, "--from", "2020-01-01T00:00:00+08:00")
    assert (since.code, since.out) == (0, f"Webhook {hook} is sent everything from position 1 on.\n")
    assert (await cli("webhook", "replay", hook, "--from", "1")).code == 0
    for given, why in (
        ("2199-01-01T00:00:00Z", "Nothing was recorded since"),
        ("2026-01-01", "has no offset"),
        ("2", "--skip"),
        ("4711", "has no position 4711"),
    ):
        ended = await cli("webhook", "replay", hook, "--from", given)
        assert ended.code == 1
        assert why in ended.err, ended.err
    assert (await cli("webhook", "replay", hook, "--from", "2", "--skip")).code == 0
    await system.client.get_workflow_handle(opened.workflow_id).terminate()
