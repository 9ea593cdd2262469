"""How a complaint ends, and what may open it again: silence, customers out of reach, withdrawals, later messages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rules import terms
from rules.commands import Close, Complainant, OpenComplaint
from rules.complaint import Act, Complaint
from rules.law import InForce
from rules.ledger import Entry, Refused

LONGEST_REFERENCE = 100

TOLD = ("tell_result.customer",)
SPOKEN = ("respond", "answer", "update_customer", "no_reply_needed", *TOLD)
"""Acts after which it is the customer's turn again."""


def silence(case: Complaint, law: InForce) -> datetime | None:
    """When silence closes the case: the contract's time after the result was told, or after our reply when the customer
    wrote since. While the customer waits for a reply it is ours, and closes nothing.
    """
    if case.closed or not case.did("resolve", "answer"):
        return None
    path = law.contract.path(case.now_is.kind, case.now_is.category, case.now_is.level, case.grade)
    told = case.last(*TOLD) if "confirming" in path else case.last("resolve", "answer")
    if told is None:
        return None
    wrote = max((message.at for message in case.messages if message.at > told), default=None)
    if wrote is not None:
        replied = case.last(*SPOKEN)
        if replied is None or replied < wrote:
            return None
        told = replied
    closed = tuple((i.since, i.until) for i in case.interludes if i.stands_still and i.until > told)
    return terms.due(law.contract.confirmation.silence, told, law.calendar, closed).at


def ended(case: Complaint) -> Refused:
    """Why nothing can be added any more, and where to go on."""
    closed = case.closed
    assert closed is not None  # noqa: S101  asked of closed cases alone
    if closed.into:
        return Refused(f"Complaint {case.id} was merged into {closed.into}; go on there, or `undo_merge` here.")
    back = " or `take_back` the withdrawal" if closed.reason == "withdrawn" else ""
    return Refused(
        f"Complaint {case.id} is closed ({closed.reason}); nothing can be added. "
        f"Open a new complaint that `follows` this one{back}."
    )


def closable(case: Complaint, law: InForce, command: Close) -> str:
    """The reason a closing goes on record under. Raises Refused."""
    confirmation = law.contract.confirmation
    if command.unreachable:
        return _unreachable(case, law, command)
    left = confirmation.reopenings - len(case.reopened)
    if not command.agreement and left > 0:
        raise Refused(f"The customer may still reject {left} times; close without agreement comes after that.")
    return "confirmed" if command.agreement else "without agreement"


def _unreachable(case: Complaint, law: InForce, command: Close) -> str:
    asked = law.contract.confirmation.unreachable
    if asked is None:
        raise Refused("The contract does not let a complaint close because the customer cannot be reached.")
    until = command.occurred_at
    tried = [act for act in _attempts(case) if until is None or act.at <= until]
    days = {law.calendar.local(act.at).date() for act in tried}
    if len(tried) < asked.attempts or len(days) < asked.days:
        raise Refused(
            f"The contract asks for {asked.attempts} attempts on {asked.days} days to reach the customer; "
            f"on record are {len(tried)} on {len(days)}. Report each as contact, role complainant, outcome tried."
        )
    return "unreachable"


def _attempts(case: Complaint) -> list[Act]:
    """Tries to reach the customer since it was last heard of."""
    heard = max((act.at for act in (*case.messages, *case.done("contact.reached:complainant"))), default=None)
    return [act for act in case.done("contact.tried:complainant") if heard is None or act.at > heard]


def rejectable(case: Complaint, law: InForce, at: datetime) -> None:
    """Raises Refused when the customer has rejected as often as the contract reopens, or the case ended for good."""
    if len(case.reopened) >= law.contract.confirmation.reopenings:
        instead = "open one that `follows` it" if case.closed else "close with agreement: false"
        raise Refused(f"The case was reopened {len(case.reopened)} times, as often as the contract reopens; {instead}.")
    if case.closed and not _reopens(case, law, at):
        raise ended(case)


def taken_back(case: Complaint, law: InForce, at: datetime) -> None:
    """Raises Refused unless a withdrawal stands that may still be taken back."""
    closed = case.closed
    if closed is None or closed.reason != "withdrawn":
        raise Refused("There is no withdrawal to take back; the complaint was not withdrawn.")
    within = law.contract.after_closure.take_back
    if within is not None and at > (last := terms.due(within, closed.at, law.calendar).at):
        raise Refused(
            f"A withdrawal can be taken back within {within}, that was until {last.isoformat()}. "
            "Open a new complaint that `follows` this one."
        )
    if at < closed.at:
        raise Refused(f"The complaint was withdrawn at {closed.at.isoformat()}; it cannot be taken back before that.")


def written_after(case: Complaint, law: InForce, at: datetime) -> dict[str, Any]:
    """What a message after the end does by the contract, for the ledger. Raises Refused where the case was merged."""
    closed = case.closed
    if closed is None:
        return {}
    if closed.into:
        raise ended(case)
    if law.contract.after_closure.customer_writes == "attach":
        return {"after": "attached"}
    if _reopens(case, law, at) and len(case.reopened) < law.contract.confirmation.reopenings:
        return {"after": "reopened"}
    ending = f".{case.followed + 2}"
    return {"after": "followed", "opens": case.reference[: LONGEST_REFERENCE - len(ending)] + ending}


def _reopens(case: Complaint, law: InForce, at: datetime) -> bool:
    section, closed = law.contract.after_closure, case.closed
    if closed is None or closed.into or section.customer_writes != "reopen":
        return False
    return section.within is None or at <= terms.due(section.within, closed.at, law.calendar).at


def follow_up(case: Complaint, entry: Entry, text: str) -> OpenComplaint | None:
    """The complaint that a message after the end opens, when it opens one."""
    if "opens" not in entry.data:
        return None
    return OpenComplaint(
        contract=case.contract,
        reference=entry.data["opens"],
        kind=case.now_is.kind,
        category=case.now_is.category,
        channel=entry.data.get("channel") or case.channel,
        received_at=entry.occurred_at,
        content=text,
        complainant=Complainant.model_validate(
            {"id": case.complainant, "grade": case.grade, "language": case.language, "needs": case.needs}
        ),
        against=next(iter(case.against), None),
        follows=case.reference,
        evidence=entry.evidence,
        by=entry.by if entry.by.role.partition(".")[0] == "handler" else None,
        via=entry.via or "client",
        authenticated_as=entry.authenticated_as,
    )


def consequence(before: Complaint, case: Complaint, entry: Entry) -> tuple[str, dict[str, Any]] | None:
    """The closing or reopening that follows from what was just recorded: type and data of its entry."""
    if entry.type in _CLOSES:
        into = {"into": entry.data["into"]} if entry.type == "merged" else {}
        return "closed", {"command": "close", "act": entry.seq, "reason": entry.type, "agreement": True, **into}
    reason = _REOPENS.get(entry.type) or _reopened(before, case, entry)
    return ("reopened", {"command": "reopen", "act": entry.seq, "reason": reason}) if reason else None


_CLOSES = ("accepted", "withdrawn", "merged")
_REOPENS = {"withdrawal_taken_back": "withdrawal taken back", "merge_undone": "merge undone"}


def _reopened(before: Complaint, case: Complaint, entry: Entry) -> str:
    match entry.type:
        case "rejected" if before.closed:
            return "rejected"
        case "customer_wrote" if entry.data.get("after") == "reopened":
            return "customer wrote"
        case "correction_approved" if case.closed and entry.data.get("void"):
            return "corrected" if case.closed.act == entry.data["corrects"] else ""
    return ""
