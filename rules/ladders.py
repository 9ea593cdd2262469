"""Ladders: when each rung of a clock is reached, whom it tells, and what silences it (invariants 11, 13, 14)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from rules import terms
from rules.clock_record import Clock
from rules.complaint import Acknowledgement, Complaint, NoticeState
from rules.contract import Obligation, Step
from rules.law import InForce
from rules.measure import Wait
from rules.moments import Moment, notices

OVERTAKEN = "before its calendar was known"
"""What the entry of a rung says when a re-plan by the calendar put the rung into the past."""

PROMPT = timedelta(minutes=1)
"""Registered within this of a rung, the rung is told as usual; longer after it, it counts as passed (invariant 11)."""


def ladder(
    promise: Obligation, start: datetime, due: datetime, law: InForce, waited: Sequence[Wait] = ()
) -> Iterator[tuple[Step, datetime]]:
    """Every rung of a clock with its instant, in the calendar's zone (invariant 14)."""
    for step in promise.ladder:
        if step.after is not None:
            at = terms.after(step.after, due, law.calendar, step.hours)
        else:
            fraction = step.fraction
            at = due if fraction is None else terms.point(promise.due, start, due, fraction, law.calendar, waited)
            if step.hours == "working":
                at = law.calendar.next_opening(at)
        yield step, at


def reached(
    case: Complaint,
    clock: Clock,
    promise: Obligation,
    over: datetime | None,
    paused_at: datetime | None,
    now: datetime,
    order: int,
    about: dict[str, Any],
) -> Iterator[Moment]:
    """The next rung of a ladder that has been reached; a ladder stops when its clock is done or ended."""
    for index, rung in enumerate(clock.rungs):
        if rung.reached:
            continue
        at, answered = _stands(case, clock, promise.ladder, index)
        if at > now or (over is not None and at >= over):
            continue
        if paused_at is not None and at >= paused_at:
            continue
        if at >= clock.due_at and clock.status != "missed":
            continue
        data: dict[str, Any] = {**about, "rung": rung.label, **({"round": clock.rearmed} if clock.rearmed else {})}
        name = f"{rung.label} {clock.rearmed + 1}" if clock.rearmed else rung.label
        steps = [promise.ladder[index]]
        if over is not None and over <= clock.due_at:
            data["passed"], steps = "over before it could be told", []
        elif answered:
            data["silenced_by"], steps = answered, []
        elif rung.label in clock.overtaken and at <= case.calendars[-1].at:
            data |= {"passed": OVERTAKEN, "years": sorted(case.calendars[-1].years)}
            steps = _told_of_the_calendar(clock, promise.ladder, index)
        elif at <= clock.known_at - PROMPT:
            data["passed"] = "before it was registered"
            steps = _told_once(clock, promise.ladder, index)
        yield Moment(
            at,
            4,
            order,
            "rung_reached",
            data,
            notices(
                case,
                f"{clock.id}@{name}",
                tuple(role for step in steps for role in step.tell),
                promise.urgent,
                crowd=f"{case.contract}/{case.incident}/{clock.obligation}@{name}" if case.incident else "",
                crowded=_crowded(steps),
            ),
        )
        return


def _told_of_the_calendar(clock: Clock, ladder: tuple[Step, ...], index: int) -> list[Step]:
    """Of the rungs that a re-plan put into the past one tells for all. The due rung, when the calendar brings a miss
    to light: every role that was told or would have been. Otherwise the last, and only the roles of those rungs.
    """
    overtaken = [i for i, rung in enumerate(clock.rungs) if rung.label in clock.overtaken]
    first_late = next((i for i, rung in enumerate(clock.rungs) if rung.at >= clock.due_at), None)
    found = first_late in overtaken
    if index != (first_late if found else overtaken[-1]):
        return []
    said = range(overtaken[-1] + 1) if found else overtaken
    return [ladder[i] for i in said]


def _crowded(steps: Sequence[Step]) -> set[str]:
    """The roles that all of these steps tell once an incident."""
    told = {role for step in steps for role in step.tell}
    return told - {role for step in steps if step.per == "case" for role in step.tell}


def _told_once(clock: Clock, ladder: tuple[Step, ...], index: int) -> list[Step]:
    """Of the rungs passed before registration only the last tells, and tells every role of them (invariant 11)."""
    passed = [i for i, rung in enumerate(clock.rungs) if rung.at <= clock.known_at - PROMPT]
    if index != passed[-1]:
        return []
    return [ladder[i] for i in passed]


def rung_at(case: Complaint, clock: Clock, ladder: tuple[Step, ...], index: int) -> datetime:
    """When a rung is reached, given what became of the notices before it (invariant 13)."""
    return _stands(case, clock, ladder, index)[0]


def _stands(case: Complaint, clock: Clock, ladder: tuple[Step, ...], index: int) -> tuple[datetime, int | None]:
    """When a rung is reached, and the acknowledgement that silences it.

    Undeliverable counts as unacknowledged at once; "taken over until" puts the rung off until then. What was said once
    the rung was reached changes nothing, whoever looked in between (invariants 1, 11).
    """
    nominal = clock.rungs[index].at
    if ladder[index].unless != "acknowledged":
        return nominal, None
    answering = _answering(case, clock, index)
    told = [n for n in answering if n.rung == _last_told(case, clock, index)]
    failed = [n.undeliverable_at for n in told if n.undeliverable_at is not None]
    if told and len(failed) == len(told):
        nominal = min(nominal, max(failed))
    at, last = nominal, dict[str, Acknowledgement]()
    for said, key in sorted(((said, n.key) for n in answering for said in n.acknowledged), key=_by_time):
        if said.at > at:
            break
        last[key] = said
        at = max([nominal, *(one.until for one in last.values() if one.until is not None)])
    return at, next((one.seq for one in last.values() if one.until is None), None)


def _by_time(said: tuple[Acknowledgement, str]) -> tuple[datetime, int]:
    return said[0].at, said[0].seq


def _last_told(case: Complaint, clock: Clock, index: int) -> str:
    labels = [rung.label for rung in clock.rungs[:index]]
    told = [n.rung for n in case.notices if n.clock == clock.id and n.rung in labels]
    return told[-1] if told else ""


def _answering(case: Complaint, clock: Clock, index: int) -> list[NoticeState]:
    """The notices whose acknowledgement counts for this rung: an acknowledged warning never silences the miss."""
    late = clock.rungs[index].at >= clock.due_at
    labels = {r.label for r in clock.rungs[:index] if not late or r.at >= clock.due_at}
    return [
        n for n in case.notices if n.clock == clock.id and n.rung in labels and (not late or n.round == clock.rearmed)
    ]
