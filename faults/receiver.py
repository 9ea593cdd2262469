"""A nasty receiver of webhooks: it keeps what it takes, and answers as its deck of cards says."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from hashlib import sha256

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from faults.deck import Deck
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
    """One receiver for the subscriptions of all contracts, each under a path and with a secret of its own."""

    seed: int | None = None
    calm: int = 12
    heard: list[Heard] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.patience = 1
        self.deck = Deck(self.seed, GONE_WRONG, self.calm)

    def address(self, contract: str) -> str:
        """Where the events of a contract go."""
        return f"http://127.0.0.1:{self.port}/{contract}"

    def choose(self, call: Call) -> int | str:
        """Keep the event or not, and answer."""
        card = self.deck.draw()
        answer, taken = GONE_WRONG.get(card, (200, True))
        self.deck.happened.update([card] if card else [])
        contract = call.target.removeprefix("/")
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
