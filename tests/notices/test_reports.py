"""What mail servers tell later of a mail: read from real reports of Postfix and odd ones, recorded once."""

from __future__ import annotations

import asyncio
import imaplib
import mailbox
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from deploy.ports import free_port
from starter.bounces import Intake
from starter.delivery_reports import read_report
from starter.mailboxes import MailboxError, opened
from storage.database import transaction
from storage.ledger import message_stream
from storage.rebuild import rebuild
from tests.support.desk import Desk, missed
from tests.support.wait import eventually

REPORTS = Path(__file__).parent / "reports"
ID = "0123456789abcdef0123456789abcdef01234567"


def report(name: str, id_: str = ID) -> bytes:
    """A report as it came from a real server, about the message of this id."""
    return (REPORTS / f"{name}.eml").read_bytes().replace(b"@ID@", id_.encode())


@pytest.mark.parametrize(
    ("name", "became", "status", "said"),
    [
        ("postfix-bounced", "bounced", "5.1.1", "550 5.1.1 <…>: no such user here"),
        ("postfix-expired", "bounced", "4.4.1", "connect to 127.0.0.1[127.0.0.1]:24114: Connection refused"),
        ("postfix-delayed", "delayed", "4.4.1", "connect to 127.0.0.1[127.0.0.1]:24114: Connection refused"),
        ("postfix-relayed", "relayed", "2.0.0", "250 2.0.0 taken"),
        ("postfix-delivered", "delivered", "2.0.0", "delivery via virtual: delivered to mailbox"),
        ("qmail-bounced", "bounced", "", "the mail came back, in a form of the server's own"),
        ("list-of-two", "delivered", "2.0.0", ""),
    ],
)
def test_a_report_is_read(name: str, became: str, status: str, said: str) -> None:
    """What became of which message, with the server's words and no address in them."""
    found = read_report(report(name))
    assert found is not None
    assert (found.became, found.status, found.said) == (became, status, said)
    assert found.messages[0] == ID
    assert "ann@" not in found.said
    assert read_report(report(name)) == found


def test_a_strangers_report_brings_in_no_more_than_a_report_has() -> None:
    """A status that is none is left out, and the server's words lose what no database or terminal takes."""
    raw = (REPORTS / "postfix-bounced.eml").read_bytes()
    raw = re.sub(rb"(?m)^Status: .*$", b"Status: " + b"5" * 9_000, raw)
    raw = re.sub(rb"(?m)^Diagnostic-Code: .*$", b"Diagnostic-Code: smtp; no\x00such \x1b[31muser", raw)
    found = read_report(raw)
    assert found is not None
    assert (found.became, found.status) == ("bounced", "")
    assert found.said.startswith("no such [31muser")
    assert found.said.isprintable()


def test_without_an_envelope_id_the_mail_sent_back_tells() -> None:
    """A server that was not asked for reports sends back the headers, which name the message."""
    raw = report("postfix-bounced").replace(b"Original-Envelope-Id: " + ID.encode() + b"\r\n", b"")
    assert b"Original-Envelope-Id" not in raw
    found = read_report(raw)
    assert found is not None
    assert found.messages == (ID,)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe\x00 nothing",
        b"Subject: Out of office\r\nIn-Reply-To: <%s@ombud.example.com>\r\n\r\nI am away until Monday.\r\n"
        % ID.encode(),
        b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n--b--",
        (
            b"Content-Type: multipart/report; boundary=b; report-type=disposition-notification\r\n\r\n--b\r\n"
            b"Content-Type: message/disposition-notification\r\n\r\nDisposition: manual-action; displayed\r\n--b--"
        ),
    ],
)
def test_other_mail_is_no_report(raw: bytes) -> None:
    """Rubbish, notes of absence, receipts of reading and broken reports say nothing of a delivery."""
    assert read_report(raw) is None


async def sent(desk: Desk) -> str:
    """A mail to cy that the server took; its id."""
    await desk.record(missed())
    await desk.deliver("cy")
    (row,) = await desk.rows("SELECT id FROM messages")
    return str(row["id"])


