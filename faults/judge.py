"""The judge: what a run left behind, against the fault-free run of the same seed. Pure: values in, findings out.

A ledger is compared in three ways:

1. *step by step*: each entry must be what the core decides at the instant at which it was decided, in the state as it
   was. So no rung is lost, collapsed, doubled or out of order, whenever somebody looked.
2. *with the fault-free ledger*: the same entries, sorted by when they happened. What legitimately differs is left out
   (`IGNORED`, `_floats`).
3. *the outcome of every clock*, where a ledger differs since an act was heard only after a moment it would have
   changed: what was met in time was met in time, what was late is late by as much, what was never done never was.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from faults.laws import VISIT
from rules.commands import Command, OpenComplaint
from rules.decide import Decision, decide, deliver, open_complaint, refuse, tick
from rules.divergence import JUDGED
from rules.fold import fold
from rules.judge import next_wake
from rules.law import InForce
from rules.ledger import Entry, Refused
from rules.notices import Outcome

IGNORED = {
    "recorded_at": "when it was learned",
    "lag_seconds": "how long after it happened that was",
    "known_at": "since when a clock is known",
    "seq": "where it stands, since a mail server speaks when it speaks; what names an entry by its number names it by "
    "its idempotency key, or by what it says, instead",
    "digest": "of a command, which has such numbers in it",
}
"""What two ledgers of one story may differ in, and what it is."""

OUTCOMES = {"notice_accepted": True, "notice_undeliverable": False, "notice_bounced": False}
"""Entries that say what became of a notice: they come when the mail server speaks; `faults.mails` judges them."""

NUMBERS = ("source", "silenced_by", "entry", "corrects", "request", "demand", "calendar", "act", "survey", "merge")
"""Data of an entry that name an earlier one by its number."""

BETWEEN = {"absorbed", "released"}
"""What another complaint asked for: it happened when that one was told, and is dated when this one heard of it."""
CIRCULAR = "circular/"
"""How the key of a letter begins that went to many complaints; it is dated when a complaint heard of it, too."""

CLOSED = "The complaint was closed already."
"""Why a letter of a circular is on record as refused: a run that died had the closing on record, and the next one heard
the letter first. Its sender is told so."""

OF_TIME = ("rung_reached", "clock_missed")
"""What happens by itself, at a moment that the contract says."""

REVISED = {"clock_attributed", "clock_replanned", "clock_resumed", "clock_unmet"}
"""Judgements that change an earlier one, at the moment at which that is found."""

_NUMBERED = re.compile(r"#(\d+)(?=/)|(?<=reported late )(\d+)")


class Finding(NamedTuple):
    """Something that must not be."""

    complaint: str
    what: str

    def __str__(self) -> str:
        return f"{self.complaint}: {self.what}"


class _Wrong(Exception):
    """An entry that does not follow; the message says which, and what would."""


def step_by_step(
    entries: Sequence[Entry], start: OpenComplaint, law: InForce, sent: Mapping[str, Command]
) -> str | None:
    """What the core would not have decided; nothing when every entry follows from those before it and its instant.

    `sent` are the commands by key. The ledger of a closed complaint must be over; of an open one, nothing may be due
    before its last entry.
    """
    if not entries:
        return "it has no ledger"
    try:
        _follow(entries, start, law, sent)
    except _Wrong as wrong:
        return str(wrong)
    return None


def _follow(entries: Sequence[Entry], start: OpenComplaint, law: InForce, sent: Mapping[str, Command]) -> None:
    """Raises _Wrong."""
    now = entries[1].recorded_at if len(entries) > 1 else entries[0].recorded_at
    try:
        decision = open_complaint(start, law, entries[0].recorded_at, now)
    except Refused as refused:
        raise _Wrong(f"it could not have been opened: {refused}") from None
    at = 0
    while True:
        follows, there = decision.entries, entries[at : at + len(decision.entries)]
        if taken_over := _taken_over(follows, there):
            at += taken_over
            unjudged = Decision(fold(list(entries[:at])))
            decision = _next(unjudged, law, entries[at], sent)
            continue
        if _answers_less(follows[0], there[0], entries[:at]):
            at += 1
            decision = Decision(fold(list(entries[:at])))
        else:
            _same(follows, there)
            at += len(follows)
        if at >= len(entries):
            break
        decision = _next(decision, law, entries[at], sent)
    wake = next_wake(decision.case, law)
    if wake is not None and wake.at <= entries[-1].recorded_at:
        raise _Wrong(f"{wake.clock} {wake.rung} was due at {wake.at.isoformat()} and is not on record")


def _same(follows: Sequence[Entry], there: Sequence[Entry]) -> None:
    """Raises _Wrong unless all stands there that follows."""
    for wanted, found in zip(follows, there, strict=False):
        if apart := _apart(wanted, found):
            raise _Wrong(f"entry {found.seq} is {_short(found)}, where {_short(wanted)} follows: {apart}")
    if len(there) < len(follows):
        raise _Wrong(f"it ends before {_short(follows[len(there)])}")


def _next(before: Decision, law: InForce, entry: Entry, sent: Mapping[str, Command]) -> Decision:
    """The decision that this entry begins. Raises _Wrong."""
    try:
        decision = _decision(before, law, entry, sent)
    except Refused as refused:
        raise _Wrong(f"entry {entry.seq} records what is refused: {refused}") from None
    if not decision.entries:
        raise _Wrong(f"entry {entry.seq} is {_short(entry)}, where nothing follows")
    return decision


def _taken_over(follows: Sequence[Entry], there: Sequence[Entry]) -> int:
    """How many entries stand as they follow before a judgement is put off: to a later instant, or behind another act.

    So it is where a run took over what one before it had decided, and judged only then (`rules.divergence`). What was
    put off follows all the same, and is waited for.
    """
    for number, (wanted, found) in enumerate(zip(follows, there, strict=False)):
        later = found.type not in JUDGED or found.recorded_at > wanted.recorded_at
        if number and wanted.type in JUDGED and later:
            return number
        if _apart(wanted, found):
            return 0
    return 0


def _answers_less(wanted: Entry, found: Entry, before: Sequence[Entry]) -> bool:
    """Whether an acknowledgement of all that was told lacks what the last record before it tells.

    So it is where that was recorded by a run that died, and the next one heard the acknowledgement first.
    """
    if wanted.type != "acknowledged" or found.type != "acknowledged":
        return False
    last = [entry for entry in before if entry.recorded_at == before[-1].recorded_at]
    answered = found.data["notices"]
    lacks = set(wanted.data["notices"]) - set(answered)
    narrower = wanted.model_copy(update={"data": wanted.data | {"notices": answered}})
    told = {notice.key for entry in last for notice in entry.notices}
    return bool(lacks) and lacks <= told and not _apart(narrower, found)


def _decision(before: Decision, law: InForce, entry: Entry, sent: Mapping[str, Command]) -> Decision:
    """What the core decides where this entry comes next."""
    case, now = before.case, entry.recorded_at
    if entry.key is not None:
        if entry.key not in sent:
            raise Refused(f"nobody sent the key {entry.key}")
        return decide(case, law, sent[entry.key], now, entry.key, entry.via or "ui")
    if entry.type == "refused" and case.closed and entry.data["command"] in _letters(sent):
        return refuse(case, entry.data["command"], CLOSED, now)
    if entry.type in OUTCOMES:
        data = entry.data
        told = Outcome(
            notice=data["notice"], accepted=OUTCOMES[entry.type], at=entry.occurred_at, reason=data["reason"]
        )
        return deliver(case, law, told, now)
    return tick(case, law, now)


def _letters(sent: Mapping[str, Command]) -> set[str]:
    """The commands that circulars brought."""
    return {command.name for key, command in sent.items() if key.startswith(CIRCULAR)}


def differences(expected: Sequence[Entry], found: Sequence[Entry]) -> list[str]:
    """What one ledger has and the other has not, as far as it may not differ."""
    wanted, there = Counter(_said(expected)), Counter(_said(found))
    missing = [f"missing: {line}" for line in (wanted - there).elements()]
    return missing + [f"too much: {line}" for line in (there - wanted).elements()]


def outcomes(entries: Sequence[Entry]) -> dict[str, str]:
    """What became of each clock, by obligation and start."""
    case = fold(list(entries))
    end = case.closed.at if case.closed else None
    found = {}
    for clock in case.clocks:
        mailed = clock.obligation in ("proposal", "explanation")
        if clock.done_at is not None and clock.status != "ended":
            in_time = "in time" if clock.done_at <= clock.due_at else "late"
            became = in_time if mailed else f"{in_time}, done {_utc(clock.done_at)}"
        elif clock.missed and not clock.cleared_at:
            became = "never done"
        elif clock.status == "ended" and clock.missed:
            became = "ended"
        else:
            became = clock.status
        if end is not None and became == "running":
            became = "left running"
        key = f"{clock.obligation} from {_utc(clock.started_at)}"
        found[key] = f"due {_utc(clock.due_at)}: {became}"
    return found


def _refuted(entries: Sequence[Entry]) -> set[str]:
    """The clocks whose miss was refuted, also where nobody confirmed it yet, named as `outcomes` names them."""
    case = fold(list(entries))
    return {f"{clock.obligation} from {_utc(clock.started_at)}" for clock in case.clocks if clock.refuted_at}


def crossed(expected: Sequence[Entry], found: Sequence[Entry], slack: timedelta) -> bool:
    """Whether a moment at which something happened by itself lies between an act and its hearing, or so near to it that
    a slow machine may look at the two in either order, or is a rung's and the same; or whether a rung passed by untold,
    since nobody looked before the act behind it was heard, or stands behind an acknowledgement that was given after it:
    that answers only what was told by then. Then what is on record depends on who came first."""
    moments = [entry.occurred_at for entry in (*expected, *found) if entry.type in OF_TIME]
    same = {entry.occurred_at for entry in (*expected, *found) if entry.type == "rung_reached"}
    passed = [(e.occurred_at, e.recorded_at) for e in found if e.type == "rung_reached" and "passed" in e.data]
    told = {entry.key: entry.occurred_at for entry in expected if _dated_when_heard(entry)}
    heard = [(told.get(e.key, e.occurred_at), e.recorded_at) for e in found if e.key is not None]
    heard += [(datetime.fromisoformat(act["at"]), e.recorded_at) for e in found for act in e.data.get("done", ())]
    answers = [entry for entry in found if entry.type == "acknowledged"]
    rungs = [entry for entry in found if entry.type == "rung_reached"]
    return (
        any(happened < moment <= at + slack for happened, at in heard for moment in moments)
        or any(happened in same for happened, _ in heard)
        or any(moment <= happened and at <= seen for happened, at in heard for moment, seen in passed)
        or any(rung.occurred_at <= ack.occurred_at and rung.seq > ack.seq for ack in answers for rung in rungs)
    )


def facts(entries: Sequence[Entry], untold: Collection[str] = ()) -> list[str]:
    """The acts of people, in the order in which they were told."""
    return [f"{entry.key} {entry.type}" for entry in entries if entry.key is not None and entry.key not in untold]


def changed(expected: Sequence[Entry], found: Sequence[Entry], untold: Collection[str] = ()) -> list[str]:
    """Clocks with another outcome, and acts that are missing, too many or in another order.

    A clock that only one side has counts when it says something: one that a miss set going, and the refutation of that
    miss ended, is an ended clock more. A clock whose end was heard only after its due is missed when somebody looked in
    between, and a miss stays on record, done late or never (invariant 2), or is refuted by what is told later. `untold`
    are the keys of acts that nobody told, having come too late for what they answer.
    """
    problems = []
    acts, wanted_acts = facts(found), facts(expected, untold)
    if acts != wanted_acts:
        problems.append(f"acts {acts} instead of {wanted_acts}")
    wanted, there = outcomes(expected), outcomes(found)
    refuted = _refuted(expected) | _refuted(found)
    apart = crossed(expected, found, timedelta())
    for key in sorted(wanted.keys() | there.keys()):
        one, other = wanted.get(key, "ended"), there.get(key, "ended")
        ends = [became.endswith("ended") for became in (one, other)]
        late = [became.endswith("never done") or ": late, " in became for became in (one, other)]
        explained = ((bool(untold) or apart) and any(late)) or (apart and not untold and key in refuted)
        same = all(ends) or (any(ends) and explained)
        if one != other and not same:
            problems.append(f"{key}: {other} instead of {one}")
    return problems


def _said(entries: Sequence[Entry]) -> Iterator[str]:
    """Each entry without what may differ."""
    names = {entry.seq: _name(entry) for entry in entries}
    last = next((entry for entry in reversed(entries) if entry.key is not None), None)
    end = last.occurred_at if last is not None and last.type == "withdrawn" else None

    def renamed(text: str) -> str:
        return _NUMBERED.sub(
            lambda match: match[0].replace(match[1] or match[2], f"‹{names.get(_number(match), '?')}›"), text
        )

    for entry in entries:
        if entry.type in OUTCOMES:
            continue
        if entry.type == "refused" and entry.data["reason"] == CLOSED:
            continue
        data = {name: value for name, value in entry.data.items() if name not in IGNORED}
        if entry.type == "clock_started":
            data.pop("calendar", None)  # it counts by the newest that was known when somebody looked
        for name in NUMBERS:
            if isinstance(data.get(name), int):
                data[name] = names.get(data[name], data[name])
        if "done" in data:
            data["done"] = [{name: one[name] for name in one if name not in IGNORED} for one in data["done"]]
        if "notices" in data:
            data["notices"] = sorted(renamed(key) for key in data["notices"])
        floats = _floats(entry, end)
        if floats:
            data = {name: value for name, value in data.items() if name not in ("parts", "time", "occurred_at_given")}
        body = entry.model_dump(mode="json", include={"type", "by", "via", "internal", "evidence", "content"})
        body |= {"key": entry.key, "data": data, "notices": sorted(renamed(notice.key) for notice in entry.notices)}
        body["occurred_at"] = "floats" if floats else _utc(entry.occurred_at)
        yield json.dumps(body, ensure_ascii=False, sort_keys=True)


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _number(match: re.Match[str]) -> int:
    return int(match[1] or match[2])


def _floats(entry: Entry, end: datetime | None) -> bool:
    """Whether its time is that of the machinery and not of the story: what was dated by a clock that is ahead, what was
    judged anew when something was heard, what a mail met or set going, and what ended with the last act, which is told
    once all is settled."""
    data = entry.data
    return (
        "occurred_at_given" in data
        or _dated_when_heard(entry)
        or entry.occurred_at == end
        or entry.type in REVISED
        or "lifted" in data
        or data.get("reason") == "superseded"
        or (
            entry.type.startswith("clock_")
            and data.get("obligation") in ("proposal", "explanation")
            and "parts" in data
        )
        or (entry.type == "rung_reached" and data["obligation"] == VISIT and data["rung"] != "due")
    )


def _dated_when_heard(entry: Entry) -> bool:
    return entry.type in BETWEEN or (entry.key or "").startswith(CIRCULAR)


def _name(entry: Entry) -> str:
    """What an entry is known by, whatever its number."""
    if entry.key is not None:
        return entry.key
    about = [str(entry.data[name]) for name in ("clock", "rung", "round", "notice") if name in entry.data]
    return " ".join([entry.type, *about])


def _short(entry: Entry) -> str:
    return f"{_name(entry)} of {entry.occurred_at.isoformat()}"


def _apart(wanted: Entry, found: Entry) -> str:
    """The fields in which two entries differ; empty when they do not."""
    one, other = wanted.model_dump(mode="json"), found.model_dump(mode="json")
    for body, entry in ((one, wanted), (other, found)):
        body |= {name: _utc(getattr(entry, name)) for name in ("occurred_at", "recorded_at")}
    return "; ".join(f"{name} {other[name]!r} instead of {one[name]!r}" for name in one if one[name] != other[name])
