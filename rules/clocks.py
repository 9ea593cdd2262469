"""Which clocks a complaint has, derived from its facts alone: what set each going, what met it, what ended it.

Facts count by when they happened, not by when we learned of them, so a late report or a correction needs no special
case: derive again and compare (invariants 1, 3, 4, 5).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from rules.complaint import Act, Complaint, Episode
from rules.contract import Contract, DeliveryOf, MissOf, Obligation


@dataclass(frozen=True, slots=True)
class Run:
    """One arming of an obligation, as the facts have it."""

    obligation: str
    source: int
    started_at: datetime
    known_at: datetime
    parts: dict[str, Act]
    """Each act it asks for that happened."""
    done_at: datetime | None
    ended_at: datetime | None = None
    ended_by: str = ""

    @property
    def acts(self) -> list[Act]:
        """The acts that it was done by; none before it is done."""
        return [act for act in self.parts.values() if self.done_at is not None and act.at <= self.done_at]

    @property
    def lag_seconds(self) -> int:
        """How long after it was done we learned of it, on the wall clock."""
        if self.done_at is None:
            return 0
        return int((max(act.recorded_at for act in self.acts) - self.done_at).total_seconds())


@dataclass(frozen=True, slots=True)
class _Start:
    source: int
    at: datetime
    known_at: datetime
    ended_at: datetime | None = None
    ended_by: str = ""


def runs(case: Complaint, contract: Contract) -> Iterator[Run]:
    """Every run of every obligation, in the contract's order."""
    for name, promise in contract.obligations.items():
        for start in _starts(case, promise):
            parts = _parts(case, promise, start.at)
            done_at = _done(promise, parts)
            ended_at, ended_by = start.ended_at, start.ended_by
            waiver = _waiver(case, name, start.source)
            if waiver is not None and (ended_at is None or waiver.at < ended_at):
                ended_at, ended_by = waiver.at, "waived"
            closed = case.closed
            if closed and (ended_at is None or closed.at < ended_at):
                ended_at, ended_by = closed.at, closed.reason
            if done_at is not None and ended_at is not None and done_at <= ended_at:
                ended_at, ended_by = None, ""
            yield Run(name, start.source, start.at, start.known_at, parts, done_at, ended_at, ended_by)


def _waiver(case: Complaint, obligation: str, source: int) -> Act | None:
    """The act by which the principal waived this clock; nothing when it was taken back."""
    for clock in case.clocks:
        if clock.waived and (clock.obligation, clock.source) == (obligation, source):
            return case.act(clock.waived)
    return None


def covers(promise: Obligation, case: Complaint, episode: Episode) -> bool:
    """Whether the promise holds under this classification."""
    return promise.applies_to.covers(episode.kind, episode.category, episode.level, case.grade)


def _starts(case: Complaint, promise: Obligation) -> Iterator[_Start]:
    match promise.starts:
        case "receipt" | "level reached":
            yield from _classified(case, promise)
        case "customer message":
            if covers(promise, case, case.now_is):
                yield from _messages(case, promise)
        case "rejection":
            for act in case.acts:
                if act.seq in case.rejections and covers(promise, case, case.now_is):
                    yield _Start(act.seq, act.at, act.recorded_at)
        case MissOf(miss_of=missed):
            for clock in case.clocks:
                if clock.obligation == missed and clock.missed and not clock.unfounded:
                    ended_by = "refuted" if clock.cleared_at else ""
                    known_at = max(clock.known_at, clock.due_at)
                    yield _Start(clock.missed, clock.due_at, known_at, clock.cleared_at, ended_by)
        case DeliveryOf(delivery_of=command):
            for act in case.acts:
                if f"notice of {command}" in act.names:
                    yield _Start(act.seq, act.at, act.recorded_at)


def _classified(case: Complaint, promise: Obligation) -> Iterator[_Start]:
    """One run for each unbroken stretch of classifications under which the promise holds."""
    running: _Start | None = None
    for episode in case.episodes:
        if covers(promise, case, episode):
            at = episode.receipt_at if promise.starts == "receipt" else episode.reached_at
            running = running or _Start(episode.seq, at, episode.recorded_at)
        elif running:
            yield _Start(running.source, running.at, running.known_at, episode.recorded_at, "superseded")
            running = None
    if running:
        yield running


def _messages(case: Complaint, promise: Obligation) -> Iterator[_Start]:
    """Rule 24: one clock at a time, from the oldest message that is not answered yet."""
    answered_until: datetime | None = None
    for message in sorted(case.messages, key=lambda m: (m.at, m.seq)):
        if answered_until is None or message.at > answered_until:
            waived = min((a.at for a in case.acts if "no_reply_needed" in a.names and a.at >= message.at), default=None)
            done = _done(promise, _parts(case, promise, message.at))
            over = min((t for t in (waived, done) if t is not None), default=None)
            ended_by = "no reply needed" if waived is not None and waived == over != done else ""
            yield _Start(message.seq, message.at, message.recorded_at, over if ended_by else None, ended_by)
            if over is None:
                return
            answered_until = over


def _parts(case: Complaint, promise: Obligation, since: datetime) -> dict[str, Act]:
    parts = {}
    for name in promise.met_by.parts:
        acts = [act for act in case.acts if name in act.names and act.at >= since]
        if acts:
            parts[name] = min(acts, key=lambda act: act.at)
    return parts


def _done(promise: Obligation, parts: dict[str, Act]) -> datetime | None:
    """Any of: the first part. All of: the last, once all are there."""
    if not parts:
        return None
    times = [act.at for act in parts.values()]
    if promise.met_by.any_of:
        return min(times)
    return max(times) if len(parts) == len(promise.met_by.all_of) else None