async def standing(desk: Desk) -> tuple[str, str]:
    """The states of the one message and of the notice that cy got."""
    (row,) = await desk.rows(
        "SELECT m.state AS message, n.state AS notice FROM messages m JOIN notices n ON n.message = m.id"
    )
    return row["message"], row["notice"]


async def test_delivered_is_on_record_with_its_proof(desk: Desk) -> None:
    """Accepted becomes delivered only by a report, which is kept byte for byte, unreadable in the database."""
    id_ = await sent(desk)
    assert await standing(desk) == ("accepted", "accepted")
    raw = report("postfix-delivered", id_)
    intake = Intake(desk.engine, desk.settings)
    assert await intake.take(raw) == "delivered"
    assert await standing(desk) == ("delivered", "delivered")
    assert intake.told == set()
    async with transaction(desk.engine) as connection:
        kept = (await desk.vault.read(connection, message_stream(id_)))[3]["mail"]
    assert kept.encode("latin-1") == raw
    assert await rebuild(desk.engine, apply=False) == []


async def test_a_bounce_undoes_what_was_accepted_and_the_complaint_hears_of_it(desk: Desk) -> None:
    """Its notice is undeliverable from then on, the complaint is told, and reading the report again changes nothing."""
    story = missed()
    listener = await desk.listen(story)
    id_ = await sent(desk)
    raw = report("postfix-bounced", id_)
    intake = Intake(desk.engine, desk.settings)
    assert await intake.take(raw) == "bounced"
    assert intake.told == {"cy"}
    assert await standing(desk) == ("bounced", "bounced")
    assert await intake.take(raw) == "known"
    assert await intake.take(report("postfix-expired", id_)) == "known"
    (row,) = await desk.rows("SELECT * FROM messages")
    assert row["undeliverable_at"] == row["bounced_at"] is not None
    assert row["accepted_at"] is not None
    assert row["reason"] == "5.1.1 550 5.1.1 <…>: no such user here"

    await desk.deliver("cy")

    async def heard() -> list[dict[str, object]]:
        told: list[dict[str, object]] = await listener.query("heard")
        return told

    (outcome,) = await eventually(heard)
    assert (outcome["accepted"], outcome["reason"]) == (False, row["reason"])
    assert await rebuild(desk.engine, apply=False) == []


async def test_what_is_only_under_way_changes_no_state(desk: Desk) -> None:
    """Delayed and relayed are on record, and the message stays accepted."""
    id_ = await sent(desk)
    intake = Intake(desk.engine, desk.settings)
    assert await intake.take(report("postfix-delayed", id_)) == "delayed"
    assert await intake.take(report("postfix-relayed", id_)) == "relayed"
    assert await intake.take(report("postfix-delayed", id_)) == "known"
    assert await standing(desk) == ("accepted", "accepted")
    types = await desk.rows("SELECT type FROM ledger WHERE stream LIKE 'message/%' ORDER BY seq")
    assert [row["type"] for row in types] == ["claimed", "accepted", "delayed", "relayed"]
    assert await rebuild(desk.engine, apply=False) == []


async def test_delivered_and_then_back_counts_as_back(desk: Desk) -> None:
    """A mail that was forwarded and came back did not arrive, in whichever order the reports come."""
    id_ = await sent(desk)
    intake = Intake(desk.engine, desk.settings)
    assert await intake.take(report("postfix-delivered", id_)) == "delivered"
    assert await intake.take(report("postfix-bounced", id_)) == "bounced"
    assert await standing(desk) == ("bounced", "bounced")


async def test_a_report_of_somebody_elses_mail(desk: Desk) -> None:
    """A message that was never written here is unknown, and nothing is recorded."""
    await sent(desk)
    assert await Intake(desk.engine, desk.settings).take(report("postfix-bounced")) == "unknown"
    assert await standing(desk) == ("accepted", "accepted")


