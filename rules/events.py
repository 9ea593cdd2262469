"""What others are told of a complaint's ledger: each entry that matters outside becomes one event.

Pure, and from the ledger alone: the same entry gives the same event whenever it is asked for, so that a repetition is
known by its id. Nothing personal and no free text goes into an event (invariant 19): only what is listed here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, get_args

from rules.ledger import Entry
from rules.values import Instant, Value

EventType = Literal[
    "complaint.opened",
    "complaint.closed",
    "complaint.reopened",
    "clock.warned",
    "clock.missed",
    "clock.met",
    "clock.done",
    "clock.unmet",
    "clock.refuted",
    "clock.report_answered",
    "clock.replanned",
    "clock.ended",
    "clock.resumed",
]
"""`warned`: a rung before the due time; `done`: a missed clock was done after all, late; `unmet`: a correction undid
what met it; `refuted`: a timely act was reported after the miss, which counts as the contract says; `resumed`: an ended
clock runs again."""

EVENTS: tuple[EventType, ...] = get_args(EventType)

TO_ACT_ON: tuple[EventType, ...] = ("clock.warned", "clock.missed", "clock.done", "clock.refuted")
"""What a group of people hears of unless it asks for something else."""

OF: Mapping[str, EventType] = {
    "opened": "complaint.opened",
    "closed": "complaint.closed",
    "reopened": "complaint.reopened",
    "rung_reached": "clock.warned",
    "clock_missed": "clock.missed",
    "clock_met": "clock.met",
    "clock_done": "clock.done",
    "clock_unmet": "clock.unmet",
    "miss_refuted": "clock.refuted",
    "report_answered": "clock.report_answered",
    "clock_replanned": "clock.replanned",
    "clock_ended": "clock.ended",
    "clock_resumed": "clock.resumed",
}
"""The event of each type of ledger entry that has one."""

TELLS_ABOUT = ("opened", "clock_started", "clock_replanned")
"""Entries that say what an event has to know besides its own entry."""

_KEPT: Mapping[EventType, tuple[str, ...]] = {
    "complaint.opened": ("kind", "category", "level"),
    "complaint.closed": ("reason", "agreement", "into"),
    "complaint.reopened": ("reason",),
    "clock.warned": ("rung",),
    "clock.missed": ("found_by",),
    "clock.met": ("lag_seconds",),
    "clock.done": ("late_seconds", "lag_seconds"),
    "clock.unmet": ("status",),
    "clock.refuted": ("report", "lifted", "lag_seconds"),
    "clock.report_answered": ("agrees",),
    "clock.replanned": ("was_due_at",),
    "clock.ended": ("reason",),
    "clock.resumed": (),
}
"""What an event takes over from its entry. All of it is codes, numbers and times."""


class Event(Value):
    """One thing that happened to a complaint, for those outside."""

    type: EventType
    complaint: str
    """`contract/reference`."""
    seq: int
    """Of the entry in the complaint's ledger."""
    at: Instant
    """When it happened."""
    recorded_at: Instant
    data: dict[str, Any]
    quiet: bool = False
    """On record, and nothing to tell people: an old case brought in, a rung that was silenced or already over."""

    @property
    def id(self) -> str:
        """The same for the same entry, whenever and to whomever it is sent."""
        return "evt_" + hashlib.sha256(f"{self.complaint}#{self.seq}".encode()).hexdigest()[:32]

    @property
    def contract(self) -> str:
        return self.complaint.partition("/")[0]

    @property
    def reference(self) -> str:
        return self.complaint.partition("/")[2]


def event_type(entry: Entry) -> EventType | None:
    """Which event an entry is; nothing for one that matters to nobody outside.

    Of the rungs only those before the due time: what comes at or after it, the miss has told.
    """
    if entry.type == "rung_reached" and not str(entry.data.get("rung", "")).endswith("%"):
        return None
    return OF.get(entry.type)


def event_of(complaint: str, entry: Entry, before: Iterable[Entry]) -> Event | None:
    """The event of an entry. `before` are the complaint's entries of the types `TELLS_ABOUT`, in order.

    Those behind the entry change nothing. A member that an entry of another version lacks is left out, so an event
    never fails.
    """
    kind = event_type(entry)
    if kind is None:
        return None
    contract, _, reference = complaint.partition("/")
    known = [other for other in before if other.seq <= entry.seq]
    data: dict[str, Any] = {
        "contract": contract,
        "reference": reference,
        "seq": entry.seq,
        "recorded_at": entry.recorded_at.isoformat(),
    }
    if kind.startswith("clock."):
        data |= {name: entry.data[name] for name in ("clock", "obligation", "clause") if name in entry.data}
        data |= _clock(known, str(entry.data.get("clock", "")))
    data |= {name: value for name in _KEPT[kind] if (value := entry.data.get(name)) is not None}
    if kind == "clock.missed":
        data["late_seconds"] = _seconds(entry.occurred_at, entry.recorded_at)
    passed = kind == "clock.warned" and next((name for name in ("passed", "silenced_by") if entry.data.get(name)), "")
    if passed:
        data["told_nobody"] = True
    history = any(other.type == "opened" and other.data.get("history") for other in known)
    if history:
        data["history"] = True
    return Event(
        type=kind,
        complaint=complaint,
        seq=entry.seq,
        at=entry.occurred_at,
        recorded_at=entry.recorded_at,
        data=data,
        quiet=history or bool(passed),
    )


def _clock(known: Iterable[Entry], clock: str) -> dict[str, Any]:
    """What the ledger says of a clock that far: when it is due, and what it is for."""
    found: dict[str, Any] = {}
    for entry in known:
        data = entry.data
        if data.get("clock") != clock or "due_at" not in data:
            continue
        found |= {name: data[name] for name in ("obligation", "clause") if name in data}
        found["due"] = data["due_at"]
        found["provisional"] = bool(data.get("provisional"))
    return found


def _seconds(since: datetime, until: datetime) -> int:
    """How much later it was recorded than it happened."""
    return max(0, int((until - since).total_seconds()))
