"""The judge: compares what the facts say with what is on record, and records the difference.

One function serves a command, a timer, a late report and a recovery after an outage: whatever moment has come and is
not on record yet is recorded, in the order of the moments, each with its own time (invariants 2, 5, 11, 13).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from rules import closing, ladders, late_reports, recalendar, terms, waits
from rules.clock_record import Clock
from rules.clocks import Run, runs
from rules.complaint import Complaint
from rules.contract import MissOf, Obligation
from rules.fold import evolve
from rules.law import InForce, in_force
from rules.ledger import Entry
from rules.measure import Wait
from rules.moments import Moment, notices, notices_of_act
from rules.values import SYSTEM

TICK = timedelta(milliseconds=1)
"""A clock is missed once its due time has passed: at the due time itself an act is still in time (invariant 1)."""


class Wake(NamedTuple):
    """The next moment at which something is to be judged, and what it is."""

    at: datetime
    clock: str
    rung: str


def settle(case: Complaint, law: InForce, now: datetime) -> tuple[Complaint, list[Entry]]:
    """Record every judgement that the facts and the time allow; `now` is aware, in any zone."""
    law = in_force(law, case)
    entries: list[Entry] = []
    while moments := list(_moments(case, law, now)):
        moment = min(moments, key=lambda m: m[:3])
        entry = Entry(
            seq=case.seq + 1,
            type=moment.type,
            by=SYSTEM,
            occurred_at=moment.at,
            recorded_at=now,
            data=moment.data,
            notices=() if case.history else moment.notices,
        )
        entries.append(entry)
        case = evolve(case, entry)
    return case, entries


def next_wake(case: Complaint, law: InForce) -> Wake | None:
    """The earliest moment that will bring a judgement by itself; nothing when only people can move the case."""
    if case.closed:
        return None
    law = in_force(law, case)
    wakes = []
    over = {(run.obligation, run.source): _over(run) for run in runs(case, law.contract)}
    for clock in case.clocks:
        ended_at = over.get((clock.obligation, clock.source))
        since = _open_wait(case, clock, law)
        if clock.status == "running" and since is None:
            wakes.append(Wake(clock.due_at + TICK, clock.id, "due"))
        if clock.status == "running" and since is not None and clock.paused_at is None:
            wakes.append(Wake(since, clock.id, "wait"))
        if clock.status in ("running", "missed") and clock.done_at is None:
            ladder = law.contract.obligations[clock.obligation].ladder
            wakes += [
                Wake(at, clock.id, rung.label)
                for index, rung in enumerate(clock.rungs)
                if not rung.reached
                for at in [ladders.rung_at(case, clock, ladder, index)]
                if (clock.status == "missed" or at < clock.due_at) and (since is None or at < since)
                if ended_at is None or at < ended_at
            ]
    if (silence := closing.silence(case, law)) is not None:
        wakes.append(Wake(silence, "", "silence"))
    return min(wakes, default=None)


def _open_wait(case: Complaint, clock: Clock, law: InForce) -> datetime | None:
    """Since when a running clock stands still, or will when the request is due."""
    promise = law.contract.obligations[clock.obligation]
    if clock.status != "running" or not promise.pauses_for:
        return None
    waited = waits.spells(case, law.contract.waits.order)
    return waits.pauses(waited, promise, clock.started_at, None, law.calendar).open_since


def _moments(case: Complaint, law: InForce, now: datetime) -> Iterator[Moment]:
    derived = {(run.obligation, run.source): run for run in runs(case, law.contract)}
    known = {(clock.obligation, clock.source): clock for clock in case.clocks}
    begun = [(run.started_at, order) for order, run in enumerate(derived.values()) if _begins(run, known, law, case)]
    if begun:  # only the earliest can be next, and to plan a clock is dear
        _, order = min(begun)
        yield _start(case, law, list(derived.values())[order], order)
    for order, clock in enumerate(case.clocks):
        run_ = derived.get((clock.obligation, clock.source))
        if clock.status != "ended" or (run_ is not None and run_.ended_at is None):
            yield from _judgements(case, law, clock, run_, now, order)
    silence = closing.silence(case, law)
    if silence is not None and silence <= now:
        yield Moment(
            silence,
            5,
            0,
            "closed",
            {"reason": "silence", "agreement": True},
            notices_of_act(case, law.contract, "close"),
        )


def _begins(run: Run, known: Collection[tuple[str, int]], law: InForce, case: Complaint) -> bool:
    """One that a miss set going before the closing begins though the case is closed: it would stand on record had
    anybody looked in time (invariant 1)."""
    if (run.obligation, run.source) in known:
        return False
    if run.ended_at is None or case.closed is None:
        return run.ended_at is None
    by_itself = isinstance(law.contract.obligations[run.obligation].starts, MissOf)
    return by_itself and run.ended_by == case.closed.reason and run.started_at < run.ended_at


def _start(case: Complaint, law: InForce, run: Run, order: int) -> Moment:
    promise = law.contract.obligations[run.obligation]
    n = 1 + sum(clock.obligation == run.obligation for clock in case.clocks)
    data = {
        "clock": f"{run.obligation}#{n}",
        "obligation": run.obligation,
        "n": n,
        "clause": promise.clause,
        "source": run.source,
        "known_at": run.known_at.isoformat(),
        **_plan(promise, run, law),
        **_counted_by(_newest(case)),
    }
    return Moment(run.started_at, 0, order, "clock_started", data)


def _plan(promise: Obligation, run: Run, law: InForce, waited: Sequence[Wait] = ()) -> dict[str, Any]:
    """When a run is due, why, and its ladder."""
    due = terms.due(promise.due, run.started_at, law.calendar, waited)
    return {
        "due_at": due.at.isoformat(),
        "provisional": due.provisional,
        "explanation": due.explanation.model_dump(mode="json", exclude_defaults=True),
        "rungs": [
            {"rung": step.label, "at": at.isoformat()}
            for step, at in ladders.ladder(promise, run.started_at, due.at, law, waited)
        ],
    }


def _newest(case: Complaint) -> int:
    """The entry of the last re-plan; 0 while the calendar is that of receipt."""
    return case.calendars[-1].seq if case.calendars else 0


def _counted_by(calendar: int) -> dict[str, Any]:
    return {"calendar": calendar} if calendar else {}


def _judgements(
    case: Complaint, law: InForce, clock: Clock, run: Run | None, now: datetime, order: int
) -> Iterator[Moment]:
    """What is to be said of one clock that is on record."""
    promise = law.contract.obligations[clock.obligation]
    about = {"clock": clock.id, "obligation": clock.obligation, "clause": promise.clause}
    if run is None:
        fell_away = {"report": "confirmed", "lifted": True, "lag_seconds": 0, "why": "what set it going fell away"}
        if clock.status == "missed" and not clock.cleared_at:
            said, told = recalendar.lifts(case, clock, now)
            yield Moment(now, 1, order, "miss_refuted", about | fell_away | said, told)
        else:
            yield Moment(now, 1, order, "clock_ended", {**about, "reason": "superseded"})
        return
    law, counted_by = recalendar.counting(case, law, clock, run)
    waited = waits.spells(case, law.contract.waits.order)
    paused = waits.pauses(waited, promise, run.started_at, run.done_at, law.calendar)
    if revised := _revision(case, clock, run, paused, law, counted_by, now):
        kind, data = revised
        said, told = recalendar.lifts(case, clock, now) if kind == "miss_refuted" else ({}, ())
        yield Moment(now, 1, order, kind, about | data | said, told)
        return

    def time(at: datetime) -> dict[str, Any]:
        return {"time": waits.attributed(waited, promise, run.started_at, at, law.calendar)}

    since = paused.open_since
    if since is not None and since <= now and clock.paused_at is None:
        yield Moment(since, 4, order, "clock_paused", {**about, "party": paused.party})
    if (case.requests or case.interludes) and clock.status in ("met", "missed"):
        right = time(clock.done_at or clock.due_at)
        if right["time"] != clock.time:
            yield Moment(now, 1, order, "clock_attributed", about | right)
            return
    if clock.status in ("running", "missed"):
        yield from _verdict(case, law, clock, run, since, now, order, about=about, time=time)
    yield from ladders.reached(case, clock, promise, _over(run), since, now, order, about)


def _over(run: Run) -> datetime | None:
    """When a run was done or ended, whichever came first."""
    return min((t for t in (run.done_at, run.ended_at) if t is not None), default=None)


def _verdict(
    case: Complaint,
    law: InForce,
    clock: Clock,
    run: Run,
    paused_at: datetime | None,
    now: datetime,
    order: int,
    *,
    about: dict[str, Any],
    time: Callable[[datetime], dict[str, Any]],
) -> Iterator[Moment]:
    """Met, ended, missed, refuted or done late; nothing while a clock stands still."""
    done, due = run.done_at, clock.due_at
    if clock.status == "running":
        if done is not None and done <= due:
            parts = {name: act.at.isoformat() for name, act in run.parts.items()}
            yield Moment(
                done, 2, order, "clock_met", {**about, "parts": parts, "lag_seconds": run.lag_seconds, **time(done)}
            )
        elif run.ended_at is not None and (run.ended_at <= due or paused_at is not None):
            yield Moment(run.ended_at, 2, order, "clock_ended", {**about, "reason": run.ended_by})
        elif now > due and paused_at is None:
            provisional = {"provisional": True} if clock.provisional else {}
            yield Moment(due, 3, order, "clock_missed", {**about, **provisional, **time(due)})
    elif clock.status == "missed" and clock.done_at is None and done is not None:
        late = {**about, "lag_seconds": run.lag_seconds, **time(done)}
        if done <= due:
            report = late_reports.judged(run.acts, due, law.contract.late_reports, law.calendar)
            roles = (report.asks,) if report.asks else ()
            told = notices(case, f"{clock.id}@reported late {case.seq + 1}", roles)
            said, heard = recalendar.lifts(case, clock, now)
            yield Moment(done, 2, order, "miss_refuted", {**late, **report.data(), **said}, told + heard)
        else:
            late["late_seconds"] = int((done - due).total_seconds())
            yield Moment(done, 2, order, "clock_done", late)


def _revision(
    case: Complaint, clock: Clock, run: Run, paused: waits.Pauses, law: InForce, counted_by: int, now: datetime
) -> tuple[str, dict[str, Any]] | None:
    """What was judged and no longer follows from the facts, one step at a time: what does follow is judged after it."""
    if clock.status == "ended":
        return "clock_resumed", {}
    ended_wait = clock.paused_at is not None and clock.paused_at != paused.open_since
    moved, other_waits = run.started_at != clock.started_at, paused.waits != clock.waits or ended_wait
    behind = clock.calendar < counted_by
    if moved or other_waits or behind:
        plan = _plan(law.contract.obligations[clock.obligation], run, law, paused.waits)
        by_calendar = case.calendars[-1].why if case.calendars else ""
        if moved or other_waits or recalendar.differs(clock, plan):
            return "clock_replanned", {
                "why": "its start moved" if moved else "what stopped it changed" if other_waits else by_calendar,
                "was_due_at": clock.due_at.isoformat(),
                "started_at": run.started_at.isoformat(),
                "waits": [(a.isoformat(), b.isoformat()) for a, b in paused.waits],
                **plan,
                **_counted_by(counted_by),
                **(recalendar.keeps(clock, run, paused, plan) if behind else {}),
            }
    done, due = run.done_at, clock.due_at
    if clock.done_at is not None:
        in_time = clock.status == "met" or clock.refuted_at is not None
        if done != clock.done_at or in_time != (done <= due):
            reason = "what met it was undone" if done is None else "corrected"
            return "clock_unmet", {"reason": reason, "status": "running" if clock.status == "met" else "missed"}
    elif clock.status == "missed" and done is None and (now <= due or paused.open_since is not None):
        lifted = {"report": "confirmed", "lifted": True, "lag_seconds": 0, "why": "it is not due yet"}
        again = [rung.label for rung in clock.rungs if rung.reached and rung.at >= due]
        return "miss_refuted", lifted | ({"rearmed": again} if again else {})
    return None
