"""How a run of a complaint begins: opened for the first time, carried on by a new run, or revived from its ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from pydantic import TypeAdapter, ValidationError

    from activities.interface import (
        OPEN,
        REJECT,
        REVIVE,
        Opened,
        Opening,
        Recorded,
        Registered,
        Rejected,
        Revival,
        Stream,
        complaint_id,
    )
    from rules.commands import OpenComplaint
    from rules.complaint import Complaint
    from rules.fold import fold
    from rules.law import InForce, law_of
    from rules.ledger import Entry, Refused, digest, explain_invalid
    from rules.values import Name, Reference
    from workflows.carried import Carried
    from workflows.recorder import OPENED, Outbox, durable
    from workflows.unreadable import sealed


class Stopped(Exception):
    """The complaint did not begin: a duplicate, a conflict or a bad start. Carries what the run ends with."""

    def __init__(self, result: dict[str, Any] | None = None, error: ApplicationError | None = None) -> None:
        self.result = result or {}
        self.error = error


@dataclass(frozen=True)
class Begun:
    """What a run starts from."""

    registered: Registered
    law: InForce
    case: Complaint
    outbox: Outbox
    ledger: tuple[Entry, ...] = ()
    """What was on record, unless a run before carried it on."""
    recorded: Recorded = field(default_factory=Recorded)


async def beginning(start: Any, surplus: tuple[Any, ...]) -> Begun:
    """What this run starts from, by the argument it was started with. Raises Stopped when there is nothing to run."""
    scheduled = workflow.info().cron_schedule
    if workflow.info().continued_run_id and not scheduled:
        # Not among the bad starts: what cannot be read here is our own fault and waits for a corrected worker.
        return _carried_on(Carried.model_validate(start))
    try:
        if scheduled:  # each of its runs is started as if by the one before
            raise Refused("A complaint runs once; start it without a schedule, and terminate this one.")
        if isinstance(start, dict) and start.keys() == Revival.model_fields.keys():
            return await _revived(Revival.model_validate(start))
        if unopened := sealed(start):
            raise Refused(unopened)
        if surplus:
            raise Refused("A complaint is started with one argument: an object as docs/wire.md describes it.")
        return await _opened(OpenComplaint.model_validate(start))
    except ValidationError as error:
        raise await _rejected(explain_invalid("The start of a complaint", error), start) from None
    except Refused as refusal:
        raise await _rejected(str(refusal), start) from None


def _carried_on(carried: Carried) -> Begun:
    """Goes on where the run before stopped; nothing was lost in between."""
    registered, law = _pinned(carried.registered)
    return Begun(registered, law, carried.case, carried.outbox())


async def _opened(asked: OpenComplaint) -> Begun:
    """Registers the complaint and records how it begins, in one step (invariant 17)."""
    info = workflow.info()
    _named(asked.contract, asked.reference)
    opening = Opening(
        start=asked,
        digest=digest(asked),
        first_run=info.first_execution_run_id,
        recorded_at=info.start_time,
    )
    opened = await durable(OPEN, opening, Opened, OPENED)
    match opened.registered.standing:
        case "duplicate":
            raise Stopped(result={"complaint": asked.complaint, "duplicate": True})
        case "conflict":
            raise Stopped(error=ApplicationError(opened.registered.message, type="Conflict", non_retryable=True))
        case "unknown contract" | "refused":
            raise Refused(opened.registered.message)
    return _from_record(opened)


async def _revived(revival: Revival) -> Begun:
    """Goes on from the ledger after Temporal lost the run before (invariant 18). What was missed is judged late."""
    _named(*revival.revive.split("/", 1))
    opened = await durable(REVIVE, Stream(complaint=revival.revive), Opened, OPENED)
    if opened.registered.standing != "new":
        raise Refused(opened.registered.message)
    return _from_record(opened)


def _from_record(opened: Opened) -> Begun:
    """The ledger is the truth, whoever decided it. What the time has brought since is judged next."""
    registered, law = _pinned(opened.registered)
    case = fold(list(opened.entries))
    return Begun(registered, law, case, Outbox(case.id, registered.version), opened.entries, opened.recorded)


def _pinned(registered: Registered) -> tuple[Registered, InForce]:
    """What the complaint is judged by, and its registration with the snapshot that all of them share."""
    law = law_of(registered.contract or {})
    return registered.model_copy(update={"contract": law.snapshot}), law


def _named(contract: str, reference: str = "") -> None:
    if workflow.info().workflow_id != complaint_id(contract, reference):
        raise Refused(f"The workflow id must be {complaint_id(contract, reference)}.")


async def _rejected(reason: str, start: Any) -> Stopped:
    """A start that cannot become a complaint: a row in the rejects and one clear failure."""
    info = workflow.info()
    named = start if isinstance(start, dict) else {}
    rejected = Rejected(
        workflow_id=info.workflow_id,
        first_run=info.first_execution_run_id,
        reason=reason,
        recorded_at=info.start_time,
        contract=_if_valid(Name, named.get("contract")),
        reference=_if_valid(Reference, named.get("reference")),
    )
    await durable(REJECT, rejected, type(None), "reject")
    return Stopped(error=ApplicationError(reason, type="Rejected", non_retryable=True))


def _if_valid(kind: Any, given: Any) -> str:
    """An id as given, or nothing: whatever else stands in its place may be somebody's words (invariant 19)."""
    try:
        return str(TypeAdapter(kind).validate_python(given))
    except ValidationError:
        return ""
