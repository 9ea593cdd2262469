"""From what is on record about a notice to what is said of it, in the words of its own contract version."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from rules.contract import Contract, Language, Obligation
from rules.ledger import Entry
from templates.letter import GRAVITY, UTC, Answer, Line, Purpose, Task
from templates.words import zone_of

BEFORE_REGISTRATION = "before it was registered"
"""What the entry of a rung says when the rung lay before the case was registered (invariant 11)."""


def line_of(
    told: Mapping[str, Any], contract: Contract | None, language: Language, *, case_url: str = "", content: str = ""
) -> Line:
    """One notice as a line. `told` is what `storage.posts` finds: `notice_`, `case_` and `clock_` columns, and `entry`.

    What cannot be read, since the contract or the entry is of a shape this version does not know, is left out.
    """
    try:
        return _whole(told, contract, language, case_url, content)
    except Exception:  # noqa: BLE001  whatever is wrong with one notice, it must leave, and the others with it
        return Line(
            key=told["notice_key"],
            complaint=told["notice_complaint"],
            role=told["notice_role"],
            urgent=told["notice_urgent"],
            purpose=_purpose(told["notice_rung"] or "", passed=False),
            act=told["notice_command"] or told["notice_clock"] or "",
            at=told["notice_occurred_at"],
            due_at=told["clock_due_at"],
            case_url=case_url,
            answer=_answer(told),
            crowd=told["notice_crowd"] or "",
            joined=told["notice_joined"],
            incident=told["case_incident"] or "",
        )


def gathered(
    lines: Iterable[Line],
    answers: Mapping[str, Answer] | None = None,
    open_cases: Mapping[tuple[str, str], int] | None = None,
    hidden: Collection[str] = (),
) -> list[Line]:
    """The lines of a message, what was told once for an incident as one line, gravest first.

    `answers` are those that hold for a whole crowd; `open_cases` says how many complaints of an incident, given by
    contract and name, are open. Notices whose keys are `hidden` are left out; the numbers of the other lines stay as
    they are, whatever joins or is hidden.
    """
    crowds: dict[str, list[Line]] = {}
    for line in lines:
        crowds.setdefault(line.crowd or line.key, []).append(line)
    ordered = sorted(crowds.items(), key=lambda one: gravest_first(min(one[1], key=lambda line: line.joined)))
    found = []
    for number, (crowd, told) in enumerate(ordered):
        if shown := [line for line in told if line.key not in hidden]:
            about = shown[0].complaint.partition("/")[0], shown[0].incident
            answer, count = (answers or {}).get(crowd), (open_cases or {}).get(about, 0)
            line = _together(shown, answer, count) if shown[0].crowd else shown[0]
            found.append(replace(line, number=number))
    return found


def _together(lines: list[Line], answer: Answer | None, open_cases: int) -> Line:
    """One line for a crowd: the worst of it, and how many there are."""
    unsettled = [line for line in lines if not line.done_at and not line.ended]
    worst = min(unsettled or lines, key=lambda line: (line.due_at is None, line.due_at, line.key))
    cases = tuple(dict.fromkeys(line.complaint for line in lines))
    same: dict[str, Any] = {
        name: getattr(worst, name) if len({getattr(line, name) for line in lines}) == 1 else ""
        for name in ("kind", "category", "level", "level_title", "who", "by", "reason", "outcome")
    }
    return replace(
        worst,
        **same,
        cases=cases,
        settled=len(cases) - len({line.complaint for line in unsettled}),
        open_cases=max(open_cases, len(cases)),
        content="",
        case_url=worst.case_url if len(cases) == 1 else "",
        answer=answer or (worst.answer if all(line.answer for line in lines) else None),
    )


def gravest_first(line: Line) -> tuple[bool, int]:
    """The order of lines in a message: urgent ones, then what is missed, then what may be."""
    return (not line.urgent, GRAVITY.index(line.purpose))


def _whole(told: Mapping[str, Any], contract: Contract | None, language: Language, case_url: str, content: str) -> Line:
    if contract is None:
        raise LookupError("no contract, no words")
    entry = Entry.model_validate(told["entry"])
    rung, role, data = told["notice_rung"] or "", told["notice_role"], entry.data
    purpose = _purpose(rung, passed=data.get("passed") == BEFORE_REGISTRATION)
    promise = contract.obligations.get(told["clock_obligation"] or "")
    act, title = _act(told, data, contract, language)
    category = contract.categories.get(told["case_category"] or "")
    level = contract.levels.get(told["case_level"] or "")
    return Line(
        key=told["notice_key"],
        complaint=told["notice_complaint"],
        role=role,
        purpose=purpose,
        urgent=told["notice_urgent"],
        role_title=_title(contract, role, language),
        contract_title=contract.words(contract.title, language),
        kind=told["case_kind"],
        category=contract.words(category.title, language) if category else "",
        level=told["case_level"] or "",
        level_title=contract.words(level.title, language) if level else "",
        title=contract.words(promise.title, language) if promise else title,
        clause=promise.clause if promise else "",
        at=entry.occurred_at,
        recorded_at=entry.recorded_at,
        since=told["clock_started_at"],
        due_at=told["clock_due_at"],
        provisional=bool(told["clock_provisional"]),
        calendar=", ".join(map(str, data.get("years", ()))) if told["notice_clock"] else "",
        percent=rung if rung.endswith("%") else "",
        act=act,
        by=_who(contract, entry.by.role, entry.by.person, language) if act and entry.by.role in contract.roles else "",
        reason=data.get("reason", "") if entry.type == "closed" else "",
        outcome=data.get("outcome", "") if entry.type == "resolved" else "",
        done_at=told["clock_done_at"],
        ended=told["clock_status"] == "ended",
        who="" if told["case_closed_at"] else _who(contract, told["case_route"], told["case_owner"], language),
        tasks=tuple(_tasks(promise, contract, language)) if promise else (),
        all_of=bool(promise and promise.met_by.all_of),
        zone=zone_of(contract.calendar.zone, UTC),
        case_url=case_url,
        content=content,
        answer=_answer(told),
        crowd=told["notice_crowd"] or "",
        joined=told["notice_joined"],
        incident=told["case_incident"] or "",
    )


def _purpose(rung: str, *, passed: bool) -> Purpose:
    if not rung:
        return "act"
    if passed and rung != "0%":  # a clock that starts with receipt always starts before its case is registered
        return "passed"
    if rung.endswith("%"):
        return "warning"
    return "missed" if rung == "due" else "still"


def _act(told: Mapping[str, Any], data: Mapping[str, Any], contract: Contract, language: Language) -> tuple[str, str]:
    """The act, and for notices handed on to the recipient what they were about."""
    command = told["notice_command"] or ""
    if command != "acknowledge" or data.get("to") != told["notice_role"]:
        return command, ""
    about = (key.rpartition("/")[0].rpartition("/")[2].partition("#")[0] for key in data.get("notices", ()))
    promises = [contract.obligations[name] for name in dict.fromkeys(about) if name in contract.obligations]
    return "passed", ", ".join(contract.words(promise.title, language) for promise in promises)


def _tasks(promise: Obligation, contract: Contract, language: Language) -> list[Task]:
    tasks = []
    for part in promise.met_by.parts:
        act, _, role = part.partition(":")
        before, _, of = act.partition("notice of ")
        tasks.append(Task("notice", of) if of and not before else Task(act, _title(contract, role, language)))
    return tasks


def _title(contract: Contract, role: str, language: Language) -> str:
    held = contract.roles.get(role)
    return contract.words(held.title, language) if held else role


def _who(contract: Contract, role: str, person: str | None, language: Language) -> str:
    return " · ".join(part for part in (_title(contract, role, language), person) if part)


def _answer(told: Mapping[str, Any]) -> Answer | None:
    if told["notice_acknowledged_at"] is None:
        return None
    return Answer(
        at=told["notice_acknowledged_at"],
        by=told["notice_acknowledged_by"] or told["notice_role"],
        follow=told["notice_follow"] or "noted",
        until=told["notice_until"],
    )
