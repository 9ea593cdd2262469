"""The state of a complaint, folded from its ledger. `evolve` is the only way it changes."""

from __future__ import annotations

from datetime import datetime
from functools import reduce
from typing import Any, Literal

from rules.contract import Kind
from rules.ledger import Entry
from rules.values import Instant, Level, Name, Reference, Value

ClockStatus = Literal["running", "met", "missed", "ended"]

Report = Literal["unconfirmed", "confirmed", "not_agreed", "not_counted"]
"""How a late report stands. Only a confirmed one clears the miss, which stays on record all the same."""


class Episode(Value):
    """A stretch under one classification, and from when its clocks run."""

    seq: int
    kind: Kind
    category: str | None
    level: Level | None
    receipt_at: Instant
    """Start of clocks that start with receipt."""
    reached_at: Instant
    """Start of clocks that start when the level is reached."""
    recorded_at: Instant


class Act(Value):
    """Something done, under the names by which obligations ask for it."""

    seq: int
    names: tuple[str, ...]
    at: Instant
    recorded_at: Instant
    proved: bool = False
    """Whether evidence came with it."""
    notice: str | None = None
    """The notice whose acceptance is this act; a later bounce takes it back (invariant 4)."""


class Rung(Value):
    """One step of this clock's ladder at its instant."""

    label: str
    at: Instant
    reached: bool = False


class Clock(Value):
    """An obligation armed for the n-th time, and what was judged of it."""

    obligation: str
    n: int
    source: int
    """The ledger entry that set it going."""
    started_at: Instant
    known_at: Instant
    """When we learned that it runs; rungs before that are told once (invariant 11)."""
    due_at: Instant
    provisional: bool = False
    rungs: tuple[Rung, ...] = ()
    status: ClockStatus = "running"
    missed: int | None = None
    """The ledger entry of its miss, which stays for ever (invariant 2)."""
    refuted_at: Instant | None = None
    """When a timely act was reported after all."""
    report: Report | None = None
    confirmed_at: Instant | None = None
    lag_seconds: int | None = None
    """How long after it was done we learned of it."""
    done_at: Instant | None = None

    @property
    def id(self) -> str:
        return f"{self.obligation}#{self.n}"

    @property
    def cleared_at(self) -> datetime | None:
        """Since when its miss does not count any more, though it stays on record (invariant 2)."""
        return self.confirmed_at if self.report else self.refuted_at


class NoticeState(Value):
    """What became of a notice, as far as a ladder must know."""

    key: str
    role: Name
    of: str
    """The command it tells of, or nothing for a rung."""
    clock: str = ""
    rung: str = ""
    accepted: bool = False
    undeliverable_at: Instant | None = None
    acknowledged: int | None = None
    until: Instant | None = None


class Closing(Value):
    seq: int
    at: Instant
    reason: str


class Complaint(Value):
    """One case under one contract version. Also what a run hands to the next one, so it stays small."""

    contract: Name
    reference: Reference
    received_at: Instant
    recorded_at: Instant
    grade: str | None = None
    language: str | None = None
    against: str | None = None
    history: bool = False
    owner: str | None = None
    seq: int = 0
    episodes: tuple[Episode, ...] = ()
    acts: tuple[Act, ...] = ()
    messages: tuple[Act, ...] = ()
    """What the customer wrote after the complaint itself."""
    clocks: tuple[Clock, ...] = ()
    notices: tuple[NoticeState, ...] = ()
    keys: dict[str, tuple[str, int]] = {}
    """Idempotency key: digest of its command, and the entry that records it."""
    rejections: tuple[int, ...] = ()
    closed: Closing | None = None

    @property
    def id(self) -> str:
        return f"{self.contract}/{self.reference}"

    @property
    def now_is(self) -> Episode:
        """The classification that holds now."""
        return self.episodes[-1]

    def clock(self, clock_id: str) -> Clock:
        """Raises StopIteration for an id that is not this complaint's."""
        return next(clock for clock in self.clocks if clock.id == clock_id)

    def did(self, *names: str) -> bool:
        """Whether one of these acts happened since the last rejection."""
        since = self.rejections[-1] if self.rejections else 0
        return any(act.seq > since and not set(names).isdisjoint(act.names) for act in self.acts)

    def last(self, *names: str) -> datetime | None:
        """When one of these acts last happened since the last rejection."""
        since = self.rejections[-1] if self.rejections else 0
        times = [act.at for act in self.acts if act.seq > since and not set(names).isdisjoint(act.names)]
        return max(times, default=None)


def fold(entries: list[Entry]) -> Complaint:
    """The complaint that a ledger describes; its first entry must be `opened`."""
    return reduce(evolve, entries[1:], opened(entries[0]))


def opened(entry: Entry) -> Complaint:
    """The complaint as its first entry leaves it."""
    data = entry.data
    received_at = entry.occurred_at
    return Complaint(
        contract=data["contract"],
        reference=data["reference"],
        received_at=received_at,
        recorded_at=entry.recorded_at,
        grade=data.get("grade"),
        language=data.get("language"),
        against=data.get("against"),
        history=data.get("history", False),
        seq=entry.seq,
        episodes=(
            Episode(
                seq=entry.seq,
                kind=data["kind"],
                category=data.get("category"),
                level=data.get("level"),
                receipt_at=received_at,
                reached_at=received_at,
                recorded_at=entry.recorded_at,
            ),
        ),
    )


