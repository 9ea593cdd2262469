"""A mail server that keeps what it is sent and answers as the test wants."""

import asyncio
from collections import deque
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.wait import eventually

OK = "250 2.0.0 taken"
TRY_LATER = "451 4.3.0 try again later"
NO_SUCH_USER = "550 5.1.1 no such user"
DROP = "drop"
"""Keep the message, then break off without an answer: the one case in which SMTP allows a duplicate."""


@dataclass(frozen=True)
class Mail:
    """A message as it came over the wire."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage


class SmtpSink:
    """A mail server on loopback.

    `messages` holds what it took, in order; `attempts` counts every DATA it saw.
    """

    def __init__(self) -> None:
        self.host = "127.0.0.1"
        self.port = 0
        self.messages: list[Mail] = []
        self.attempts = 0
        self.go_on = asyncio.Event()
        """While it is not set, DATA has no answer."""
        self.go_on.set()
        self.default = OK
        """The answer when the script is empty."""
        self.refused: dict[str, str] = {}
        """Answers to RCPT by address, as `{"gone@example.com": NO_SUCH_USER}`."""
        self._script: deque[str] = deque()
        self._server: asyncio.Server | None = None

    def answer(self, *replies: str) -> None:
        """Answer the next messages with these, one each: a reply line, or DROP."""
        self._script.extend(replies)

    async def start(self) -> None:
        """Listen; after a `stop` on the same port as before."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: SMTP(self, hostname="sink"), self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse connections, as a mail server that is down."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def received(self, count: int) -> list[Mail]:
        """The messages, once there are at least `count`."""
        await eventually(lambda: len(self.messages) >= count)
        return list(self.messages)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 recipient ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.attempts += 1
        await self.go_on.wait()
        reply = self._script.popleft() if self._script else self.default
        if reply == DROP or reply.startswith("2"):
            message = message_from_bytes(envelope.original_content or b"", EmailMessage, policy=policy.default)
            self.messages.append(Mail(envelope.mail_from or "", tuple(envelope.rcpt_tos), message))
        if reply == DROP:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return reply
