"""Whether the days of a year bring a complaint anything new, and what the ledger keeps of them (invariants 8, 9)."""

from __future__ import annotations

from typing import Any

from rules.calendar_years import Years, differ, plain
from rules.commands import Replan
from rules.complaint import Complaint
from rules.law import InForce, in_force
from rules.ledger import Refused
from rules.values import Actor


def replanned(case: Complaint, law: InForce, command: Replan, by: Actor) -> dict[str, Any]:
    """What the ledger keeps of a re-plan: the years that differ, whole, so that it alone is enough. Raises Refused."""
    if by.person is None:
        raise Refused("A re-plan is signed: name yourself, `by` with role and person.")
    calendar = in_force(law, case).contract.calendar
    if calendar.statutory is None:
        raise Refused("The contract's calendar has no public holidays, so no year can change it.")
    new = new_to(case, law, command.years)
    if not new:
        named = ", ".join(map(str, sorted(command.years)))
        raise Refused(f"Nothing differs: the complaint is counted by these days of {named} already.")
    published = [str(year) for year in new if not calendar.knows(year)]
    changed = [str(year) for year in new if calendar.knows(year)]
    why = [f"the calendar of {', '.join(published)} was published"] if published else []
    why += [f"the calendar of {', '.join(changed)} was changed"] if changed else []
    return {"years": plain(new), "why": "; ".join(why)}


def new_to(case: Complaint, law: InForce, years: Years) -> Years:
    """Those of the years, from its receipt on, whose days differ from what the complaint is counted by."""
    now_is = in_force(law, case)
    first = now_is.calendar.local(case.received_at).year
    known = now_is.contract.calendar.published
    return differ(known, {year: holidays for year, holidays in years.items() if year >= first})
