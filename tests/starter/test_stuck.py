"""`ombud stuck retry` and `ombud stuck give-up`, against the whole of Ombud."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from rules.ledger import Entry
from starter.client import Ombud
from storage.rebuild import rebuild
from tests.starter.conftest import Cli
from tests.support.smtp import NO_SUCH_USER, OK, TRY_LATER, SmtpSink
from tests.support.system import System
from tests.support.wait import eventually

LATE = {"kind": "complaint", "level": "2", "received_at": datetime.now(UTC) - timedelta(days=4)}
BY = ("--by", "handler.manager/p.anna", "--reason", "I told her on the phone.")


async def test_what_was_refused_is_sent_once_the_server_takes_it(system: System, cli: Cli, smtp_sink: SmtpSink) -> None:
    """A message refused for good is sent once more as it was, under the same Message-ID; both are on record."""
    smtp_sink.default = NO_SUCH_USER
    await system.open("maintenance-service", "U-1", **LATE)
    await eventually(lambda: system.rows("SELECT 1 FROM messages WHERE state = 'undeliverable'"))
    await eventually(lambda: _none(system, "SELECT 1 FROM notices WHERE state IN ('planned', 'claimed')"))
    listed = await cli("stuck")
    assert listed.code == 1
    assert "undeliverable notice" in listed.out
    again = await cli("stuck", "retry", "--all", "--what", "undeliverable notice", "--contract", "maintenance-service")
    assert again.code == 0, again.out
    await eventually(lambda: system.rows("SELECT 1 FROM messages WHERE attempts > 1"))
    assert await _settled(system, "undeliverable"), "the server still refuses it"
    smtp_sink.default = OK
    assert (await cli("stuck", "retry", "--all")).code == 0
    assert await _settled(system, "accepted")
    assert not await system.rows("SELECT 1 FROM notices WHERE state = 'undeliverable'")
    sent = {mail.message["Message-ID"] for mail in smtp_sink.messages}
    carriers = await system.rows("SELECT id FROM messages")
    assert len(sent) == len(carriers)
    types = await system.rows("SELECT type FROM ledger WHERE stream = 'message/' || :id ORDER BY seq", **carriers[0])
    story = ["claimed", "undeliverable", "retried", "undeliverable", "retried", "accepted"]
    assert [row["type"] for row in types] == story
    assert await rebuild(system.engine, apply=False) == []


async def test_a_notice_that_is_given_up_lets_its_ladder_go_on(system: System, cli: Cli, smtp_sink: SmtpSink) -> None:
    """A mail server that is down for long: given up, on record with who and why, the mail is not sent any more, and
    what waits for an acknowledgement fires at once (invariant 13)."""
    smtp_sink.default = TRY_LATER
    handle = await system.open("maintenance-service", "W-1", **LATE)
    await eventually(lambda: system.rows("SELECT 1 FROM messages WHERE attempts > 0"))
    waiting = await system.rows("SELECT key, clock FROM notices WHERE state = 'claimed' ORDER BY key")
    assert (await cli("stuck", "give-up", "nothing/like/this", *BY)).code == 1
    given = await cli("stuck", "give-up", *(row["key"] for row in waiting), *BY)
    assert given.code == 0, given.out
    state = await handle.query("state")
    lost = {n["key"] for n in state["notices"] if n["undeliverable_at"]}
    assert {row["key"] for row in waiting} <= lost
    entries = [Entry.model_validate(row["body"]) for row in await system.rows(
        "SELECT body FROM ledger WHERE type = 'given_up' ORDER BY seq"
    )]  # fmt: skip
    assert {(e.by.role, e.by.person, e.via) for e in entries} == {("handler.manager", "p.anna", "cli")}
    assert all(e.content for e in entries), "why lies apart, sealed"
    carried = "SELECT 1 FROM messages m WHERE state = 'claimed' AND NOT EXISTS "
    carried += "(SELECT FROM notices WHERE message = m.id AND given_up_at IS NULL)"
    await eventually(lambda: _none(system, carried))
    still = await cli("stuck", "--minutes", "0", "--json")
    assert not any(row["key"] in still.out for row in waiting)
    assert await rebuild(system.engine, apply=False) == []
    again = await cli("stuck", "give-up", waiting[0]["key"], *BY)
    assert again.code == 1
    assert "Not stuck" in again.err


async def test_what_was_refused_for_good_is_dealt_with(system: System, cli: Cli, ombud: Ombud) -> None:
    """A refused signal and a rejected start leave the queue with who dealt with them, and cannot be retried."""
    handle = await system.open("maintenance-service", "S-1", **LATE)
    await handle.signal("respond", {"nonsense": 1})
    bad = "complaint/maintenance-service/bad"
    await system.client.start_workflow("Complaint", {}, id=bad, task_queue=system.settings.task_queue)
    await eventually(lambda: system.rows("SELECT 1 FROM rejects"))
    (refused,) = await eventually(lambda: system.rows("SELECT seq FROM ledger WHERE type = 'refused'"))
    signal = f"maintenance-service/S-1#{refused['seq']}"
    await handle.signal("respnd", {"text": "We call you."})
    misspelt = "SELECT 1 FROM ledger WHERE type = 'refused' HAVING count(*) = 2"
    await eventually(lambda: system.rows(misspelt))
    listed = await cli("stuck", "--minutes", "100000", "--json")
    whys = {item["where"]: item["why"] for item in json.loads(listed.out)}
    assert whys.pop(signal).startswith("respond: ")
    unknown = "respnd: There is no command 'respnd'; did you mean respond? docs/commands.md has them all."
    assert unknown in whys.values()
    tried = await cli("stuck", "retry", signal, bad)
    assert tried.code == 1
    assert "give this one up" in tried.out
    given = await cli("stuck", "give-up", signal, bad, *BY)
    assert given.code == 0, given.out
    await eventually(lambda: system.rows("SELECT 1 FROM ledger WHERE type = 'given_up'"))
    after = await cli("stuck", "--minutes", "100000")
    assert signal not in after.out
    assert bad not in after.out
    (row,) = await system.rows("SELECT given_up_by FROM rejects")
    assert row["given_up_by"] == "p.anna"
    stranger = await cli("stuck", "give-up", "--all", "--by", "nobody", "--reason", "x", "--what", "waiting notice")
    assert stranger.code in (0, 1)
    assert "Traceback" not in stranger.err


async def test_a_waiting_mail_is_tried_at_once(system: System, cli: Cli, smtp_sink: SmtpSink) -> None:
    """Whoever has mended the mail server does not wait for the next try."""
    smtp_sink.default = TRY_LATER
    await system.open("maintenance-service", "T-1", **LATE)
    (message,) = (await eventually(lambda: system.rows("SELECT id, person FROM messages WHERE attempts > 1")))[:1]
    smtp_sink.default = OK
    (key,) = await system.rows("SELECT key FROM notices WHERE message = :id ORDER BY key LIMIT 1", id=message["id"])
    tried = await cli("stuck", "retry", key["key"])
    assert tried.code == 0
    assert message["person"] in tried.out
    await eventually(lambda: system.rows("SELECT 1 FROM messages WHERE state = 'accepted'"))


async def _none(system: System, query: str) -> bool:
    return not await system.rows(query)


async def _settled(system: System, state: str) -> Any:
    """Until every message came to this end."""

    async def all_there() -> bool:
        states = {row["state"] for row in await system.rows("SELECT state FROM messages")}
        waits = await system.rows("SELECT 1 FROM notices WHERE state IN ('planned', 'claimed')")
        return states == {state} and not waits

    return await eventually(all_there)
