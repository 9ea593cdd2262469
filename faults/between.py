"""What one complaint asks of the other when the two become one or are parted again, as the other one gets it."""

from __future__ import annotations

from collections.abc import Sequence

from rules import merging
from rules.commands import Absorb, Command, Done, Merge, Release, UndoMerge
from rules.complaint import Complaint
from rules.fold import fold
from rules.law import InForce
from rules.ledger import Entry


def asked_by(case: Complaint, law: InForce, command: Merge | UndoMerge, key: str) -> tuple[str, Command]:
    """What the other complaint is asked, and under which key, as it gets it."""
    _, asked = merging.asks(case, law.contract, command)
    return _as_sent(case, key, asked)


def asked(entries: Sequence[Entry], law: InForce, heard: Sequence[Entry] = ()) -> dict[str, Command]:
    """All that a complaint with this ledger asked of the other one, by its key; `heard` is the ledger of that one.

    An act may stand there as learned later than here: a run that died had it on record, and the next one decided it
    again and asked before it saw that.
    """
    found: dict[str, Command] = {}
    there = {entry.key: entry for entry in heard if entry.type == "absorbed"}
    for at, entry in enumerate(entries):
        if entry.type in ("merged", "merge_undone") and entry.key is not None:
            case = fold(list(entries[:at]))
            merges = entry.type == "merged"
            command = merging.absorption(case, law.contract) if merges else Release(complaint=case.reference)
            key, sent = _as_sent(case, entry.key, command)
            found[key] = _learned(sent, there[key]) if isinstance(sent, Absorb) and key in there else sent
    return found


def _learned(sent: Absorb, heard: Entry) -> Absorb:
    """The same acts, each learned when the other ledger says, where that lies between the act's record and then."""
    told = [Done.model_validate(act) for act in heard.data.get("done", ())]
    if len(told) != len(sent.done):
        return sent
    done = [
        act.model_copy(update={"recorded_at": other.recorded_at})
        if act.recorded_at <= other.recorded_at <= heard.recorded_at
        else act
        for act, other in zip(sent.done, told, strict=True)
    ]
    return sent.model_copy(update={"done": tuple(done)})


def _as_sent(case: Complaint, key: str, command: Absorb | Release) -> tuple[str, Command]:
    body = command.model_dump(mode="json", exclude_none=True)
    return f"{case.id}:{key}:{command.name}", type(command).model_validate(body)
