"""What a command needs to be taken: who may, when, and its own conditions. A refusal says what is possible instead."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from rules import closing, corrections, demands, merging, survey, waits
from rules.commands import (
    Absorb,
    Acknowledge,
    AnswerDemand,
    AnswerRequest,
    AnswerSurvey,
    ApproveCorrection,
    Assign,
    Close,
    Command,
    ConfirmReport,
    Contact,
    ContestRequest,
    Correct,
    CustomerWrites,
    Demand,
    Explain,
    GiveUp,
    HandOver,
    Link,
    Merge,
    Reclassify,
    Recuse,
    Reject,
    Release,
    Replan,
    Request,
    TakeBack,
    UndoMerge,
    Waive,
)
from rules.complaint import Complaint
from rules.law import InForce
from rules.ledger import Refused
from rules.replan import replanned
from rules.values import Actor

AHEAD = timedelta(minutes=2)
"""A sender's clock may run ahead of ours by so much; the time then counts as now (invariant 1)."""


def known(what: str, value: str | None, allowed: tuple[str, ...]) -> None:
    """Raises Refused, naming what there is, unless the value is left out or the contract has it."""
    if value is not None and value not in allowed:
        names = ", ".join(allowed) or f"no {what}s at all"
        raise Refused(f"Unknown {what} {value!r}; the contract has {names}.")


def happened(given: datetime | None, now: datetime, field_name: str) -> tuple[datetime, str | None]:
    """The time an act counts from, and the time as given where that differs."""
    if given is None:
        return now, None
    if given > now + AHEAD:
        raise Refused(
            f"{field_name} {given.isoformat()} lies in the future (it is {now.isoformat()}); "
            "at most 2 minutes ahead are taken. Check the clock and the offset."
        )
    return (now, given.isoformat()) if given > now else (given, None)


def doer(case: Complaint, law: InForce, command: Command) -> Actor:
    """Who did it; checks that the role exists and may (docs/commands.md), and rule 37."""
    by = command.by or Actor(role=command.who[0])
    parties = {"handler", "principal", "third_party", "complainant"} | set(command.who)
    for actor in (by, command.reported_by, command.on_behalf_of):
        if actor and actor.role not in law.contract.roles and actor.role not in parties:
            raise Refused(f"Unknown role {actor.role!r}; the contract has {', '.join(law.contract.roles)}.")
        if actor and actor.person and actor.person in case.against:
            raise Refused(
                f"{actor.person} is complained about and may not act on this complaint (rule 37).", "involved"
            )
    if by.role.partition(".")[0] not in command.who:
        raise Refused(f"{by.role} may not {command.name}; {' or '.join(command.who)} may.")
    return by


def check(  # noqa: C901, PLR0912  one for each command
    case: Complaint, law: InForce, command: Command, by: Actor, now: datetime
) -> dict[str, Any]:
    """The command's own conditions, and what the ledger keeps of it."""
    data, at = command.facts(), command.occurred_at or now
    match command:
        case HandOver(to=role):
            known("role", role, tuple(law.contract.roles))
        case Contact(role=role):
            known("role", role, (*law.contract.roles, "complainant"))
        case Assign(person=person) if person in case.against:
            raise Refused(f"{person} is complained about and may not own this complaint (rule 37).")
        case Reclassify():
            data |= _check_classes(case, law, command)
            known_at, original = happened(command.known_at, now, "known_at")
            data |= {"known_at": known_at.isoformat(), "known_at_given": original} if original else {}
            if command.category:
                default = law.contract.categories[command.category].default_level
                data |= {"level": default} if default and not (command.level or case.now_is.level) else {}
                data["route"] = law.contract.categories[command.category].route or law.contract.owner
        case Explain():
            if not any(clock.missed and not clock.cleared_at for clock in case.clocks):
                raise Refused("No clock is missed, so there is nothing to explain; use update_customer or note.")
        case Acknowledge():
            data["notices"] = _acknowledges(case, law, command, by)
        case GiveUp():
            _given_up(case, command)
        case Reject():
            closing.rejectable(case, law, at)
        case Close():
            data["reason"] = closing.closable(case, law, command)
        case TakeBack():
            closing.taken_back(case, law, at)
        case CustomerWrites():
            data |= closing.written_after(case, law, at)
        case Merge() | UndoMerge() | Absorb() | Release():
            data |= merging.check(case, command)
        case Link(to=to) if to == case.reference:
            raise Refused("A complaint cannot be linked to itself; name the other one.")
        case Recuse(person=person):
            if person in case.against:
                raise Refused(f"{person} may have nothing to do with this complaint already.")
            data["against"] = [*case.against, person]
        case _:
            data |= _about_others(case, law, command, by, now)
    return data


