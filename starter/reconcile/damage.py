"""What can be wrong between Postgres and Temporal, a kind each, and what becomes of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

KINDS: dict[str, str] = {
    "cursor ahead": "A webhook stands further than the feed goes, so what comes next would never be sent to it.",
    "table": "A table is not what the ledger says.",
    "not registered": "A ledger stands in Postgres, and nobody registered its complaint.",
    "ledger short": "Temporal has recorded more of a complaint than stands in the ledger of Postgres.",
    "lost": "Open in Postgres, and no workflow runs it: its clocks stand still.",
    "workflow behind": "The ledger holds what the workflow does not know.",
    "differs": "Ledger and workflow are equally long and do not say the same.",
    "closed and running": "Closed in Postgres, and its workflow runs.",
    "held up": "Its workflow cannot go on: every workflow task fails.",
    "not recorded": "A worker tries to record it, again and again, and cannot.",
    "labels": "Temporal's lists show it otherwise than Postgres does.",
    "overdue": "The due of a running clock has passed, and no miss is on record.",
    "never begun": "Registered, and neither a ledger nor a workflow came of it: its reference is taken by nothing.",
    "mail unrecorded": "A mail left whose record Postgres has lost; it would leave again.",
    "mail waits": "Something waits for a person, and no Post delivers it.",
    "nobody told of": "Nobody stands behind a notice, and its complaint has not heard so: its ladder waits.",
    "outcome unheard": "A complaint has not heard what became of its notice.",
    "answer unheard": "A complaint has not heard the answer to a crowd that it stands in.",
    "webhook waits": "Events wait for a subscriber, and nothing sends them.",
    "circular stopped": "A circular has letters without an answer, and nothing carries them.",
    "schedule missing": "Temporal does not start what it has to start by itself.",
    "schedule stale": "A schedule starts something else than it should, or nothing.",
    "schedule paused": "Somebody paused a schedule.",
}
"""Every kind, in the order in which it is looked for and healed."""

Outcome = Literal["found", "healed", "remains"]


@dataclass
class Damage:
    """One thing that is wrong."""

    kind: str
    where: str
    said: str
    do: str = ""
    """What people can do, where `--apply` cannot do it."""
    outcome: Outcome = "found"
    result: str = ""
    """What was done, or why it could not be."""


@dataclass
class Report:
    """Everything that one run of `ombud reconcile` saw."""

    applied: bool
    damages: list[Damage] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    """How much was looked at, and how much was written again."""
    notes: list[str] = field(default_factory=list)

    def count(self, what: str, by: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + by

    @property
    def remaining(self) -> int:
        """How much is wrong now."""
        return sum(damage.outcome != "healed" for damage in self.damages)

    def as_json(self) -> dict[str, Any]:
        return {
            "applied": self.applied,
            "found": len(self.damages),
            "remaining": self.remaining,
            "counts": self.counts,
            "notes": self.notes,
            "damages": [asdict(damage) for damage in self.damages],
        }
