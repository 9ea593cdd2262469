"""A leak is a case of its own, and the other side hears of it at once (rules 116, 117)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

from rules.commands import Contact
from rules.values import Actor
from starter.client import Ombud
from tests.starter.conftest import Cli
from tests.support.smtp import SmtpSink
from tests.support.system import System
from tests.support.wait import eventually

OTHER_SIDE, MANAGER = "gao.jie@example.com", "maya.brandt@example.com"
NAME = "Ms-Wexford-of-Larkspur-Lane"


async def test_the_other_side_is_told_at_once(system: System, ombud: Ombud, cli: Cli, smtp_sink: SmtpSink) -> None:
    """Reported, both sides get a mail with the clause and without a word of what leaked; the call meets the clock."""
    done = await cli(
        "leak", "report", "maintenance-service", "--reference", "leak-1",
        "--text", f"The list with {NAME} was sent to a stranger.", "--by", "handler.owner/chen.lin",
    )  # fmt: skip
    assert done.out.startswith("reported: maintenance-service/leak-1\n"), done.err
    for address in (OTHER_SIDE, MANAGER):
        mail = await eventually(partial(_told, smtp_sink, address))
        assert "leak-1" in mail
        assert "Notice of a leak" in mail
        assert NAME not in mail
    notices = await system.rows("SELECT role, urgent FROM notices WHERE clock = 'leak_notice#1' AND rung = 'due'")
    assert {row["role"] for row in notices} == {"principal.responsible_person", "handler.manager"}
    assert all(row["urgent"] for row in notices)
    called = Contact(role="principal.responsible_person", outcome="reached", by=Actor(role="handler.manager"))
    await ombud.tell("maintenance-service/leak-1", called)

    async def over() -> bool:
        clock = await system.rows("SELECT * FROM clocks WHERE obligation = 'leak_notice'")
        return clock[0]["clause"] == "D 附四.3" and clock[0]["late_seconds"] is not None

    await eventually(over)
    (contact,) = await system.rows("SELECT status FROM clocks WHERE obligation = 'principal_contact'")
    assert contact["status"] == "met"


async def test_a_leak_that_was_known_before(system: System, cli: Cli) -> None:
    """Told since when it was known, the clock counts from then; nobody is told twice of the rungs that have passed."""
    since = (datetime.now(UTC) - timedelta(minutes=30)).isoformat()
    done = await cli(
        "leak", "report", "maintenance-service", "--text", "x", "--by", "principal", "--known-since", since
    )
    name = done.out.splitlines()[0].removeprefix("reported: ")
    assert name.startswith("maintenance-service/leak-"), done.err
    (clock,) = await eventually(
        lambda: system.rows(
            "SELECT started_at FROM clocks WHERE complaint = :c AND clause = 'D 附四.3' AND missed_at IS NOT NULL",
            c=name,
        )
    )
    assert clock["started_at"] == datetime.fromisoformat(since)
    told = await system.rows(
        "SELECT role FROM notices WHERE complaint = :c AND clock = 'leak_notice#1' ORDER BY role", c=name
    )
    assert [row["role"] for row in told] == ["handler.director", "handler.manager", "principal.responsible_person"]


async def test_a_contract_without_such_a_category(cli: Cli) -> None:
    """Where the contract has no place for leaks that is said, with the categories it has."""
    done = await cli("leak", "report", "consumer-finance", "--text", "x", "--by", "handler")
    assert done.code == 1
    assert "Unknown category 'data_leak'; the contract has bank_account" in done.err


def _told(sink: SmtpSink, address: str) -> str:
    """The mails to somebody that speak of the clause, in one."""
    parts = [
        str(part.get_content())
        for mail in sink.messages
        if mail.recipients == (address,)
        for part in [mail.message.get_body(("plain",))]
        if part is not None
    ]
    return "\n".join(text for text in parts if "D 附四.3" in text)