def evolve(case: Complaint, entry: Entry) -> Complaint:
    """The complaint after this entry. Unknown types change nothing, so that old code can fold newer ledgers."""
    data = entry.data
    new: dict[str, Any] = {"seq": entry.seq}
    if entry.key and entry.digest:
        new["keys"] = {**case.keys, entry.key: (entry.digest, entry.seq)}
    if acts := data.get("acts"):
        new["acts"] = (*case.acts, _act(entry, tuple(acts)))
    if entry.notices:
        new["notices"] = case.notices + tuple(
            NoticeState(
                key=notice.key,
                role=notice.role,
                of=data.get("command", ""),
                clock=data.get("clock", ""),
                rung=data.get("rung", ""),
            )
            for notice in entry.notices
        )
    match entry.type:
        case "reclassified":
            new["episodes"] = (*case.episodes, _episode(case, entry))
        case "assigned":
            new["owner"] = data["person"]
        case "customer_wrote":
            new["messages"] = (*case.messages, _act(entry))
        case "rejected":
            new["rejections"] = (*case.rejections, entry.seq)
        case "closed":
            new["closed"] = Closing(seq=entry.seq, at=entry.occurred_at, reason=data["reason"])
        case "acknowledged":
            new["notices"] = tuple(
                n.model_copy(update={"acknowledged": entry.seq, "until": _until(data)})
                if n.key in data["notices"]
                else n
                for n in new.get("notices", case.notices)
            )
        case "notice_accepted" | "notice_undeliverable" | "notice_bounced":
            new |= _delivery(case, entry)
        case "clock_started":
            new["clocks"] = (*case.clocks, _clock(entry))
        case (
            "clock_met"
            | "clock_unmet"
            | "clock_missed"
            | "clock_done"
            | "clock_ended"
            | "miss_refuted"
            | "report_answered"
            | "rung_reached"
        ):
            new["clocks"] = tuple(
                _judged(clock, entry) if clock.id == data["clock"] else clock for clock in case.clocks
            )
    return case.model_copy(update=new)


def _act(entry: Entry, names: tuple[str, ...] = (), notice: str | None = None) -> Act:
    proved = bool(entry.evidence)
    at, recorded_at = entry.occurred_at, entry.recorded_at
    return Act(seq=entry.seq, names=names, at=at, recorded_at=recorded_at, proved=proved, notice=notice)


def _until(data: dict[str, Any]) -> datetime | None:
    return datetime.fromisoformat(data["until"]) if data.get("until") else None


def _episode(case: Complaint, entry: Entry) -> Episode:
    """New facts start clocks when they became known, a misjudgement at receipt; a first assessment reaches the level
    now, but what starts with receipt started with receipt."""
    data, before = entry.data, case.now_is
    known_at = datetime.fromisoformat(data["known_at"]) if data.get("known_at") else entry.occurred_at
    receipt_at = known_at if data["reason"] == "new_facts" else case.received_at
    return Episode(
        seq=entry.seq,
        kind=data.get("kind", before.kind),
        category=data.get("category", before.category),
        level=data.get("level", before.level),
        receipt_at=receipt_at,
        reached_at=case.received_at if data["reason"] == "misjudged" else known_at,
        recorded_at=entry.recorded_at,
    )


def _clock(entry: Entry) -> Clock:
    data = entry.data
    return Clock(
        obligation=data["obligation"],
        n=data["n"],
        source=data["source"],
        started_at=entry.occurred_at,
        known_at=datetime.fromisoformat(data["known_at"]),
        due_at=datetime.fromisoformat(data["due_at"]),
        provisional=data["provisional"],
        rungs=tuple(Rung(label=r["rung"], at=datetime.fromisoformat(r["at"])) for r in data["rungs"]),
    )


def _judged(clock: Clock, entry: Entry) -> Clock:
    match entry.type:
        case "clock_met":
            change: dict[str, Any] = {"status": "met", **_done(entry)}
        case "clock_unmet":
            change = {"status": "missed" if clock.missed else "running", "done_at": None}
        case "clock_missed":
            change = {"status": "missed", "missed": entry.seq}
        case "clock_done":
            change = _done(entry)
        case "clock_ended":
            change = {"status": "ended"}
        case "miss_refuted":
            report = entry.data.get("report", "confirmed")
            confirmed_at = entry.recorded_at if report == "confirmed" else None
            reported = {"refuted_at": entry.recorded_at, "report": report, "confirmed_at": confirmed_at}
            change = {**reported, **_done(entry)}
        case "report_answered":
            agrees = entry.data["agrees"]
            report = "confirmed" if agrees else "not_agreed"
            change = {"report": report, "confirmed_at": entry.recorded_at if agrees else None}
        case _:
            label = entry.data["rung"]
            rungs = (r.model_copy(update={"reached": True}) if r.label == label else r for r in clock.rungs)
            change = {"rungs": tuple(rungs)}
    return clock.model_copy(update=change)


def _done(entry: Entry) -> dict[str, Any]:
    return {"done_at": entry.occurred_at, "lag_seconds": entry.data.get("lag_seconds")}


def _delivery(case: Complaint, entry: Entry) -> dict[str, Any]:
    key = entry.data["notice"]
    accepted = entry.type == "notice_accepted"
    failed_at = None if accepted else entry.occurred_at
    change = {"accepted": accepted, "undeliverable_at": failed_at}
    notices = tuple(n.model_copy(update=change) if n.key == key else n for n in case.notices)
    acts = tuple(act for act in case.acts if act.notice != key)
    if accepted:
        acts = (*acts, _act(entry, (f"notice of {entry.data['of']}",), key))
    return {"notices": notices, "acts": acts}
