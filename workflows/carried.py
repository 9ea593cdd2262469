"""What one run of a complaint hands to the next when it continues as new: all of it, and nothing twice."""

from __future__ import annotations

from activities.interface import Registered
from rules.complaint import Complaint
from rules.ledger import Entry
from rules.values import Value
from wire.packing import Packed
from workflows.recorder import Outbox


class Carried(Value, Packed):
    """The argument of a continued run."""

    case: Complaint
    registered: Registered
    entries: tuple[Entry, ...] = ()
    """Decided, not yet recorded. One that was being recorded is recorded again: its sequence makes that harmless."""
    texts: dict[int, dict[str, str]] = {}

    @classmethod
    def of(cls, case: Complaint, registered: Registered, outbox: Outbox) -> Carried:
        return cls(case=case, registered=registered, entries=tuple(outbox.entries), texts=outbox.texts)

    def outbox(self) -> Outbox:
        outbox = Outbox(self.case.id, self.registered.version)
        outbox.add(list(self.entries), dict(self.texts))
        return outbox
