"""The decisions: what a command or an opening does to a complaint, or why it is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rules import closing
from rules.commands import (
    Acknowledge,
    AnswerSurvey,
    ApproveCorrection,
    Command,
    CustomerWrites,
    OpenComplaint,
    Replan,
    Request,
    Via,
)
from rules.complaint import Complaint
from rules.conditions import check, doer, happened, known
from rules.fold import evolve, opened
from rules.judge import settle
from rules.law import InForce, in_force
from rules.ledger import ContentRef, Entry, Notice, Refused, content_ref, digest, plain
from rules.moments import notices, notices_of_act
from rules.notices import Outcome
from rules.stage import allows
from rules.survey import told_roles
from rules.values import SYSTEM, Actor


@dataclass(frozen=True, slots=True)
class Decision:
    """The entries to record, in order, the complaint after them, and the texts that belong to them by sequence."""

    case: Complaint
    entries: list[Entry] = field(default_factory=list)
    texts: dict[int, dict[str, str]] = field(default_factory=dict)
    repeats: int = 0
    """The entry that a repeated command stands at already; nothing new is decided then."""
    opens: OpenComplaint | None = None
    """A complaint that follows this one, to be started."""


def admit(start: OpenComplaint, law: InForce, recorded_at: datetime) -> tuple[datetime, str | None]:
    """Whether a start can become a complaint: the receipt it counts from, and the one it gave where that differs.

    Raises Refused for a kind, category, level or grade that the contract does not know, and for a future receipt.
    """
    contract = law.contract
    known("kind", start.kind, contract.kinds)
    known("category", start.category, tuple(contract.categories))
    known("level", start.level, tuple(contract.levels))
    known("grade", start.complainant.grade, tuple(contract.grades))
    return happened(start.received_at, recorded_at, "received_at")


def open_complaint(start: OpenComplaint, law: InForce, recorded_at: datetime, now: datetime) -> Decision:
    """The opening and every clock it sets going.

    `recorded_at` is when Ombud first heard of it, `now` when this runs: rungs between the two are late, not passed.
    Raises Refused as `admit` does.
    """
    contract = law.contract
    received_at, original = admit(start, law, recorded_at)
    category = contract.categories.get(start.category) if start.category else None
    level = start.level or (category.default_level if category else None)
    texts = start.texts()
    data: dict[str, Any] = {
        "command": "open",
        "contract": start.contract,
        "reference": start.reference,
        "kind": start.kind,
        "category": start.category,
        "level": level,
        "channel": start.channel,
        "raised_at": start.raised_at.isoformat() if start.raised_at else None,
        "received_how": start.received_how,
        "complainant": start.complainant.id,
        "grade": start.complainant.grade,
        "needs": list(start.complainant.needs) or None,
        "language": start.language or start.complainant.language,
        "against": start.against,
        "incident": start.incident,
        "follows": start.follows,
        "history": start.history or None,
        "occurred_at_given": original,
        "route": category.route if category and category.route else contract.owner,
        "flags": _flags_at_opening(start, law, received_at) or None,
    }
    first = Entry(
        seq=1,
        type="opened",
        by=start.by or Actor(role="handler"),
        reported_by=start.reported_by,
        via=start.via,
        authenticated_as=start.authenticated_as,
        occurred_at=received_at,
        recorded_at=recorded_at,
        evidence=start.evidence,
        data={name: value for name, value in data.items() if value is not None},
        content=_refs(texts),
    )
    case = opened(first)
    told = () if start.history else notices_of_act(case.model_copy(update={"seq": 0}), contract, "open")
    if told:
        first = first.model_copy(update={"notices": told})
        case = evolve(opened(first), first)
    case, judged = settle(case, law, now)
    return Decision(case, [first, *judged], {1: texts})


def decide(case: Complaint, law: InForce, command: Command, now: datetime, key: str | None, via: Via) -> Decision:
    """What a command does. A command seen before under its key does nothing again (invariant 16).

    `key` is the idempotency key unless the command has its own. Raises Refused, with what is possible instead.
    """
    key = command.key or key
    fingerprint = digest(command)
    if key in case.keys:
        if case.keys[key][0] != fingerprint:
            raise Refused(f"The key {key!r} was used for another command; give a new command a new key.", "key_used")
        return Decision(case, repeats=case.keys[key][1])
    if case.closed and not command.after_closure:
        raise closing.ended(case)
    law = in_force(law, case)
    by = doer(case, law, command)
    allows(case, law.contract, command)
    occurred_at, original = happened(command.occurred_at, now, "occurred_at")
    if occurred_at < case.received_at:
        raise Refused(
            f"occurred_at {occurred_at.isoformat()} lies before the receipt at {case.received_at.isoformat()}; "
            "an act cannot answer a complaint that was not there yet."
        )
    data = check(case, law, command, by, now)
    texts = command.texts()
    flags = [
        f"forbidden promise: {said}"
        for said in law.contract.scripts.forbidden
        if any(said in t for t in texts.values())
    ]
    data |= {"command": command.name, "acts": list(command.acts())}
    data |= {"occurred_at_given": original} if original else {}
    data |= {"flags": flags} if flags else {}
    entry = Entry(
        seq=case.seq + 1,
        type=command.event,
        by=by,
        reported_by=command.reported_by,
        on_behalf_of=command.on_behalf_of,
        via=command.via or via,
        authenticated_as=command.authenticated_as,
        occurred_at=occurred_at,
        recorded_at=now,
        evidence=command.evidence,
        internal=command.internal,
        key=key,
        digest=fingerprint if key else None,
        data=data,
        content=_refs(texts),
        notices=_tells(case, law, command, data),
    )
    entries = [entry]
    before, case = case, evolve(case, entry)
    reopening = _reopening(case, law, entry)
    if reopening is not None:
        entries.append(reopening)
        case = evolve(case, reopening)
    if follows := closing.consequence(before, case, entries[-1]):
        kind, said = follows
        consequence = Entry(
            seq=case.seq + 1,
            type=kind,
            by=SYSTEM,
            occurred_at=occurred_at,
            recorded_at=now,
            data=said,
            notices=notices_of_act(case, law.contract, said["command"]),
        )
        entries.append(consequence)
        case = evolve(case, consequence)
    case, judged = settle(case, law, now)
    if isinstance(command, (ApproveCorrection, Replan)):
        by_what = "calendar" if isinstance(command, Replan) else "correction"
        judged = _found(judged, settle(before, law, now)[0], by_what)
    opens = closing.follow_up(before, entry, texts.get("text", ""))
    return Decision(case, entries + judged, {entry.seq: texts} if texts else {}, opens=opens)


def _found(judged: list[Entry], otherwise: Complaint, by: str) -> list[Entry]:
    """Misses that would not be on record otherwise say what found them: a correction or the calendar (invariant 7)."""
    missed = {clock.id for clock in otherwise.clocks if clock.status == "missed"}
    return [
        entry.model_copy(update={"data": entry.data | {"found_by": by}})
        if entry.type == "clock_missed" and entry.data["clock"] not in missed
        else entry
        for entry in judged
    ]


def tick(case: Complaint, law: InForce, now: datetime) -> Decision:
    """Every judgement that time alone has brought by `now`."""
    case, judged = settle(case, law, now)
    return Decision(case, judged)


def refuse(case: Complaint, command: str, reason: str, now: datetime) -> Decision:
    """The record of a signal that could not be taken: nobody waits for its answer, so it stands in the queue."""
    entry = Entry(
        seq=case.seq + 1,
        type="refused",
        by=SYSTEM,
        via="signal",
        occurred_at=now,
        recorded_at=now,
        data={"command": plain(command), "reason": reason[:2000]},
    )
    return Decision(evolve(case, entry), [entry])


def cancel(case: Complaint, now: datetime) -> Decision:
    """The record of a cancel request: it ends nothing, a complaint ends by `withdraw` or `close`."""
    entry = Entry(seq=case.seq + 1, type="cancel_ignored", by=SYSTEM, via="ui", occurred_at=now, recorded_at=now)
    return Decision(evolve(case, entry), [entry])


def deliver(case: Complaint, law: InForce, outcome: Outcome, now: datetime) -> Decision:
    """What became of a notice, where a ladder or an obligation must know. Known outcomes change nothing."""
    notice = next((n for n in case.notices if n.key == outcome.notice), None)
    if notice is None or case.closed:
        return Decision(case)
    if (notice.accepted, notice.undeliverable_at is not None) == (outcome.accepted, not outcome.accepted):
        return Decision(case)
    bounced = notice.accepted and not outcome.accepted
    kind = "notice_accepted" if outcome.accepted else "notice_bounced" if bounced else "notice_undeliverable"
    entry = Entry(
        seq=case.seq + 1,
        type=kind,
        by=SYSTEM,
        occurred_at=min(outcome.at, now),
        recorded_at=now,
        data={"notice": notice.key, "of": notice.of, "role": notice.role, "reason": outcome.reason},
    )
    case = evolve(case, entry)
    case, judged = settle(case, law, now)
    return Decision(case, [entry, *judged])


def _reopening(case: Complaint, law: InForce, survey: Entry) -> Entry | None:
    """Dissatisfaction that the contract takes for a rejection, in the customer's name."""
    if survey.data.get("effect") != "reopen":
        return None
    return Entry(
        seq=case.seq + 1,
        type="rejected",
        by=survey.by,
        via=survey.via,
        authenticated_as=survey.authenticated_as,
        occurred_at=survey.occurred_at,
        recorded_at=survey.recorded_at,
        data={"command": "reject", "acts": ["reject"], "survey": survey.seq},
        notices=() if case.history else notices_of_act(case, law.contract, "reject"),
    )


