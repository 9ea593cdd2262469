"""Whether a mail server is asked to tell what became of a mail (RFC 3461), as it stands on the wire."""

from __future__ import annotations

import asyncio

import pytest

from activities.mailer import Mailer
from settings import Settings
from starter import cli_bounces
from tests.notices.test_reports import report, sent
from tests.starter.conftest import command_line, environment
from tests.support.desk import Desk

MAIL = b"Subject: hello\r\n\r\nwords\r\n"
ID = "0123456789abcdef0123456789abcdef01234567"


class Server:
    """Takes everything and notes each line it was told before the mail itself."""

    def __init__(self, offers: str) -> None:
        self.offers = offers
        self.told: list[str] = []

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        content = False
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            if content:
                content = line != "."
                answer = "" if content else "250 2.0.0 taken\r\n"
            else:
                self.told.append(line)
                answer = self._answer(line.split()[0].upper())
                content = answer.startswith("354")
            writer.write(answer.encode())
            await writer.drain()
            if answer.startswith("221"):
                break
        writer.close()

    def _answer(self, verb: str) -> str:
        match verb:
            case "EHLO" if not self.offers:
                return "502 5.5.1 what?\r\n"
            case "EHLO":
                return f"250-here\r\n250 {self.offers}\r\n"
            case "DATA":
                return "354 go on\r\n"
            case "QUIT":
                return "221 bye\r\n"
        return "250 ok\r\n"


@pytest.mark.parametrize(
    ("offers", "mail", "rcpt"),
    [
        ("DSN", f" RET=HDRS ENVID={ID}", " NOTIFY=SUCCESS,FAILURE,DELAY"),
        ("8BITMIME", "", ""),
        ("", "", ""),  # a server from before EHLO
    ],
)
async def test_a_server_that_can_is_asked(settings: Settings, offers: str, mail: str, rcpt: str) -> None:
    """It is asked for delivery, failure and delay under the id of the message, the mail itself not to be sent back."""
    server = Server(offers)
    listening = await asyncio.start_server(server.talk, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    given = {"smtp_host": "127.0.0.1", "smtp_port": port, "bounce_address": "bounces@example.com"}
    body = MAIL.replace(b"\r\n\r\n", b"\r\nX: y\r\n \r\n")  # a line that is empty would end the talk above
    assert (
        await Mailer(settings.model_copy(update=given)).send("cy@example.com", body, envelope=ID) == "250 2.0.0 taken"
    )
    listening.close()
    told = {line.partition(":")[0]: line.partition(":")[2] for line in server.told}
    assert told["MAIL FROM"] == f"<bounces@example.com>{mail}"
    assert told["RCPT TO"] == f"<cy@example.com>{rcpt}"


async def test_a_report_piped_in(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Mail servers pipe a report into a command: recorded with 0, and 75 for what must come again later."""
    id_ = await sent(desk)
    variables = environment(desk.settings, desk.client.service_client.config.target_host)
    cli = command_line(variables, tmp_path_factory.mktemp("piped"))
    ended = await cli("bounces", "--stdin", stdin=report("postfix-delivered", id_).decode())
    assert (ended.code, ended.out) == (0, "delivered\n")
    away = await cli(
        *("bounces", "--stdin"),
        stdin=report("postfix-bounced", id_).decode(),
        OMBUD_DATABASE_URL="postgresql+asyncpg://nobody@127.0.0.1:1/nothing",
    )
    assert away.code == cli_bounces.TRY_AGAIN
    assert "Postgres does not answer" in away.err
    ended = await cli("bounces", "--stdin", stdin=report("postfix-bounced", id_).decode())
    assert (ended.code, ended.out) == (0, "bounced\n")
    ended = await cli("bounces")
    assert ended.code == 2
    assert "OMBUD_BOUNCE_MAILBOX is not set" in ended.err
