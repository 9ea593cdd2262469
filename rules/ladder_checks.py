"""Whether every rung of a ladder is reached, in the order written, and told at an hour when somebody listens."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta

from rules import terms
from rules.calendar import calendar_for
from rules.contract import Contract, Obligation
from rules.document import Path
from rules.grammar import ClockTime, DayOfMonth, Days, Months
from rules.ladders import ladder
from rules.law import InForce

Found = tuple[Path, str, bool]
"""Where, what, and whether it is fatal."""

_WEEK = timedelta(days=7)


def tells(contract: Contract) -> Iterator[tuple[Path, str]]:
    """Every role that a ladder tells, and where."""
    for name, promise in contract.obligations.items():
        for index, step in enumerate(promise.ladder):
            for position, role in enumerate(step.tell):
                yield ("obligations", name, "ladder", index, "tell", position), role


def check_ladders(contract: Contract) -> Iterator[Found]:
    """What is wrong or doubtful with the ladders (invariants 13, 14, 20)."""
    law = InForce(contract, calendar_for(contract.calendar))
    start = law.calendar.next_opening(datetime.combine(contract.term.starts, time(), law.calendar.zone))
    for name, promise in contract.obligations.items():
        path: Path = ("obligations", name, "ladder")
        if not promise.ladder:
            yield path, "nobody is told when this runs low or is missed: it has no ladder", False
            continue
        malformed = list(_malformed(promise, path))
        yield from malformed
        if not malformed:
            yield from _out_of_order(promise, law, start, path)
        yield from _out_of_hours(contract, promise, law, start, path)


def _malformed(promise: Obligation, path: Path) -> Iterator[Found]:
    for index, step in enumerate(promise.ladder):
        if (step.at is None) == (step.after is None):
            yield (*path, index), "a step has either `at` or `after`", True
        elif step.label in [earlier.label for earlier in promise.ladder[:index]]:
            yield (*path, index), f"is never reached: {step.label} stands in this ladder already", True
        if not step.tell:
            yield (*path, index, "tell"), "tells nobody", True
    yield from _crowding(promise, path)
    if promise.ladder[-1].unless != "done":
        reason = "the last step of a ladder is `unless: done`: an acknowledgement alone must not end it"
        yield (*path, len(promise.ladder) - 1), reason, True


def _crowding(promise: Obligation, path: Path) -> Iterator[Found]:
    """Where `per: incident` would leave a case untold."""
    crowded = [index for index, step in enumerate(promise.ladder) if step.per == "incident"]
    if crowded and promise.starts in ("customer message", "rejection"):
        reason = (
            f"a clock that starts with each {promise.starts} cannot be told once an incident: "
            "what a case misses later would be told to nobody; remove `per`"
        )
        yield (*path, crowded[0], "per"), reason, True
        return
    late = [index for index, step in enumerate(promise.ladder) if step.fraction is None]
    if late and set(late) <= set(crowded):
        reason = (
            "every step from `due` on is told once an incident, so that a case which misses it later would be told to "
            "nobody; leave one of them to be told for each case"
        )
        yield (*path, late[0], "per"), reason, True


def _out_of_order(promise: Obligation, law: InForce, start: datetime, path: Path) -> Iterator[Found]:
    """Judged by a clock that starts when the desk opens on the first working day of the term."""
    due = terms.due(promise.due, start, law.calendar).at
    reached: datetime | None = None
    for index, (step, at) in enumerate(ladder(promise, start, due, law)):
        if reached is not None and at < reached:
            yield (*path, index), f"{step.label} is reached before the step above it; order the steps by time", True
        reached = at


def _out_of_hours(
    contract: Contract, promise: Obligation, law: InForce, start: datetime, path: Path
) -> Iterator[Found]:
    """A clock that runs round the clock tells people who do not."""
    always_open = law.calendar.between(start, start + _WEEK) == _WEEK
    if always_open or not isinstance(promise.due, (ClockTime, Days, DayOfMonth, Months)):
        return
    asleep = [
        role
        for step in promise.ladder
        if step.hours == "any"
        for role in step.tell
        if role in contract.roles and not contract.roles[role].on_call
    ]
    if asleep:
        who = ", ".join(dict.fromkeys(asleep))
        reason = (
            f"runs round the clock, but {who} has office hours; say `on call: true` of the role or `hours: working`"
        )
        yield path, reason, False
