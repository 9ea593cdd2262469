"""Duplicates: two complaints become one, with the earlier receipt and the acts of both, and can be parted again."""

from __future__ import annotations

from typing import Any

from rules.clocks import runs
from rules.commands import Absorb, Command, Done, Merge, Release, UndoMerge
from rules.complaint import Complaint
from rules.contract import Contract
from rules.ledger import Refused


def asks(case: Complaint, contract: Contract, command: Merge | UndoMerge) -> tuple[str, Absorb | Release]:
    """What the other complaint is told before this one changes, and its reference. It may refuse."""
    if isinstance(command, Merge):
        return command.into, absorption(case, contract)
    into = case.closed.into if case.closed else None
    return into or "", Release(complaint=case.reference)


def undone(case: Complaint, contract: Contract, command: Merge | UndoMerge) -> Absorb | Release:
    """What takes that back when this complaint cannot change after all."""
    return Release(complaint=case.reference) if isinstance(command, Merge) else absorption(case, contract)


def absorption(case: Complaint, contract: Contract) -> Absorb:
    """What a complaint hands over to the one that it is merged into."""
    done = [
        Done(names=act.names, at=act.at, recorded_at=act.recorded_at, proved=act.proved)
        for act in case.acts
        if act.notice is None and act.names
    ]
    open_ = [
        run.started_at
        for run in runs(case, contract)
        if contract.obligations[run.obligation].starts == "customer message" and run.done_at is None
        if run.ended_at is None or (case.closed is not None and run.ended_by == case.closed.reason)
    ]
    return Absorb(
        complaint=case.reference, received_at=case.received_at, done=tuple(done), unanswered=min(open_, default=None)
    )


def check(case: Complaint, command: Command) -> dict[str, Any]:
    """The conditions on this side, and what the ledger keeps besides the fields. Raises Refused."""
    match command:
        case Merge(into=into) if into == case.reference:
            raise Refused("A complaint cannot be merged into itself; name the other one.")
        case UndoMerge():
            if case.closed is None or case.closed.into is None:
                raise Refused(f"Complaint {case.id} is not merged into another; there is nothing to undo.")
            return {"from": case.closed.into, "merge": case.closed.act}
        case Absorb(complaint=other, received_at=received_at):
            if any(a.complaint == other for a in case.absorbed):
                raise Refused(f"{other} is merged into {case.id} already.")
            return {"receipt": min(case.received_at, received_at).isoformat()}
        case Release(complaint=other):
            if case.closed and case.closed.into:
                raise Refused(f"{case.id} was itself merged into {case.closed.into} since; undo that merge first.")
            if all(a.complaint != other for a in case.absorbed):
                raise Refused(f"{other} is not merged into {case.id}.")
            left = (a.received_at for a in case.absorbed if a.complaint != other)
            return {"receipt": min((case.own_receipt or case.received_at, *left)).isoformat()}
    return {}
