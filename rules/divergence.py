"""Going on from a ledger that holds something else than a run decided, as after a reset of its workflow."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

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


def go_on(
    stored: list[Entry], pending: list[Entry], texts: dict[int, dict[str, str]], law: InForce, now: datetime
) -> Decision:
    """The complaint as its ledger has it, with the facts that were taken and are not in it yet.

    Facts that the ledger holds already, under their key or word for word, are not taken twice. A fact that comes after
    the ledger's closing is put on record as refused.
    """
    case = fold(stored)
    there: dict[tuple[Any, ...], list[int]] = {}
    for entry in stored:
        there.setdefault(_said(entry), []).append(entry.seq)
    places: dict[int, int] = {}
    entries: list[Entry] = []
    kept: dict[int, dict[str, str]] = {}
    for fact in pending:
        if fact.type in JUDGED or fact.type == "opened" or fact.data.get("reason") == "silence":
            continue
        if found := there.get(_said(fact)):
            places[fact.seq] = found.pop(0)
        elif case.closed:
            refused = refuse(case, str(fact.data.get("command", fact.type)), "The complaint was closed already.", now)
            case = refused.case
            entries += refused.entries
        elif fact.key is None or fact.key not in case.keys:
            moved = _moved(fact, case.seq + 1, places)
            places[fact.seq] = moved.seq
            case = evolve(case, moved)
            entries.append(moved)
            if fact.seq in texts:
                kept[moved.seq] = texts[fact.seq]
    case, judged = settle(case, law, now)
    return Decision(case, entries + judged, kept)


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
