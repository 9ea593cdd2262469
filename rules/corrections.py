"""Whether a fact may be corrected (invariant 7): what is on record stays, and two people say what is right."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from rules.commands import ApproveCorrection, Correct
from rules.complaint import Act, Complaint, Correction
from rules.ledger import Refused
from rules.values import Actor

OPENING = 1
"""The entry that holds the receipt."""

INSTEAD = {
    "reclassify": "classify it again with reclassify",
    "assign": "assign it to whom it belongs",
    "acknowledge": "what was acknowledged was read; acknowledge again",
    "take_back": "withdraw again",
    "merge": "use undo_merge",
    "undo_merge": "merge again",
}
"""Acts that cannot be taken back, and what to do instead."""


def proposed(case: Complaint, command: Correct, by: Actor, now: datetime) -> dict[str, Any]:
    """What the ledger keeps of a correction: the value as it was. Raises Refused with what is possible instead."""
    _person(by)
    if case.closed and case.closed.into:
        raise Refused(
            f"What happened here counts in {case.closed.into} since the merge; undo_merge, correct it, and merge again."
        )
    was = _was(case, command.entry)
    _allowed(case, Correction(seq=0, entry=command.entry, to=command.happened_at, person=""), now)
    return {"was": was.isoformat()}


def approved(case: Complaint, command: ApproveCorrection, by: Actor, now: datetime) -> dict[str, Any]:
    """What the ledger keeps of an approval: the entry and its right value. Raises Refused."""
    waiting = {c.seq: c for c in case.corrections if c.approved is None}
    correction = waiting.get(command.entry)
    if correction is None:
        raise Refused(f"Entry {command.entry} is no correction that waits; those that do: {_listed(waiting)}.")
    if _person(by) == correction.person:
        raise Refused(f"{by.person} made this correction; a second person must approve it.")
    _was(case, correction.entry)
    _allowed(case, correction, now)
    right: dict[str, Any] = {"happened_at": correction.to.isoformat()} if correction.to else {"void": True}
    act = next((act.names[0] for act in case.acts if act.seq == correction.entry and act.names), "open")
    if correction.entry == OPENING and correction.to:
        right["receipt"] = min((correction.to, *(a.received_at for a in case.absorbed))).isoformat()
    if case.closed and case.closed.act == correction.entry and correction.to:
        right["closes"] = True
    if act == "recuse" and not correction.to:
        right["against"] = [recusal.person for recusal in case.recusals if recusal.seq != correction.entry]
    return {"corrects": correction.entry, "act": act, **right}


def _person(by: Actor) -> str:
    if by.person is None:
        raise Refused("A correction needs two people: name yourself, `by` with role and person.")
    return by.person


def _was(case: Complaint, entry: int) -> datetime:
    """When the fact happened by what is on record. Raises Refused for what is no fact of this complaint."""
    if entry > case.seq:
        raise Refused(f"Complaint {case.id} has no entry {entry}; its ledger ends with {case.seq}.")
    if entry == OPENING:
        return case.own_receipt or case.received_at
    if merged := next((a.complaint for a in case.absorbed if a.seq == entry), None):
        raise Refused(f"Entry {entry} is the merge of {merged}; use undo_merge there.")
    for correction in case.corrections:
        if entry in (correction.seq, correction.approved):
            raise Refused(f"Entry {entry} is itself a correction; correct entry {correction.entry} again.")
        if entry == correction.entry and correction.to is None and correction.approved:
            raise Refused(f"Entry {entry} was taken back by entry {correction.seq}; report it anew.")
    for episode in case.episodes:
        if entry == episode.seq:
            if episode.reason == "misjudged":
                raise Refused("A misjudged level counts from receipt; correct the receipt, entry 1.")
            return episode.reached_at
    for act in case.acts:
        if entry == act.seq and act.notice is None:
            return act.at
    raise Refused(f"Entry {entry} is a judgement and no fact; correct the fact that it follows from.")


def _allowed(case: Complaint, correction: Correction, now: datetime) -> None:
    right, entry = correction.to, correction.entry
    if (answer := _answer(case, entry)) and (right is None or right > answer.at):
        raise Refused(
            f"Entry {entry} was answered at {answer.at.isoformat()} by entry {answer.seq}; correct that first."
        )
    if (asked := _question(case, entry)) and right is not None and right < asked.at:
        raise Refused(f"Entry {entry} answers entry {asked.seq}, made at {asked.at.isoformat()}; correct that first.")
    names = next((act.names for act in case.acts if act.seq == entry), ("open",) if entry == OPENING else ())
    if right is None:
        if entry == OPENING:
            raise Refused("A complaint that was received cannot be taken back; use withdraw.")
        for act, instead in INSTEAD.items():
            if act in names:
                raise Refused(f"Entry {entry} cannot be taken back; {instead}.")
    elif right > now:
        raise Refused(f"{right.isoformat()} lies in the future (it is {now.isoformat()}).")
    elif entry != OPENING and right < case.received_at:
        raise Refused(f"{right.isoformat()} lies before the receipt at {case.received_at.isoformat()}.")
    elif entry == OPENING and (first := min((act.at for act in case.acts), default=right)) < right:
        raise Refused(f"The complaint was dealt with at {first.isoformat()} already; correct that first.")


def _answers(case: Complaint) -> Iterator[tuple[int, int]]:
    """Every request and demand with each entry that answers it."""
    for request in case.requests:
        yield from ((request.seq, seq) for seq in (request.answered, request.contested) if seq)
    yield from ((demand.seq, demand.answered) for demand in case.demands if demand.answered)


def _answer(case: Complaint, entry: int) -> Act | None:
    """The first answer to this request or demand, which would answer nothing without it."""
    acts = [act for asked, seq in _answers(case) if asked == entry and (act := case.act(seq))]
    return min(acts, key=lambda act: act.at, default=None)


def _question(case: Complaint, entry: int) -> Act | None:
    """The request or demand that this entry answers."""
    return next((case.act(asked) for asked, seq in _answers(case) if seq == entry), None)


def _listed(entries: dict[int, Correction]) -> str:
    return ", ".join(map(str, entries)) or "none"
