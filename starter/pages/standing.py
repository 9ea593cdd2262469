"""Where a case stands for its customer: promises kept to them, the result they were told, what they may do now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from rules import closing
from rules.clock_record import Clock
from rules.commands import Accept
from rules.complaint import Complaint
from rules.contract import MetBy
from rules.law import InForce
from rules.ledger import Entry, Refused
from rules.stage import allows, reached

What = Literal["reply", "message", "answer", "news", "proposal", "resolution", "result"]

_WHAT: tuple[tuple[str, What], ...] = (
    ("tell_result.customer", "result"),
    ("resolve", "resolution"),
    ("propose", "proposal"),
    ("answer", "answer"),
    ("update_customer", "news"),
)
"""What a promise is to the customer, by an act that meets it. Promises met by other acts are no business of theirs."""


@dataclass(frozen=True, slots=True)
class Promise:
    """Something promised to the customer."""

    what: What
    due_at: datetime
    done_at: datetime | None
    late: bool
    provisional: bool
    """Counted through a year whose holidays nobody has published (invariant 9)."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the customer's page says and offers."""

    stage: str
    closed_at: datetime | None
    reason: str
    """Why it was closed."""
    outcome: str
    told: int | None
    """The entry whose words told the result."""
    promises: tuple[Promise, ...]
    next: Promise | None
    """What is due next."""
    may_write: bool
    may_accept: bool
    may_reject: bool
    may_withdraw: bool
    may_take_back: bool


def standing_of(case: Complaint, law: InForce, entries: Sequence[Entry], now: datetime) -> Standing:
    """How the case stands for its customer at an instant. What is internal is not for them."""
    since = case.reopened[-1] if case.reopened else 0
    recent = [entry for entry in entries if entry.seq > since and not entry.internal and case.act(entry.seq)]
    told = [e.seq for e in recent if e.type == "answered" or (e.type == "result_told" and e.data["to"] == "customer")]
    outcome = [entry.data["outcome"] for entry in recent if entry.type == "resolved"]
    promises = tuple(promise for clock in case.clocks if (promise := _promise(clock, law, now)) is not None)
    waits = [promise for promise in promises if promise.done_at is None and not promise.late]
    may_accept = case.closed is None and bool(told) and _allowed(case, law)
    return Standing(
        stage=reached(case, law.contract),
        closed_at=case.closed.at if case.closed else None,
        reason=case.closed.reason if case.closed else "",
        outcome=outcome[-1] if outcome and told else "",
        told=told[-1] if told else None,
        promises=promises,
        next=min(waits, key=lambda promise: promise.due_at, default=None) if case.closed is None else None,
        may_write=case.closed is None or not case.closed.into,
        may_accept=may_accept,
        may_reject=bool(told) and _allowed(case, law) and _rejectable(case, law, now),
        may_withdraw=case.closed is None,
        may_take_back=_revocable(case, law, now),
    )


def _revocable(case: Complaint, law: InForce, now: datetime) -> bool:
    try:
        closing.taken_back(case, law, now)
    except Refused:
        return False
    return True


def _promise(clock: Clock, law: InForce, now: datetime) -> Promise | None:
    """A clock in the customer's words; nothing for one that ended, or whose promise is no business of theirs."""
    obligation = law.contract.obligations.get(clock.obligation)
    what = _what(obligation.met_by, obligation.starts == "customer message") if obligation else None
    if what is None or clock.status == "ended":
        return None
    missed = clock.status == "missed" and not clock.cleared_at
    return Promise(
        what=what,
        due_at=clock.due_at,
        done_at=clock.done_at,
        late=missed or (clock.done_at is None and clock.due_at < now),
        provisional=clock.provisional and clock.done_at is None,
    )


def _what(met_by: MetBy, of_a_message: bool) -> What | None:
    acts = {part.partition(":")[0] for part in met_by.parts}
    if "respond" in acts:
        return "message" if of_a_message else "reply"
    return next((what for act, what in _WHAT if act in acts), None)


def _allowed(case: Complaint, law: InForce) -> bool:
    try:
        allows(case, law.contract, Accept())
    except Refused:
        return False
    return True


def _rejectable(case: Complaint, law: InForce, now: datetime) -> bool:
    try:
        closing.rejectable(case, law, now)
    except Refused:
        return False
    return True
