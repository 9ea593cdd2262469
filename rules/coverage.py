"""Whether somebody is there whenever a contract may tell something: asked before it happens."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from rules import duty
from rules.calendar import calendar_for
from rules.contract import Contract, DeliveryOf
from rules.directory import Directory
from rules.duty import Gap


def told(contract: Contract) -> set[str]:
    """Every role that a ladder or an act of the contract tells something."""
    rungs = {role for promise in contract.obligations.values() for step in promise.ladder for role in step.tell}
    return rungs | {role for roles in contract.notices.values() for role in roles}


def gaps(
    directory: Directory | None, contract: Contract, since: datetime, until: datetime, *, day_and_night: bool = False
) -> Iterator[tuple[str, Gap]]:
    """Each role that is told and has nobody at some time of a period, with that time, in the contract's zone.

    A role on call is wanted day and night (rule 23); any other in the contract's working hours only, unless
    `day_and_night`. A gap in working hours is cut to where these begin and end.
    """
    calendar = calendar_for(contract.calendar)
    for role in sorted(told(contract)):
        always = day_and_night or (role in contract.roles and contract.roles[role].on_call)
        for gap in duty.gaps(directory, contract.contract, role, since, until):
            if always:
                yield role, Gap(calendar.local(gap.start), calendar.local(gap.end), gap.reason)
            elif (missing := calendar.between(gap.start, gap.end)) > timedelta():
                start = calendar.next_opening(gap.start)
                yield role, Gap(start, calendar.add(start, missing), gap.reason)


def awaited(contract: Contract | None, command: str | None) -> bool:
    """Whether the acceptance of a notice about this act meets an obligation of the contract, or starts one."""
    if contract is None or command is None:
        return False
    return any(
        f"notice of {command}" in promise.met_by.parts or promise.starts == DeliveryOf(delivery_of=command)
        for promise in contract.obligations.values()
    )
