"""From what is on record of a case to its file, in the words of its own contract version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from rules.access import hidden
from rules.complaint import Complaint
from rules.contract import Contract, Language
from rules.explanation import Explanation
from rules.fold import fold
from rules.grammar import WorkingDays
from rules.ledger import Entry
from rules.sight import Sight
from rules.stage import path_of
from rules.waits import Spell, spells
from templates.casefile import Asking, CaseFile, ClockLine, NoticeLine, Part, Proof, State, Took
from templates.casefile import Texts as TextsState
from templates.entries import Naming, event_of
from templates.letter import UTC, Task
from templates.lines import tasks_of
from templates.timeline import Scale, drawn
from templates.words import zone_of

Row = Mapping[str, Any]

WORKING_DAY = 86_400
"""Seconds that a working day counts for in the ledger of a clock (`storage.tables.clocks`)."""


@dataclass(frozen=True)
class OnRecord:
    """What the record says of a case: the columns of its row, its clocks and notices, its ledger, and the words."""

    case: Row
    clocks: Sequence[Row]
    notices: Sequence[Row]
    """With the columns of the message that carries each, as `message_…`."""
    entries: Sequence[Entry]
    people: Mapping[str, str]
    related: Sequence[tuple[str, str, bool]] = ()
    """Other complaints, the relation, and whether it is said of this one."""
    texts: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    texts_are: TextsState = "hidden"


def file_of(
    found: OnRecord, contract: Contract, language: Language, sight: Sight, now: datetime, mail_domain: str = ""
) -> CaseFile:
    """The file as a reader with this sight may see it. `mail_domain` is the right part of the Message-IDs."""
    row, zone = found.case, zone_of(contract.calendar.zone, UTC)
    case = fold(list(found.entries))
    naming = Naming(contract, language, found.people)
    internal = set() if sight.internal else hidden(found.entries)
    shown = [entry for entry in found.entries if entry.seq not in internal]
    passed = {key: e.data["to"] for e in found.entries if e.data.get("to") for key in e.data.get("notices", ())}
    until = row["closed_at"] or now
    waited = spells(case, contract.waits.order)
    scale = _scale(found.clocks, waited, until, row["received_at"])
    clocks = tuple(_clock(clock, naming, scale, waited, until) for clock in found.clocks)
    category, level = contract.categories.get(row["category"] or ""), contract.levels.get(row["level"] or "")
    grade, channel = contract.grades.get(row["grade"] or ""), contract.channels.get(row["channel"])
    return CaseFile(
        complaint=row["id"],
        reference=row["reference"],
        contract_title=contract.words(contract.title, language),
        version=row["version"],
        kind=row["kind"],
        category=contract.words(category.title, language) if category else row["category"] or "",
        level=row["level"] or "",
        level_title=contract.words(level.title, language) if level else "",
        grade=contract.words(grade.title, language) if grade else row["grade"] or "",
        channel=contract.words(channel.title, language) if channel else row["channel"],
        stage=row["stage"],
        path=path_of(case, contract),
        received_at=row["received_at"],
        recorded_at=row["recorded_at"],
        raised_at=row["raised_at"],
        closed_at=row["closed_at"],
        closed_reason=row["closed_reason"] or "",
        outcome=row["outcome"] or "",
        history=row["history"],
        merged_into=row["merged_into"] or "",
        related=tuple((other.partition("/")[2], relation, ours) for other, relation, ours in found.related),
        has_it=naming.who(row["route"], row["owner"]),
        zone=zone,
        now=now,
        clocks=clocks,
        labels=scale.labels(),
        now_x=None if row["closed_at"] else scale.x(now),
        asked=tuple(_asked(case, naming, until, internal)),
        events=tuple(event_of(e, naming, found.texts.get(e.seq, {}), proofs=sight.content) for e in shown),
        notices=tuple(
            _notice(notice, naming, passed.get(notice["key"]), mail_domain)
            for notice in found.notices
            if notice["seq"] not in internal
        ),
        evidence=tuple(_proofs(shown)) if sight.content else (),
        texts=found.texts_are,
        hidden=len(internal),
        counts=Counter(clock.state for clock in clocks),
    )


def _scale(clocks: Sequence[Row], waited: Sequence[Spell], until: datetime, received_at: datetime) -> Scale:
    moments = [received_at, until]
    for clock in clocks:
        times = (clock[name] for name in ("started_at", "due_at", "done_at", "ended_at"))
        moments += [at for at in times if at is not None]
    moments += [at for spell in waited for at in (spell.since, spell.until) if at is not None]
    return Scale(moments)


def _clock(row: Row, naming: Naming, scale: Scale, waited: Sequence[Spell], now: datetime) -> ClockLine:
    promise = naming.contract.obligations.get(row["obligation"])
    due, done = row["due_at"], row["done_at"]
    behind = (done or now) - due if row["status"] != "ended" else timedelta()
    named = (
        zip(promise.met_by.parts, tasks_of(promise, naming.contract, naming.language), strict=True) if promise else ()
    )
    tasks = dict(named)
    return ClockLine(
        id=f"{row['obligation']}#{row['n']}",
        title=naming.promise(row["obligation"]),
        clause=row["clause"],
        state=_state(row, now),
        started_at=row["started_at"],
        due_at=due,
        drawn=drawn(
            scale,
            row["started_at"],
            due,
            done,
            row["ended_at"],
            row["missed_at"],
            now,
            [spell.before(now) for spell in waited],
        ),
        provisional=row["provisional"],
        done_at=done,
        missed_at=row["missed_at"],
        lifted_at=row["lifted_at"],
        ended_at=row["ended_at"],
        end_reason=row["end_reason"] or "",
        behind=max(behind, timedelta()),
        left=max(due - now, timedelta()) if row["status"] == "running" else timedelta(),
        lag=timedelta(seconds=row["lag_seconds"] or 0),
        found_by=row["found_by"] or "",
        replans=row["replans"],
        paused_at=row["paused_at"] if row["status"] == "running" else None,
        took=tuple(
            Took(party, timedelta(seconds=n), n / WORKING_DAY if promise and type(promise.due) is WorkingDays else None)
            for party, n in (row["waited"] or {}).items()
        ),
        tasks=tuple(tasks.values()),
        all_of=bool(promise and promise.met_by.all_of),
        parts=tuple(
            Part(tasks.get(name, Task(name)), datetime.fromisoformat(at)) for name, at in (row["parts"] or {}).items()
        ),
        why=_why(row["explanation"], naming.language),
    )


def _state(row: Row, now: datetime) -> State:
    if row["status"] == "missed":
        return _missed(row)
    if row["status"] != "running":
        status: State = row["status"]  # met or ended
        return status
    if row["paused_at"]:
        return "paused"
    return "over" if row["due_at"] < now else "running"


def _missed(row: Row) -> State:
    """How a miss stands, and what a late report made of it."""
    if not row["refuted_at"]:
        return "late" if row["done_at"] else "overdue"
    if row["report"] in {"unconfirmed", "not_agreed", "not_counted"}:
        report: State = row["report"]
        return report
    return "refuted"


def _why(explanation: Mapping[str, Any], language: Language) -> str:
    try:
        return Explanation.model_validate(explanation).text(language)
    except ValueError:  # of a shape this version does not know: the due stands without its reason
        return ""


def _asked(case: Complaint, naming: Naming, now: datetime, internal: set[int]) -> list[Asking]:
    found = []
    for request in case.requests:
        made = case.act(request.seq)
        if made is None or request.seq in internal:
            continue
        answer = case.act(request.answered) if request.answered else None
        contest = case.act(request.contested) if request.contested else None
        since = max(request.due_at, made.at)
        until = (answer.at if answer else now) if contest is None else since
        found.append(
            Asking(
                seq=request.seq,
                of=naming.who(request.role),
                asked_at=made.at,
                due_at=request.due_at,
                answered_at=answer.at if answer else None,
                contested_at=contest.at if contest else None,
                waited=max(until - since, timedelta()),
            )
        )
    return found


def _notice(row: Row, naming: Naming, passed: str | None, domain: str) -> NoticeLine:
    clock = row["clock"] or ""
    promise = naming.contract.obligations.get(clock.rpartition("#")[0])
    return NoticeLine(
        seq=row["seq"],
        to=naming.who(row["role"], row["person"]),
        state=row["state"],
        planned_at=row["planned_at"],
        about=naming.promise(clock.rpartition("#")[0]) if clock else "",
        clause=promise.clause if promise else "",
        rung=naming.rung(row["rung"] or ""),
        command=row["command"] or "",
        message_id=f"{row['message']}@{domain}" if row["message"] and domain else row["message"] or "",
        claimed_at=row["claimed_at"],
        accepted_at=row["accepted_at"],
        reply=row["message_reply"] or "",
        delivered_at=row.get("delivered_at"),
        bounced_at=row.get("bounced_at"),
        undeliverable_at=row["undeliverable_at"],
        reason=row["reason"] or row["message_reason"] or "",
        attempts=row["message_attempts"] or 0,
        last_error=row["message_last_error"] or "",
        acknowledged_at=row["acknowledged_at"],
        acknowledged_by=naming.person(row["acknowledged_by"]),
        follow=row["follow"] or "",
        until=row["until"],
        passed_to=naming.role(passed) if passed else "",
    )


def _proofs(entries: Sequence[Entry]) -> list[Proof]:
    return [Proof(**proof.model_dump(), seq=entry.seq) for entry in entries for proof in entry.evidence]