def _check_classes(case: Complaint, law: InForce, command: Reclassify) -> dict[str, Any]:
    """The level it lowers, if it does: such cases are listed for the principal."""
    contract, before = law.contract, case.now_is
    known("kind", command.kind, contract.kinds)
    known("category", command.category, tuple(contract.categories))
    known("level", command.level, tuple(contract.levels))
    if command.known_at and command.known_at < case.received_at:
        raise Refused("known_at lies before the receipt; facts known then make it `misjudged`, not `new_facts`.")
    order = list(contract.levels)
    lowers = command.level and before.level and order.index(command.level) < order.index(before.level)
    if lowers and not command.approved_by:
        raise Refused(f"Lowering from level {before.level} to {command.level} needs `approved_by`.")
    return {"lowered_from": before.level} if lowers else {}


def _about_others(case: Complaint, law: InForce, command: Command, by: Actor, now: datetime) -> dict[str, Any]:
    """The conditions of what is asked of others or said about the record, and what the ledger keeps of it."""
    match command:
        case Request():
            return waits.asked(command, command.occurred_at or now, tuple(law.contract.roles))
        case AnswerRequest() | ContestRequest():
            waits.answered(case, command, by, command.occurred_at or now)
        case Demand():
            demands.demanded(case, command)
        case AnswerDemand():
            demands.answered(case, command)
        case AnswerSurvey():
            return survey.answered(case, law, command, now)
        case Correct():
            return corrections.proposed(case, command, by, now)
        case Replan():
            return replanned(case, law, command, by)
        case ApproveCorrection():
            return corrections.approved(case, command, by, now)
        case Waive(clock=clock_id):
            running = [clock.id for clock in case.clocks if clock.status == "running"]
            if clock_id not in running:
                raise Refused(
                    f"No clock {clock_id!r} runs that could be waived; those that do: {_listed(running)}.", "no_clock"
                )
        case ConfirmReport():
            _check_report(case, law, command, by)
    return {}


def _check_report(case: Complaint, law: InForce, command: ConfirmReport, by: Actor) -> None:
    waiting = [clock.id for clock in case.clocks if clock.report == "unconfirmed"]
    if command.clock not in waiting:
        raise Refused(
            f"No late report about {command.clock!r} waits to be confirmed; those that do: {_listed(waiting)}.",
            "no_report",
        )
    if by.role != law.contract.late_reports.confirmed_by:
        raise Refused(
            f"{by.role} cannot confirm a late report; {law.contract.late_reports.confirmed_by} can.", "not_yours"
        )


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none"


def _given_up(case: Complaint, command: GiveUp) -> None:
    """Only what reached nobody can be given up."""
    if command.refused and command.refused > case.seq:
        raise Refused(f"There is no entry {command.refused}; the last one is {case.seq}.")
    known = {notice.key: notice for notice in case.notices}
    for key in command.notices:
        notice = known.get(key)
        if notice is None:
            raise Refused(f"Unknown notice {key!r}; this complaint has {', '.join(known) or 'none'}.")
        if notice.accepted or notice.acknowledged:
            raise Refused(f"The notice {key!r} arrived; there is nothing to give up.")


def _acknowledges(case: Complaint, law: InForce, command: Acknowledge, by: Actor) -> list[str]:
    if command.to:
        known("role", command.to, tuple(law.contract.roles))
    mine = [n.key for n in case.notices if n.role == by.role and not n.acknowledged]
    if not command.notices:
        if not mine:
            raise Refused(f"No open notice to {by.role}; give `by` with the role that was told.")
        return mine
    roles = {n.key: n.role for n in case.notices}
    for key in command.notices:
        if key not in roles:
            raise Refused(f"Unknown notice {key!r}; this complaint has {', '.join(roles) or 'none'}.")
        if roles[key] != by.role:
            raise Refused(f"The notice {key!r} went to {roles[key]}; {by.role} cannot acknowledge it.", "not_yours")
    return list(command.notices)
