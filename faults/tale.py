"""The fault-free run: one story told to the pure core, where everything arrives and every timer is served on time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from faults.laws import GONE
from rules.commands import Command, OpenComplaint, Via
from rules.complaint import Complaint
from rules.decide import Decision, decide, deliver, open_complaint, tick
from rules.judge import next_wake
from rules.law import InForce
from rules.ledger import Entry, Notice
from rules.notices import Outcome

MAIL = timedelta(seconds=1)
"""How long a mail takes where nothing goes wrong."""


class _Arrival(NamedTuple):
    at: datetime
    notice: str
    accepted: bool


class Tale:
    """One complaint and its entries, with the word of the mail server about the notices that a complaint waits for."""

    def __init__(self, law: InForce, start: OpenComplaint, at: datetime) -> None:
        self.law = law
        self.case: Complaint
        self.entries: list[Entry] = []
        self._mails: list[_Arrival] = []
        self._note(open_complaint(start, law, at, at))

    def tell(self, command: Command, at: datetime, via: Via = "http", key: str | None = None) -> Entry:
        """A command as it is heard at this instant; the entry that records it. Raises Refused.

        `key` is its idempotency key where it has none of its own.
        """
        self.live(at)
        return self._note(decide(self.case, self.law, command, at, key, via))[0]

    def live(self, until: datetime) -> None:
        """Time passes; timers are served and mails arrive."""
        while (at := self.next()) is not None and (now := self.served(at)) <= until:
            if self._mails and self._mails[0].at == at:
                mail = self._mails.pop(0)
                reason = "" if mail.accepted else "550 no such user"
                outcome = Outcome(notice=mail.notice, accepted=mail.accepted, at=at, reason=reason)
                self._note(deliver(self.case, self.law, outcome, now))
            elif not self._note(tick(self.case, self.law, now)):
                raise RuntimeError(f"{self.case.id}: nothing is to be judged at {at.isoformat()}")  # nor ever after

    def served(self, at: datetime) -> datetime:
        """When somebody looks at what happens by itself at this moment; without faults at once."""
        return at

    def next(self) -> datetime | None:
        """When something happens by itself."""
        wake = next_wake(self.case, self.law)
        return min([*(mail.at for mail in self._mails[:1]), *([wake.at] if wake else [])], default=None)

    def _note(self, decision: Decision) -> list[Entry]:
        self.case = decision.case
        self.entries += decision.entries
        for entry in decision.entries:
            for notice in entry.notices:
                if notice.role == GONE or awaited(self.law, notice):
                    self._mails.append(_Arrival(entry.recorded_at + MAIL, notice.key, notice.role != GONE))
        self._mails.sort()
        return decision.entries


def awaited(law: InForce, notice: Notice) -> bool:
    """Whether the acceptance of this notice meets an obligation."""
    act = notice.key.split("/")[2].partition("#")[0]
    return any(f"notice of {act}" in promise.met_by.parts for promise in law.contract.obligations.values())