async def test_a_report_may_outrun_the_servers_own_answer(desk: Desk) -> None:
    """While the answer is not on record the report waits, and takes no place in the ledger that belongs to it."""
    await desk.record(missed())
    await desk.deliver("cy")
    (row,) = await desk.rows("SELECT id FROM messages")
    await desk.rows("UPDATE messages SET accepted_at = NULL RETURNING id")
    intake = Intake(desk.engine, desk.settings)
    assert await intake.take(report("postfix-bounced", row["id"])) == "early"
    await desk.rows("UPDATE messages SET accepted_at = now() RETURNING id")
    assert await intake.take(report("postfix-bounced", row["id"])) == "bounced"


Boxes = Callable[[list[bytes]], Awaitable[str]]


@pytest.fixture(params=["maildir", "mbox", "imap"])
async def filled(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Boxes]:
    """Puts mails into a mailbox of each kind; its URL."""
    servers: list[asyncio.subprocess.Process] = []

    async def fill(mails: list[bytes]) -> str:
        if request.param == "imap":
            port = free_port()
            servers.append(await imap_server(port))
            await eventually(lambda: put_by_imap(port, mails))
            return f"imap://user:p%40ss@127.0.0.1:{port}/Bounces"
        path = tmp_path / "box"
        with closing(mailbox.mbox(path) if request.param == "mbox" else mailbox.Maildir(path)) as box:
            for raw in mails:
                box.add(raw)
        return f"{request.param}:{path}"

    yield fill
    for server in servers:
        server.terminate()
        await server.wait()


async def imap_server(port: int) -> asyncio.subprocess.Process:
    """An IMAP server that keeps its mail in memory, with some of its own in INBOX."""
    program = str(Path(sys.executable).parent / "pymap")
    user = ("dict", "--demo-data", "--demo-user", "user", "--demo-password", "p@ss")
    quiet = asyncio.subprocess.DEVNULL
    return await asyncio.create_subprocess_exec(
        *(program, "--no-tls", "--host", "127.0.0.1", "--port", str(port), *user), stdout=quiet, stderr=quiet
    )


def put_by_imap(port: int, mails: list[bytes]) -> bool:
    """Puts mails into a new folder; false while the server does not listen yet."""
    try:
        server = imaplib.IMAP4("127.0.0.1", port, timeout=10)
    except OSError:
        return False
    with server:
        server.login("user", "p@ss")
        server.create("Bounces")
        for raw in mails:
            server.append("Bounces", "", imaplib.Time2Internaldate(time.time()), raw)
    return True


async def test_a_mailbox_is_read_once(desk: Desk, filled: Boxes) -> None:
    """Reports are recorded, other mail is left for people, and the next round finds nothing; no mail is removed."""
    id_ = await sent(desk)
    url = await filled([report("postfix-delivered", id_), b"Subject: Hello\r\n\r\nWho are you?\r\n"])
    intake = Intake(desk.engine, desk.settings)
    assert dict(await intake.take_all(url)) == {"delivered": 1, "no report": 1}
    assert await standing(desk) == ("delivered", "delivered")
    assert dict(await intake.take_all(url)) == {}


async def test_an_early_report_stays_in_the_mailbox(desk: Desk, filled: Boxes) -> None:
    """What cannot be recorded yet is read again in the next round."""
    id_ = await sent(desk)
    url = await filled([report("postfix-bounced", id_)])
    await desk.rows("UPDATE messages SET accepted_at = NULL RETURNING id")
    intake = Intake(desk.engine, desk.settings)
    assert dict(await intake.take_all(url)) == {"early": 1}
    await desk.rows("UPDATE messages SET accepted_at = now() RETURNING id")
    assert dict(await intake.take_all(url)) == {"bounced": 1}
    assert dict(await intake.take_all(url)) == {}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("imaps://user:secret@127.0.0.1:1/INBOX", "cannot be read"),
        ("maildir:/nowhere", "There is no mailbox /nowhere"),
        ("mbox:", "There is no mailbox"),
        ("pop3://user:secret@host", "is no kind of mailbox"),
    ],
)
def test_a_mailbox_that_cannot_be_read(url: str, said: str) -> None:
    """The reason is said, the password is not."""
    with pytest.raises(MailboxError, match=said) as caught, opened(url):
        pass
    assert "secret" not in str(caught.value)
