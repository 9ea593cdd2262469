"""A nasty mail server: it keeps what it takes, and answers as its deck of cards says."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.ports import LOOPBACK
from faults.deck import Deck
from faults.laws import unreachable

TALKS = {
    "greylisted": "451 4.7.1 greylisted, come back later",
    "4xx after DATA": "451 4.3.0 try again later",
    "hangs before it takes": None,
    "hangs after it took": None,
    "drips": None,
    "drops before it takes": None,
    "drops after it took": None,
}
"""What goes wrong in one talk, with what it says."""

HANG = 20.0
"""Seconds; longer than the settings of the storm let a talk last."""


@dataclass(frozen=True)
class Received:
    """A mail that the server took."""

    message_id: str
    recipients: tuple[str, ...]
    sha256: str


class MailServer:
    """A mail server on loopback. `calm` talks go well between two that do not; without a seed every talk goes well."""

    def __init__(self, seed: int | None, calm: int = 2) -> None:
        self.port = 0
        self.received: list[Received] = []
        self.deck = Deck(seed, TALKS, calm)
        self.rejected = 0
        """Recipients that it does not know; these are part of the stories and no fault."""
        self._cards: dict[int, str] = {}
        """What the talk of a session is to become."""
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; after a `refuse` on the same port as before."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: SMTP(self, hostname="storm"), LOOPBACK, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Refuse connections until the next start."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """A recipient nobody knows, greylisting, or a connection that breaks."""
        if unreachable(address):
            self.rejected += 1
            return "550 5.1.1 no such user"
        card = self.deck.draw(address)
        if card in ("greylisted", "drops before it takes"):
            self.deck.happened[card] += 1
            if card == "greylisted":
                return str(TALKS[card])
            _abort(server)
        self._cards[id(session)] = card
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 recipient ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Take the mail and say so, or not."""
        card = self._cards.pop(id(session), "")
        if card:
            self.deck.happened[card] += 1
        match card:
            case "4xx after DATA":
                return str(TALKS[card])
            case "hangs before it takes":
                await asyncio.sleep(HANG)
                return "451 4.3.0 too late"
            case "drips":
                for _ in range(5):
                    await asyncio.sleep(0.3)
                    await server.push("250-2.0.0 wait")
        self._keep(envelope)
        if card == "hangs after it took":
            await asyncio.sleep(HANG)
        elif card == "drops after it took":
            _abort(server)
        return "250 2.0.0 taken"

    def _keep(self, envelope: Envelope) -> None:
        content = bytes(envelope.original_content or b"")
        message_id = str(message_from_bytes(content, policy=policy.default)["Message-ID"])
        self.received.append(Received(message_id, tuple(envelope.rcpt_tos), hashlib.sha256(content).hexdigest()))


def _abort(server: SMTP) -> None:
    if isinstance(server.transport, asyncio.Transport):
        server.transport.abort()
