"""What is on record of one clock: its state, folded from the entries about it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from sys import intern
from typing import Any, Literal

from rules.ledger import Entry
from rules.values import Instant

ClockStatus = Literal["running", "met", "missed", "ended"]

Report = Literal["unconfirmed", "confirmed", "not_agreed", "not_counted"]
"""How a late report stands. Only a confirmed one clears the miss, which stays on record all the same."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of this clock's ladder at its instant."""

    label: str
    at: Instant
    reached: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """An obligation armed for the n-th time, and what was judged of it.

    Clocks and their rungs are most of what a worker keeps of a complaint, and with slots a tenth of what they were as
    pydantic models; read back from JSON they are validated all the same.
    """

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
    unfounded: bool = False
    """Whether its miss was none: its due lies behind what was taken for one. What the miss set going falls away."""
    confirmed_at: Instant | None = None
    lag_seconds: int | None = None
    """How long after it was done we learned of it."""
    done_at: Instant | None = None
    waits: tuple[tuple[Instant, Instant], ...] = ()
    """What its due allows for: the waits that stopped it."""
    paused_at: Instant | None = None
    """Since when it stands still, waiting for a party it pauses for."""
    waived: int | None = None
    """The entry by which the principal waived it."""
    replanned: bool = False
    """Whether its due was counted anew since it started."""
    calendar: int = 0
    """The entry of the re-plan whose calendar its due follows; 0 for the calendar pinned at receipt."""
    overtaken: tuple[str, ...] = ()
    """Rungs that a re-plan by the calendar put into the past before they were reached."""
    rearmed: int = 0
    """How often the rungs from its due on were set up again, since its miss fell away."""
    time: dict[str, int] = field(default_factory=dict)
    """Seconds of its own unit when it was over: gross, net, and what each other party took."""

    @property
    def id(self) -> str:
        return f"{self.obligation}#{self.n}"

    @property
    def cleared_at(self) -> datetime | None:
        """Since when its miss does not count any more, though it stays on record (invariant 2)."""
        return self.confirmed_at if self.report else self.refuted_at


OF_CLOCKS = {
    "clock_met",
    "clock_unmet",
    "clock_missed",
    "clock_done",
    "clock_attributed",
    "clock_ended",
    "clock_paused",
    "clock_replanned",
    "clock_resumed",
    "miss_refuted",
    "report_answered",
    "rung_reached",
    "waived",
}
"""Types of the entries about a clock that has started; `data` names it as `clock`."""


def started(entry: Entry) -> Clock:
    """The clock as the entry that started it says."""
    data = entry.data
    return Clock(
        obligation=intern(data["obligation"]),
        n=data["n"],
        source=data["source"],
        started_at=entry.occurred_at,
        known_at=_at(data["known_at"]),
        due_at=_at(data["due_at"]),
        provisional=data["provisional"],
        rungs=_rungs(data["rungs"]),
        calendar=data.get("calendar", 0),
    )


def judged(clock: Clock, entry: Entry) -> Clock:  # noqa: PLR0912  one for each type
    """The clock after an entry about it."""
    match entry.type:
        case "clock_met":
            change: dict[str, Any] = {"status": "met", **_done(entry)}
        case "clock_unmet":
            change = {"status": "running", "done_at": None, "lag_seconds": None, "time": {}}
            if clock.status == "missed":
                change |= {"status": "missed", "time": clock.time, **_NOT_REFUTED}
        case "clock_missed":
            change = {"status": "missed", "missed": entry.seq, "time": entry.data.get("time", {}), **_NOT_REFUTED}
        case "clock_paused":
            change = {"paused_at": entry.occurred_at}
        case "waived":
            change = {"waived": entry.seq}
        case "clock_attributed":
            change = {"time": entry.data["time"]}
        case "clock_replanned":
            change = _replanned(clock, entry)
        case "clock_resumed":
            change = {"status": "running"}
        case "clock_done":
            change = _done(entry)
        case "clock_ended":
            change = {"status": "ended"}
        case "miss_refuted":
            report = entry.data.get("report", "confirmed")
            confirmed_at = entry.recorded_at if report == "confirmed" else None
            reported = {"refuted_at": entry.recorded_at, "report": report, "confirmed_at": confirmed_at}
            unfounded = "lifted" in entry.data or ("years" in entry.data and report == "confirmed")
            reported |= {"unfounded": unfounded}
            change = reported | (_lifted(clock, entry) if entry.data.get("lifted") else _done(entry))
        case "report_answered":
            agrees = entry.data["agrees"]
            report = "confirmed" if agrees else "not_agreed"
            change = {"report": report, "confirmed_at": entry.recorded_at if agrees else None}
        case _:
            label = entry.data["rung"]
            rungs = (replace(r, reached=True) if r.label == label else r for r in clock.rungs)
            change = {"rungs": tuple(rungs)}
    return replace(clock, **change)


_NOT_REFUTED: dict[str, Any] = {"refuted_at": None, "report": None, "confirmed_at": None, "unfounded": False}


def _replanned(clock: Clock, entry: Entry) -> dict[str, Any]:
    """Another start, due and ladder; a rung that was reached stays so."""
    data = entry.data
    reached = {rung.label for rung in clock.rungs if rung.reached}
    rungs = tuple(replace(rung, reached=rung.label in reached) for rung in _rungs(data["rungs"]))
    calendar = data.get("calendar", 0)
    overtaken = [r.label for r in rungs if not r.reached and r.at <= entry.recorded_at]
    return {
        "started_at": _at(data["started_at"]),
        "due_at": _at(data["due_at"]),
        "provisional": data["provisional"],
        "waits": tuple((_at(a), _at(b)) for a, b in data.get("waits", ())),
        "paused_at": _at(data["paused_at"]) if data.get("paused_at") else None,
        "rungs": rungs,
        "replanned": True,
        "calendar": calendar,
        "overtaken": tuple(overtaken) if calendar > clock.calendar else (),
    }


def _lifted(clock: Clock, entry: Entry) -> dict[str, Any]:
    """It runs again; the rungs of its miss can be reached once more, at the due time that it has now."""
    again = entry.data.get("rearmed", ())
    rungs = tuple(replace(r, reached=False) if r.label in again else r for r in clock.rungs)
    return {"time": {}, "status": "running", "rungs": rungs, "rearmed": clock.rearmed + bool(again)}


def _rungs(given: list[dict[str, str]]) -> tuple[Rung, ...]:
    return tuple(Rung(label=intern(rung["rung"]), at=_at(rung["at"])) for rung in given)


def _done(entry: Entry) -> dict[str, Any]:
    data = entry.data
    return {"done_at": entry.occurred_at, "lag_seconds": data.get("lag_seconds"), "time": data.get("time", {})}


def _at(text: str) -> datetime:
    """As `fromisoformat`, which makes a zone of its own for each."""
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=_zone(at.utcoffset()))


@lru_cache(maxsize=64)
def _zone(offset: timedelta | None) -> timezone:
    if offset is None:
        raise ValueError("a moment without an offset")
    return timezone(offset)
