"""Whose time it was: requests to other parties, and what they cost a clock (invariant 6; rules 16, 17, 60).

Until a request is due the time is the handler's; after that it is the other party's until the answer, unless that party
contests the request.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from rules import terms
from rules.calendar import WorkingCalendar
from rules.commands import AnswerRequest, ContestRequest, Request
from rules.complaint import Asked, Complaint
from rules.contract import Obligation
from rules.ledger import Refused
from rules.measure import Wait
from rules.values import Actor

HANDLER = "handler"

CLOSED = "closed"
"""The owner of time for which the complaint was closed: it stops every clock."""


class Spell(NamedTuple):
    """Time that a party took; without end while it is still waited for."""

    since: datetime
    until: datetime | None
    party: str

    def before(self, end: datetime) -> Wait:
        """The part of it that lies before an instant."""
        return self.since, end if self.until is None else min(self.until, end)


class Pauses(NamedTuple):
    """What stopped a clock, and since when it stands still now."""

    waits: tuple[Wait, ...] = ()
    open_since: datetime | None = None
    party: str = ""


def spells(case: Complaint, order: Sequence[str]) -> list[Spell]:
    """Every minute that was not the handler's, with one owner each: nobody's while the complaint was closed, else that
    of the first in the order of the parties waited for."""
    waited = [spell for request in case.requests if (spell := _spell(case, request)) is not None]
    waited += [Spell(i.since, i.until, CLOSED) for i in case.interludes if i.stands_still]
    moments = sorted({t for spell in waited for t in (spell.since, spell.until) if t is not None})
    found: list[Spell] = []
    for since, until in zip(moments, [*moments[1:], None], strict=False):
        parties = {s.party for s in waited if s.since <= since and (s.until is None or since < s.until)}
        owner = min(parties, key=(CLOSED, *order).index, default=None)
        if owner is None:
            continue
        if found and found[-1].party == owner and found[-1].until == since:
            found[-1] = found[-1]._replace(until=until)
        else:
            found.append(Spell(since, until, owner))
    return found


def pauses(
    waited: Sequence[Spell],
    promise: Obligation,
    started_at: datetime,
    done_at: datetime | None,
    calendar: WorkingCalendar,
) -> Pauses:
    """What of these spells stops a clock: closure, and waits for parties it pauses for, as far as they begin before the
    clock is due or done."""
    waits: tuple[Wait, ...] = ()
    stopping = [spell for spell in waited if spell.party in (CLOSED, *promise.pauses_for)]
    if not stopping:
        return Pauses()
    due = terms.due(promise.due, started_at, calendar).at
    for spell in stopping:
        if spell.until is not None and spell.until <= started_at:
            continue
        if spell.since >= due or (done_at is not None and spell.since >= done_at):
            break
        if done_at is None and spell.until is None:
            return Pauses(waits, spell.since, spell.party)
        waits = (*waits, spell.before(done_at) if done_at is not None else (spell.since, spell.until or due))
        due = terms.due(promise.due, started_at, calendar, waits).at
    return Pauses(waits)


def attributed(
    waited: Sequence[Spell], promise: Obligation, started_at: datetime, at: datetime, calendar: WorkingCalendar
) -> dict[str, int]:
    """Seconds of the clock's own unit up to an instant: `gross`, `net` of what others took, and what each party took.
    Of a clock in working days, a working day has 86,400 of them.
    """

    def used(waits: Sequence[Wait]) -> int:
        return int(terms.consumed(promise.due, started_at, at, waits, calendar).total_seconds())

    gross = used(())
    shares: dict[str, int] = {}
    for party in dict.fromkeys(spell.party for spell in waited if spell.since < at):
        own = [spell.before(at) for spell in waited if spell.party == party and spell.since < at]
        shares[party] = gross - used(own)
    taken = {party: seconds for party, seconds in shares.items() if seconds}
    return {"gross": gross, "net": gross - sum(taken.values()), **taken}


def asked(command: Request, occurred_at: datetime, roles: Sequence[str]) -> dict[str, Any]:
    """What the ledger keeps of a request besides its fields. Raises Refused."""
    party = command.of.partition(".")[0]
    if command.of not in roles and command.of not in ("third_party", "complainant"):
        raise Refused(f"Unknown role {command.of!r}; the contract has {', '.join(roles)}.")
    if party == HANDLER:
        raise Refused("A request goes to another party; the handler's own time is the handler's.")
    if command.due <= occurred_at:
        raise Refused(f"The request would be due {command.due.isoformat()}, before it was made; give a later time.")
    return {"party": party}


def answered(case: Complaint, command: AnswerRequest | ContestRequest, by: Actor, occurred_at: datetime) -> None:
    """Raises Refused unless this request waits for such an answer, and by the right party."""
    request = next((r for r in case.requests if r.seq == command.request), None)
    waiting = ", ".join(str(r.seq) for r in case.requests if r.answered is None and r.contested is None) or "none"
    if request is None or case.act(request.seq) is None:
        raise Refused(f"Entry {command.request} is no request; those that wait: {waiting}.")
    contests = isinstance(command, ContestRequest)
    if request.contested is not None or (request.answered is not None and not contests):
        raise Refused(f"Request {request.seq} was answered or contested already; those that wait: {waiting}.")
    party = by.role.partition(".")[0]
    if party != request.party and (contests or party != HANDLER):
        raise Refused(f"Request {request.seq} went to {request.role}; {by.role} cannot {command.name}.")
    made = case.act(request.seq)
    if made is not None and occurred_at < made.at:
        raise Refused(f"Request {request.seq} was made at {made.at.isoformat()}; it cannot be answered before that.")


def _spell(case: Complaint, request: Asked) -> Spell | None:
    made = case.act(request.seq)
    if made is None or (request.contested and case.act(request.contested)):
        return None
    answer = case.act(request.answered) if request.answered else None
    since = max(request.due_at, made.at)
    if answer is not None and answer.at <= since:
        return None
    return Spell(since, answer.at if answer else None, request.party)
