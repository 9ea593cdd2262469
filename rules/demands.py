"""What the principal demands after a miss, and whether it was answered (rule 46)."""

from __future__ import annotations

from rules.commands import AnswerDemand, Demand
from rules.complaint import Complaint, Demanded
from rules.ledger import Refused


def waiting(case: Complaint) -> list[Demanded]:
    """The demands that nobody has answered; what was taken back neither demands nor answers."""
    return [
        demand
        for demand in case.demands
        if case.act(demand.seq) is not None and (demand.answered is None or case.act(demand.answered) is None)
    ]


def missed(case: Complaint) -> list[str]:
    """The clocks whose miss counts."""
    return [clock.id for clock in case.clocks if clock.missed and not clock.cleared_at]


def demanded(case: Complaint, command: Demand) -> None:
    """Raises Refused unless a promise was missed, the one that is named if one is."""
    clocks = missed(case)
    if not clocks:
        raise Refused("No promise was missed, so nothing can be demanded (rule 46); use note.", "nothing_missed")
    if command.clock is not None and command.clock not in clocks:
        raise Refused(f"{command.clock!r} was not missed; missed were {', '.join(clocks)}.", "nothing_missed")


def answered(case: Complaint, command: AnswerDemand) -> None:
    """Raises Refused unless this demand waits for an answer."""
    open_ = [demand.seq for demand in waiting(case)]
    if command.demand not in open_:
        those = ", ".join(map(str, open_)) or "none"
        raise Refused(f"Entry {command.demand} is no demand that waits; those that do: {those}.", "no_demand")
