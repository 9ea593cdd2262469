"""What each ledger entry means for the projections. Pure: entries in, row changes out.

A live record and a rebuild run the same functions over the same entries, so both come to the same rows. Entry types
that are not named here change no projection.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from rules.calendar_years import fingerprint, years_of
from rules.ledger import Entry
from storage.changes import Changes, Row
from storage.tables import (
    clocks,
    complaints,
    crowd_answers,
    holds,
    links,
    messages,
    notices,
    survey_answers,
    webhooks,
)

_AS_OPENED = (
    *("contract", "reference", "kind", "category", "level", "grade", "channel", "language", "route"),
    *("complainant", "against", "incident", "follows"),
)

LIFTED = "miss_lifted"
"""What the news is called that a miss fell away by the calendar."""

_BY_ITSELF = {"opened": "open", "closed": "close", "miss_refuted": "late_report"}
"""What an entry is called as an act when no command made it."""


def project_complaint(changes: Changes, complaint: str, version: str, stage: str, entries: Sequence[Entry]) -> None:
    """The entries of one complaint, in order. `stage` is where it stands after the last of them."""
    for entry in entries:
        if entry.type == "opened":
            changes.add(complaints, _opened(complaint, version, entry))
        now = {"seq": entry.seq, "stage": stage, **_of_complaint(entry)}
        if entry.data.get("flags"):
            now["flags"] = {str(entry.seq): entry.data["flags"]}
        changes.change(complaints, {"id": complaint}, now)
        if entry.type == "clock_started":
            changes.add(clocks, _clock(complaint, entry))
        elif judged := _of_clock(entry):
            obligation, _, n = entry.data["clock"].rpartition("#")
            changes.change(clocks, {"complaint": complaint, "obligation": obligation, "n": int(n)}, judged)
        for row in _surveyed(complaint, entry):
            changes.add(survey_answers, row)
        _relate(changes, complaint, entry)
        for row in _planned(complaint, entry):
            changes.add(notices, row)
        for key, row in _of_notices(entry).items():
            changes.change(notices, {"key": key}, row)


def _relate(changes: Changes, complaint: str, entry: Entry) -> None:
    """Which complaints belong together; the others are of the same contract."""
    data, contract = entry.data, complaint.partition("/")[0]

    def related(relation: str, other: str, *, merged: bool = False) -> None:
        row = {"complaint": complaint, "seq": entry.seq, "relation": relation, "other": f"{contract}/{other}"}
        changes.add(links, row | {"merged": merged, "undone_at": None})

    def undone(seq: int) -> None:
        changes.change(links, {"complaint": complaint, "seq": seq}, {"undone_at": entry.recorded_at})

    match entry.type:
        case "opened" if data.get("follows"):
            related("follows", data["follows"])
        case "linked":
            related(data["relation"], data["to"])
        case "merged":
            related("duplicate_of", data["into"], merged=True)
        case "merge_undone":
            undone(data["merge"])
        case "correction_approved" if data["act"] == "link" and data.get("void"):
            undone(data["corrects"])


def project_message(changes: Changes, message: str, entries: Sequence[Entry]) -> None:
    """The entries of one message, in order:

    - `claimed`: data `person`, `channel`, `language` and `notices`, the keys it carries
    - `accepted`: the recipient's server took it; data `reply`, its answer
    - `joined`: data `notices`, keys of later ones that it told of already, as one of their crowd; it was accepted then
    - `answered`: by the recipient, for all of a crowd, later ones too; data `crowd`, `follow`, and `until` or `to`
    - `undeliverable`: data `reason`
    - `delivered`, `bounced`: what a report said later; data `reason`. `delayed` and `relayed` change nothing
    - `retried`: it is sent once more as it was, after it was undeliverable or came back
    """
    for entry in entries:
        at, data = entry.occurred_at, entry.data
        match entry.type:
            case "claimed":
                told = {"person": data["person"], "claimed_at": at}
                row = {"id": message, "channel": data["channel"], "language": data["language"], **told}
                changes.add(messages, row)
                for key in data["notices"]:
                    changes.change(notices, {"key": key}, {"message": message, **told})
            case "accepted":
                changes.change(messages, {"id": message}, {"accepted_at": at, "reply": data["reply"]})
                # What joins later stands as it joined: a rebuild must not give it what its message had before.
                changes.change(notices, {"message": message, "joined": False}, {"accepted_at": at})
            case "joined":
                for key in data["notices"]:
                    told = {"person": data["person"], "claimed_at": at, "accepted_at": at}
                    changes.change(notices, {"key": key}, {"message": message, "joined": True, **told})
            case "answered":
                changes.add(crowd_answers, _answer(message, entry))
            case "delivered":
                changes.change(messages, {"id": message}, {"delivered_at": at})
                changes.change(notices, {"message": message, "joined": False}, {"delivered_at": at})
            case "undeliverable" | "bounced":
                back = {"bounced_at": at} if entry.type == "bounced" else {}
                changes.change(messages, {"id": message}, {"undeliverable_at": at, "reason": data["reason"], **back})
                changes.change(notices, {"message": message}, {"undeliverable_at": at, "failed_at": at, **back})
            case "retried":
                anew = dict.fromkeys(("accepted_at", "undeliverable_at", "bounced_at", "reason", "reply"))
                changes.change(messages, {"id": message}, anew)
                changes.change(notices, {"message": message}, {"retried_at": at})
                changes.change(notices, {"message": message, "joined": False}, {"accepted_at": None})


def _answer(message: str, entry: Entry) -> Row:
    data = entry.data
    return {
        "message": message,
        "seq": entry.seq,
        "crowd": data["crowd"],
        "role": entry.by.role,
        "person": entry.by.person,
        "answered_at": entry.occurred_at,
        "follow": data["follow"],
        "until": _time(data.get("until")),
        "passed_to": data.get("to"),
    }


def project_webhook(changes: Changes, webhook: str, entries: Sequence[Entry]) -> None:
    """The entries of one subscription, in order:

    - `subscribed`: data `contract`, `format`, `events`, `origin` and `since`
    - `rotated`: data `old_until`; a new secret signs, and until then the old one too
    - `paused`: data `why`; `resumed`; `unsubscribed`
    - `replayed`: changes nothing here, how far it is stands in no projection
    """
    for entry in entries:
        at, data = entry.occurred_at, entry.data
        match entry.type:
            case "subscribed":
                given = {name: data.get(name) for name in ("contract", "format", "events", "origin", "since")}
                changes.add(webhooks, {"id": webhook, "created_at": at, **given})
            case "rotated":
                changes.change(webhooks, {"id": webhook}, {"old_secret_until": _time(data["old_until"])})
            case "paused":
                changes.change(webhooks, {"id": webhook}, {"paused_at": at, "paused_why": data["why"]})
            case "resumed":
                changes.change(webhooks, {"id": webhook}, {"paused_at": None, "paused_why": None})
            case "unsubscribed":
                changes.change(webhooks, {"id": webhook}, {"removed_at": at})


def project_privacy(changes: Changes, complaint: str, entries: Sequence[Entry]) -> None:
    """The entries about the content of one complaint, in order:

    - `held`: data `until`, or nothing for a hold that stands until it is lifted
    - `hold_lifted`: data `hold`, the entry that set it
    - `erased`: data `why`, `request` or `retention`
    - `forgotten`: Temporal's histories are gone, too
    - `remembered`: it has one again
    """
    for entry in entries:
        at, by = entry.occurred_at, entry.by.person or entry.by.role
        match entry.type:
            case "held":
                row = {"complaint": complaint, "n": entry.seq, "until": _time(entry.data.get("until"))}
                changes.add(holds, row | {"set_at": at, "set_by": by})
            case "hold_lifted":
                where = {"complaint": complaint, "n": entry.data["hold"]}
                changes.change(holds, where, {"lifted_at": at, "lifted_by": by})
            case "erased":
                changes.change(complaints, {"id": complaint}, {"erased_at": at, "erased_why": entry.data["why"]})
            case "forgotten":
                changes.change(complaints, {"id": complaint}, {"forgotten_at": at})
            case "remembered":
                changes.change(complaints, {"id": complaint}, {"forgotten_at": None})


def _opened(complaint: str, version: str, entry: Entry) -> Row:
    return {
        "id": complaint,
        "version": version,
        **{name: entry.data.get(name) for name in _AS_OPENED},
        "raised_at": _time(entry.data.get("raised_at")),
        "received_at": entry.occurred_at,
        "recorded_at": entry.recorded_at,
        "history": entry.data.get("history", False),
    }


def _of_complaint(entry: Entry) -> Row:  # noqa: PLR0911  one for each type
    data = entry.data
    match entry.type:
        case "reclassified":
            return {name: data[name] for name in ("kind", "category", "level", "route") if name in data}
        case "assigned":
            return {"owner": data["person"]}
        case "resolved":
            return {"resolved_at": entry.occurred_at, "outcome": data["outcome"]}
        case "replanned":
            return {"calendar": _calendar(entry)}
        case "correction_approved":
            return _corrected(data)
        case "rejected":
            return {"resolved_at": None, "outcome": None, "rejections": 1}
        case "recused":
            return {"against": " ".join(data["against"])}
        case "absorbed" | "released":
            return {"received_at": _time(data["receipt"])}
        case "closed":
            return {
                "closed_at": entry.occurred_at,
                "closed_reason": data["reason"],
                "merged_into": data.get("into"),
            }
        case "reopened":
            back = {"resolved_at": None, "outcome": None} if data["reason"] == "customer wrote" else {}
            return {"closed_at": None, "closed_reason": None, "merged_into": None, "reopenings": 1, **back}
    return {}


def _calendar(entry: Entry) -> Row:
    """By year, the entry that brought it and what its days are, to tell it from another account of them."""
    years = years_of(json.dumps(entry.data["years"]).encode())
    return {str(year): {"entry": entry.seq, "days": fingerprint(holidays)} for year, holidays in years.items()}


def _corrected(data: dict[str, Any]) -> Row:
    """What a correction changes of the complaint itself; its clocks are judged again by entries of their own."""
    if data.get("closes"):
        return {"closed_at": _time(data["happened_at"])}
    match data["act"]:
        case "open":
            return {"received_at": _time(data.get("receipt") or data["happened_at"])}
        case "recuse" if data.get("void"):
            return {"against": " ".join(data["against"]) or None}
        case "resolve":
            right = {"resolved_at": _time(data.get("happened_at"))}
            return right if data.get("happened_at") else {**right, "outcome": None}
        case "reject" if data.get("void"):
            return {"rejections": -1}
    return {}


def _clock(complaint: str, entry: Entry) -> Row:
    data = entry.data
    return {
        "complaint": complaint,
        **{name: data[name] for name in ("obligation", "n", "clause")},
        "started_at": entry.occurred_at,
        "known_at": _time(data["known_at"]),
        **_plan(data),
    }


def _plan(data: dict[str, Any]) -> Row:
    return {
        "due_at": _time(data["due_at"]),
        "provisional": data["provisional"],
        "explanation": data["explanation"],
        "ladder": data["rungs"],
    }


_NOT_OVER: Row = {"gross_seconds": None, "net_seconds": None, "waited": None}
"""Of a clock that runs again: whose time it was is told when it is over."""

_NOT_REFUTED: Row = {"refuted_at": None, "report": None, "lifted_at": None}


def _of_clock(entry: Entry) -> Row:
    at, data = entry.occurred_at, entry.data
    row: Row = {}
    match entry.type:
        case "clock_met":
            row = {"done_at": at, "parts": data["parts"], "lag_seconds": data.get("lag_seconds")}
        case "clock_unmet":
            row = {"done_at": None, "parts": None, "lag_seconds": None, "late_seconds": None}
            row |= _NOT_REFUTED if data.get("status") == "missed" else _NOT_OVER
        case "clock_missed":
            row = {"missed_at": at, "detected_at": entry.recorded_at, "found_by": data.get("found_by"), **_NOT_REFUTED}
        case "clock_done":
            row = {"done_at": at, "late_seconds": data["late_seconds"], "lag_seconds": data.get("lag_seconds")}
        case "clock_ended":
            row = {"ended_at": at, "end_reason": data["reason"]}
        case "clock_resumed":
            row = {"ended_at": None, "end_reason": None}
        case "clock_paused":
            row = {"paused_at": at}
        case "clock_replanned":
            row = {"started_at": _time(data["started_at"]), "replans": 1, "paused_at": _time(data.get("paused_at"))}
            row |= _plan(data) | ({"late_seconds": data["late_seconds"]} if "late_seconds" in data else {})
        case "miss_refuted":
            row = {"refuted_at": entry.recorded_at, "report": data.get("report", "confirmed")}
            lifted = {"lifted_at": at, **_NOT_OVER}
            row |= lifted if data.get("lifted") else {"done_at": at, "lag_seconds": data["lag_seconds"]}
            again = {rung: {"again": at.isoformat()} for rung in data.get("rearmed", ())}
            row |= {"reached": again} if again else {}
        case "report_answered":
            row = {"report": "confirmed" if data["agrees"] else "not_agreed"}
        case "rung_reached":
            told = {name: data[name] for name in ("passed", "silenced_by") if name in data}
            times = {"at": at.isoformat(), "recorded_at": entry.recorded_at.isoformat()}
            row = {"reached": {data["rung"]: times | told}}
    return row | _spent(data)


def _spent(data: dict[str, Any]) -> Row:
    """Whose time it was, where an entry says so."""
    if not (time := data.get("time")):
        return {}
    waited = {party: seconds for party, seconds in time.items() if party not in ("gross", "net")}
    return {"gross_seconds": time["gross"], "net_seconds": time["net"], "waited": waited}


def _planned(complaint: str, entry: Entry) -> list[Row]:
    data = entry.data
    return [
        {
            "key": notice.key,
            "complaint": complaint,
            "contract": complaint.partition("/")[0],
            "seq": entry.seq,
            "clock": data.get("clock"),
            "rung": data.get("rung"),
            "command": data.get("command") or (LIFTED if "@lifted " in notice.key else _BY_ITSELF.get(entry.type)),
            "role": notice.role,
            "urgent": notice.urgent,
            "crowd": notice.crowd,
            "joined": False,
            "occurred_at": entry.occurred_at,
            "planned_at": entry.recorded_at,
        }
        for notice in entry.notices
    ]


def _of_notices(entry: Entry) -> dict[str, Row]:
    data = entry.data
    match entry.type:
        case "acknowledged":
            row = {
                "acknowledged_at": entry.occurred_at,
                "acknowledged_by": entry.by.person or entry.by.role,
                "follow": data["follow"],
                "until": _time(data.get("until")),
            }
            return dict.fromkeys(data["notices"], row)
        case "given_up":
            row = {"undeliverable_at": entry.occurred_at, "given_up_at": entry.occurred_at, "reason": "given up"}
            return dict.fromkeys(data.get("notices", ()), row)
        case "notice_undeliverable" | "notice_bounced":
            failed = {"undeliverable_at": entry.occurred_at, "reason": data["reason"]}
            bounced = {"bounced_at": entry.occurred_at} if entry.type == "notice_bounced" else {}
            return {data["notice"]: failed | bounced}
    return {}


def _surveyed(complaint: str, entry: Entry) -> list[Row]:
    if entry.type != "survey_answered":
        return []
    data = entry.data
    row = {
        "complaint": complaint,
        "contract": complaint.partition("/")[0],
        "seq": entry.seq,
        "answered_at": entry.occurred_at,
    }
    chosen = [
        {**row, "question": question, **answer, "score": Decimal(answer["score"]), "option": data["answers"][question]}
        for question, answer in data.get("scored", {}).items()
    ]
    wrote = [
        {**row, "question": question, "about": about, "option": None, "score": None, "dissatisfied": False}
        for question, about in data.get("wrote", {}).items()
    ]
    return chosen + wrote


def _time(given: str | None) -> datetime | None:
    return datetime.fromisoformat(given) if given else None
