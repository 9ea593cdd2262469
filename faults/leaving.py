"""Receivers that take events for a while and then say 410 for good, each when it is asked to, or after so many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.support.receiver import Call

PATH = "leaving"
"""What the address of such a receiver ends with, behind its contract."""

AT_LEAST = 3
"""Events that a receiver takes before it leaves."""

GONE = 410


@dataclass(frozen=True)
class Asked:
    """One call, as such a receiver has it."""

    contract: str
    id: str
    body: bytes
    signed: bool
    answer: int
    at: datetime


class Leavers:
    """One such receiver for each of these contracts. With `after` each leaves once it has taken so many events; without
    it the next one leaves when it is told to."""

    def __init__(self, contracts: Sequence[str], after: int | None) -> None:
        self.contracts = tuple(contracts)
        self.asked: list[Asked] = []
        """Every call, in order."""
        self._after = after
        self._leave = False
        self._taken: Counter[str] = Counter()
        self._gone: set[str] = set()

    @property
    def missing(self) -> list[str]:
        """Contracts whose receiver never left."""
        return [contract for contract in self.contracts if contract not in self._gone]

    def leave(self) -> None:
        """The next one to be asked that has taken enough leaves."""
        self._leave = True

    def stay(self) -> bool:
        """Nobody leaves now; whether nobody has since the last `leave`."""
        nobody, self._leave = self._leave, False
        return nobody

    def choose(self, contract: str, call: Call, *, signed: bool) -> int:
        """Take it, or leave."""
        if contract not in self._gone and self._taken[contract] >= AT_LEAST:
            due = self._after is not None and self._taken[contract] >= self._after
            if due or self._leave:
                self._gone.add(contract)
                self._leave = False
        answer = GONE if contract in self._gone else 200
        self._taken[contract] += answer != GONE
        id_ = call.headers.get("webhook-id", "")
        self.asked.append(Asked(contract, id_, call.body, signed, answer, datetime.now(UTC)))
        return answer
