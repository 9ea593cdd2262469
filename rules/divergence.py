"""Going on from a ledger that holds something else than a run decided, as after a reset of its workflow."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from rules.commands import COMMANDS
from rules.complaint import Complaint
from rules.decide import Decision, refuse
from rules.fold import evolve, fold
from rules.judge import settle
from rules.law import InForce
from rules.ledger import Entry

JUDGED = {
    "clock_attributed",
    "clock_paused",
    "clock_replanned",
    "clock_resumed",
    "clock_started",
    "clock_met",
    "clock_unmet",
    "clock_missed",
    "clock_done",
    "clock_ended",
    "miss_refuted",
    "rung_reached",
}
"""What the judge derives again by itself."""


OUTCOMES = {"notice_accepted", "notice_bounced", "notice_undeliverable"}
"""What became of notices; a closed complaint has no use for it."""

FOLLOWING = {"closed", "reopened"}
"""What follows from another fact, which it names as its `act`."""

QUEUED = {"refused", "cancel_ignored"}
"""What stands in the queue that people see, whatever became of the complaint."""


def go_on(
    stored: list[Entry], pending: list[Entry], texts: dict[int, dict[str, str]], law: InForce, now: datetime
) -> Decision:
    """The complaint as its ledger has it, with the facts that were taken and are not in it yet.

    Facts that the ledger holds already, under their key or word for word, are not taken twice. What was judged between
    them is judged anew where it stood. A fact that comes after the ledger's closing, and that a closed complaint does
    not take, is put on record as refused.
    """
    case = fold(stored)
    there: dict[tuple[Any, ...], list[int]] = {}
    for entry in stored:
        there.setdefault(_said(entry), []).append(entry.seq)
    places: dict[int, int] = {}
    refused_facts: set[int] = set()
    entries: list[Entry] = []
    kept: dict[int, dict[str, str]] = {}
    for fact in pending:
        if fact.type in JUDGED:
            # Again, and here: an acknowledgement behind it may answer what it tells.
            case, judged = settle(case, law, max(fact.recorded_at, stored[-1].recorded_at))
            entries += judged
            continue
        if fact.type == "opened" or fact.data.get("reason") == "silence":
            continue
        moved = _moved(fact, case.seq + 1, places)
        if found := there.get(_said(moved)):
            places[fact.seq] = found.pop(0)
        elif _idle(fact, refused_facts, closed=case.closed is not None):
            continue
        elif case.closed and not _taken_when_closed(fact):
            refused = refuse(case, str(fact.data.get("command", fact.type)), "The complaint was closed already.", now)
            case = refused.case
            entries += refused.entries
            refused_facts.add(fact.seq)
        elif fact.key is None or fact.key not in case.keys:
            places[fact.seq] = moved.seq
            case = evolve(case, moved)
            entries.append(moved)
            if fact.seq in texts:
                kept[moved.seq] = texts[fact.seq]
    case, judged = settle(case, law, now)
    return Decision(case, entries + judged, kept)


def _idle(fact: Entry, refused: set[int], *, closed: bool) -> bool:
    """Whether nothing has to be said of a fact: what it follows from was refused, or nobody needs it any more."""
    return (fact.type in FOLLOWING and fact.data.get("act") in refused) or (closed and fact.type in OUTCOMES)


def _taken_when_closed(fact: Entry) -> bool:
    """Whether a fact may come after the closing; a closing may not come twice."""
    command = COMMANDS.get(str(fact.data.get("command")))
    return fact.type in QUEUED or fact.type == "reopened" or (command is not None and command.after_closure)


def agree(case: Complaint, stored: list[Entry], pending: list[Entry]) -> bool:
    """Whether the ledger and what is on its way to it come to this state of the complaint."""
    last = stored[-1].seq if stored else 0
    following = [entry for entry in pending if entry.seq > last]
    whole = stored + following
    return bool(whole) and fold(whole) == case


def _said(entry: Entry) -> tuple[Any, ...]:
    """What tells two facts apart, whenever they were recorded."""
    return entry.type, entry.key, json.dumps(entry.data, sort_keys=True), entry.content, entry.by


def _moved(fact: Entry, seq: int, places: dict[int, int]) -> Entry:
    """The fact at another place of the ledger; the notices it plans are keyed by that place, and the entries it is
    about are named by theirs."""
    about = {
        name: places[n]
        for name in ("entry", "corrects", "request", "demand", "survey", "act")
        if (n := fact.data.get(name)) in places
    }
    notices = tuple(
        notice.model_copy(update={"key": notice.key.replace(f"#{fact.seq}/", f"#{seq}/")}) for notice in fact.notices
    )
    return fact.model_copy(update={"seq": seq, "notices": notices, "data": fact.data | about})
