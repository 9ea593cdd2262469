"""A nasty receiver of webhooks: it keeps what it takes, and answers as its deck of cards says. Under paths of their own
it has group robots, and receivers that leave."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import urlsplit

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from faults import leaving, robots
from faults.deck import Deck
from faults.leaving import Leavers
from faults.robots import Robots
from tests.support.receiver import BREAK, DRIP, HANG, Call, Receiver

GONE_WRONG: dict[str, tuple[int | str, bool]] = {
    "fails (503)": (503, False),
    "has had enough (429)": (429, False),
    "takes it for wrong (400)": (400, False),
    "sends elsewhere (302)": (302, False),
    "hangs before it takes": (HANG, False),
    "hangs after it took": (HANG, True),
    "drips": (DRIP, True),
    "drops before it takes": (BREAK, False),
    "drops after it took": (BREAK, True),
}
"""What goes wrong in one call: what is answered, and whether the event is kept all the same."""


@dataclass(frozen=True)
class Heard:
    """One call, as the receiver has it."""

    contract: str
    """Whose subscription it came to."""
    id: str
    body: bytes
    taken: bool
    signed: bool


@dataclass
class Hooks(Receiver):
    """One receiver for the subscriptions of all contracts, each under a path and with a secret of its own.

    `leaving` are the contracts with one besides that says 410 some day: after `leave_after` events, or when it is told.
    """

    seed: int | None = None
    calm: int = 12
    leaving: Sequence[str] = ()
    leave_after: int | None = None
    heard: list[Heard] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.patience = 1
        self.deck = Deck(self.seed, GONE_WRONG, self.calm)
        self.robots = Robots(self.seed, max(1, self.calm // 4))
        self.leavers = Leavers(self.leaving, self.leave_after)

    def address(self, contract: str) -> str:
        """Where the events of a contract go."""
        return f"http://127.0.0.1:{self.port}/{contract}"

    def leaving_address(self, contract: str) -> str:
        """Where they go as well, for a while."""
        return f"{self.address(contract)}/{leaving.PATH}"

    def robot_address(self, contract: str) -> str:
        """Where the group robot of a contract listens."""
        return robots.address(f"http://127.0.0.1:{self.port}", contract)

    def choose(self, call: Call) -> int | str | tuple[int, bytes]:
        """Whoever is meant keeps it or not, and answers."""
        contract, _, which = urlsplit(call.target).path.removeprefix("/").partition("/")
        if which == robots.PATH:
            return self.robots.choose(contract, call)
        if which == leaving.PATH:
            return self.leavers.choose(contract, call, signed=_signed(contract, call))
        return self._take(contract, call)

    def _take(self, contract: str, call: Call) -> int | str:
        """Keep the event or not, and answer."""
        card = self.deck.draw()
        answer, taken = GONE_WRONG.get(card, (200, True))
        self.deck.happened.update([card] if card else [])
        id_ = call.headers.get("webhook-id", "")
        self.heard.append(Heard(contract, id_, call.body, taken, _signed(contract, call)))
        return answer


def secret_of(contract: str) -> str:
    """The secret of the subscription of a contract."""
    return "whsec_" + base64.b64encode(sha256(contract.encode()).digest()).decode()


def _signed(contract: str, call: Call) -> bool:
    try:
        Webhook(secret_of(contract)).verify(call.body, dict(call.headers))
    except WebhookVerificationError:
        return False
    return True
