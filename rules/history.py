"""An old case brought in for the record: it goes through the core as it would have gone then, in one breath."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from rules.commands import Command, OpenComplaint
from rules.complaint import Complaint
from rules.decide import Decision, decide, open_complaint, tick
from rules.law import InForce
from rules.ledger import Entry, Refused


class Unknown(Enum):
    """A time that the source does not have."""

    AT_IMPORT = "time not in the source: recorded as of the import"


AT_IMPORT = Unknown.AT_IMPORT


@dataclass(frozen=True, slots=True)
class DueOf:
    """The source says only that it was done in time: the due of this obligation's first clock stands for when."""

    obligation: str


Time = DueOf | Unknown


@dataclass(frozen=True, slots=True)
class Past:
    """Something done to the old case, and when."""

    command: Command
    at: datetime | Time


@dataclass(frozen=True, slots=True)
class Relived:
    """An old case as it went: its ledger, and what was done to it as commands with their times."""

    decision: Decision
    commands: list[Command]


def relive(start: OpenComplaint, acts: Iterable[Past], law: InForce, imported_at: datetime) -> Relived:
    """The ledger of an old case, as of `imported_at`.

    Each act is judged as if it had been reported when it happened, so that what was done in time is met and no miss is
    recorded and then refuted. Every entry keeps the truth about itself: it was recorded at the import, and a time that
    the source does not have is flagged. Raises Refused as the core does, and for an obligation without a clock.
    """
    whole = open_complaint(start, law, imported_at, start.received_at)
    now = start.received_at
    case, entries, texts = whole.case, whole.entries, whole.texts
    commands = []
    for act in acts:
        at, flag = _moment(act, case, imported_at)
        now = min(max(now, at), imported_at)
        command = act.command.model_copy(update={"occurred_at": at})
        commands.append(command)
        before = tick(case, law, now)
        if before.case.closed:  # by silence; that something was done shows that it was not over
            before = Decision(case)
        decision = decide(before.case, law, command, now, None, "import")
        case = decision.case
        entries += [*before.entries, _flagged(decision.entries[0], flag), *decision.entries[1:]]
        texts |= decision.texts
    last = tick(case, law, imported_at)
    entries += last.entries
    entries = [entry.model_copy(update={"recorded_at": imported_at}) for entry in entries]
    return Relived(Decision(last.case, entries, texts), commands)


def _moment(act: Past, case: Complaint, imported_at: datetime) -> tuple[datetime, str]:
    match act.at:
        case datetime():
            return act.at, ""
        case DueOf(obligation=name):
            due = next((clock.due_at for clock in case.clocks if clock.obligation == name), None)
            if due is None:
                raise Refused(f"The complaint has no clock {name!r} whose due could stand for when {act.command.name}.")
            return min(due, imported_at), f"time not in the source: in time, so at the latest the due of {name}"
        case Unknown():
            return imported_at, act.at.value


def _flagged(entry: Entry, flag: str) -> Entry:
    if not flag:
        return entry
    return entry.model_copy(update={"data": {**entry.data, "flags": [*entry.data.get("flags", ()), flag]}})
