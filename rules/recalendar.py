"""What a re-plan by the calendar means for one clock: which calendar counts it, whether its plan moves, whom it tells.

A clock that was met stays as it was judged, by the calendar that it was counted by. Every other follows the newest.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rules.clock_record import Clock
from rules.clocks import Run
from rules.complaint import Complaint
from rules.law import InForce, in_force
from rules.ledger import Notice
from rules.moments import notices
from rules.waits import Pauses


def counting(case: Complaint, law: InForce, clock: Clock, run: Run) -> tuple[InForce, int]:
    """The law that counts a clock, and the entry of the re-plan that it comes from; 0 for the one of receipt."""
    if not case.calendars:
        return law, 0
    if clock.status == "met" and run.started_at == clock.started_at:
        return in_force(law, case, clock.calendar), clock.calendar
    return law, case.calendars[-1].seq


def differs(clock: Clock, plan: dict[str, Any]) -> bool:
    """Whether a plan moves the due or a rung of a clock, or makes it final or provisional."""
    rungs = [(rung["rung"], datetime.fromisoformat(rung["at"])) for rung in plan["rungs"]]
    return (
        datetime.fromisoformat(plan["due_at"]) != clock.due_at
        or plan["provisional"] != clock.provisional
        or rungs != [(rung.label, rung.at) for rung in clock.rungs]
    )


def keeps(clock: Clock, run: Run, paused: Pauses, plan: dict[str, Any]) -> dict[str, Any]:
    """What stays true of a clock in another calendar: that it stands still, and how late it was done if it was."""
    kept: dict[str, Any] = {}
    if clock.paused_at is not None and clock.paused_at == paused.open_since:
        kept["paused_at"] = clock.paused_at.isoformat()
    due = datetime.fromisoformat(plan["due_at"])
    if clock.status == "missed" and clock.done_at is not None and run.done_at == clock.done_at > due:
        kept["late_seconds"] = int((clock.done_at - due).total_seconds())
    return kept


def lifts(case: Complaint, clock: Clock, now: datetime) -> tuple[dict[str, Any], tuple[Notice, ...]]:
    """What is said of a miss that the calendar took away, and to whom: those who were told of it. Nothing of others."""
    if not case.calendars or case.calendars[-1].at != now:
        return {}, ()
    late = {rung.label for rung in clock.rungs if rung.at >= clock.due_at}
    told = [n.role for n in case.notices if n.clock == clock.id and n.round == clock.rearmed and n.rung in late]
    heard = notices(case, f"{clock.id}@lifted {case.seq + 1}", tuple(told))
    return {"years": sorted(case.calendars[-1].years)}, heard
