"""Where a complaint stands, and what may be done there (rule 1: ordered stages)."""

from __future__ import annotations

from rules.commands import Command
from rules.complaint import Complaint
from rules.contract import Contract, Stage
from rules.ledger import Refused

PROOF: dict[Stage, tuple[str, ...]] = {
    "answered": ("answer",),
    "investigating": ("findings",),
    "proposed": ("propose",),
    "resolved": ("resolve",),
    "confirming": ("tell_result.customer",),
}
"""The act that completes a stage's work and lets the next one begin (rule 28: findings before a decision)."""

WORK = ("hand_over", "contact.reached", "contact.tried", "preliminary_plan", "findings")
"""Acts that show an investigation has begun."""


def path_of(case: Complaint, contract: Contract) -> tuple[Stage, ...]:
    """The stages the contract asks of a complaint like this."""
    now_is = case.now_is
    return contract.path(now_is.kind, now_is.category, now_is.level, case.grade)


def reached(case: Complaint, contract: Contract) -> Stage:
    """The furthest stage of its path that the complaint has reached; a rejection sets it back."""
    if case.closed:
        return "closed"
    return next(stage for stage in reversed(path_of(case, contract)) if _entered(case, contract, stage))


def allows(case: Complaint, contract: Contract, command: Command) -> None:
    """Raises Refused when the command comes before what must precede it, and says what that is."""
    path = path_of(case, contract)
    needed = [stage for stage in command.needs if stage in path]
    if needed and not any(_proved(case, stage) for stage in needed):
        first = " or ".join(PROOF[stage][0] for stage in needed)
        raise Refused(f"{command.name} comes after {first}; the complaint is {reached(case, contract)}.")


def _entered(case: Complaint, contract: Contract, stage: Stage) -> bool:
    match stage:
        case "received":
            return True
        case "classified":
            known = case.now_is.level if contract.levels else case.now_is.category
            return known is not None or not (contract.levels or contract.categories)
        case "investigating":
            return bool(case.reopened) or case.did(*WORK)
        case "closed":
            return False
        case _:
            return case.did(*PROOF[stage])


def _proved(case: Complaint, stage: Stage) -> bool:
    """Findings stand through a rejection; answers, proposals and results have to be given anew."""
    if stage == "investigating":
        return any("findings" in act.names for act in case.acts)
    return case.did(*PROOF[stage])