def _tells(case: Complaint, law: InForce, command: Command, data: dict[str, Any]) -> tuple[Notice, ...]:
    """Whom the contract tells of this act, and whom its own fields name. What was told once for all cases of an
    incident is also passed on once for all of them."""
    if case.history:
        return ()
    roles, crowd, crowded = law.contract.notices.get(command.name, ()), "", ""
    match command:
        case Request(of=role) if role in law.contract.roles:
            roles = (*roles, role)
        case Acknowledge(to=role) if role:
            crowds = {notice.crowd for notice in case.notices if notice.key in data["notices"]}
            crowd = f"{crowds.pop()}/passed" if len(crowds) == 1 and all(crowds) else ""
            roles, crowded = (*roles, role), role
        case AnswerSurvey():
            roles = (*roles, *told_roles(law.contract.survey, data))
        case CustomerWrites() if data.get("after") == "attached":
            roles = (*roles, law.contract.owner)  # no clock runs that would bring it to anybody's eyes
    return notices(case, f"{command.name}#{case.seq + 1}", roles, crowd=crowd, crowded=(crowded,))


def _flags_at_opening(start: OpenComplaint, law: InForce, received_at: datetime) -> list[str]:
    """What is odd but no reason to lose a complaint (rules 12, 127)."""
    flags = []
    if law.contract.channels and start.channel not in law.contract.channels:
        flags.append(f"channel not in the contract: {start.channel}")
    if not law.contract.term.covers(law.calendar.local(received_at).date()):
        flags.append("received outside the contract's term")
    return flags


def _refs(texts: dict[str, str]) -> tuple[ContentRef, ...]:
    return tuple(content_ref(name, text) for name, text in texts.items())
