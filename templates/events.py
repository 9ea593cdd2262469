"""What a group robot says of events: a few lines of Markdown each, in the language of the contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rules.contract import Contract, Language
from rules.events import Event
from templates.letter import UTC
from templates.rendering import Renderer
from templates.words import one_line, zone_of

BREAK = "  \n"
"""A line break that all of them show: DingTalk wants the two spaces, the others do not mind."""

GRAVITY = (
    *("clock.missed", "clock.warned", "clock.done", "clock.unmet", "clock.refuted", "clock.report_answered"),
    *("clock.replanned", "complaint.opened", "complaint.reopened", "complaint.closed"),
    *("clock.resumed", "clock.met", "clock.ended"),
)
"""What a title names first."""

_MARKS = str.maketrans("", "", "<>[]*`#")


@dataclass(frozen=True, slots=True)
class Told:
    """One event with the words of its contract; without a contract only with its own codes."""

    type: str
    reference: str
    data: Mapping[str, Any]
    language: Language = "en"
    zone: ZoneInfo = UTC
    contract_title: str = ""
    title: str = ""
    clause: str = ""
    classes: tuple[str, ...] = ()
    due: datetime | None = None
    was_due: datetime | None = None
    late: timedelta | None = None
    case_url: str = ""


def told_of(event: Event, contract: Contract | None, case_url: str) -> Told:
    """An event as people may be told of it; without its contract's words where those cannot be read."""
    data = event.data
    told: dict[str, Any] = {
        "type": event.type,
        "reference": event.reference,
        "data": data,
        "clause": _plain(data.get("clause", "")),
        "due": _time(data.get("due")),
        "was_due": _time(data.get("was_due_at")),
        "late": timedelta(seconds=data["late_seconds"]) if "late_seconds" in data else None,
        "classes": tuple(str(data[name]) for name in ("kind", "category", "level") if name in data),
        "case_url": case_url,
    }
    try:
        return Told(**told | _words(event, contract)) if contract else Told(**told)
    except Exception:  # noqa: BLE001  whatever is wrong with one event, it must leave, and the others behind it
        return Told(**told)


class Announcer:
    """Puts events into Markdown. A template that somebody broke never holds them back: the facts leave without it."""

    def __init__(self, renderer: Renderer | None = None) -> None:
        self._renderer = renderer or Renderer()

    def block(self, told: Told, now: datetime) -> str:
        """One event, in lines that every robot breaks."""
        try:
            text = self._renderer.plain("event.txt", told.language, told.zone, told=told, now=now)
        except Exception:  # noqa: BLE001  a template can fail in any way its author finds
            due = told.due.isoformat() if told.due else ""
            text = " · ".join(part for part in (told.type, told.clause, told.reference, due, told.case_url) if part)
        return BREAK.join(line for line in (line.strip() for line in text.splitlines()) if line)

    def title(self, told: Sequence[Told]) -> str:
        """What one message is about, on one line."""
        found = Counter(one.type for one in told)
        counts = [(type_, found[type_]) for type_ in GRAVITY if type_ in found]
        first = told[0]
        try:
            text = self._renderer.plain("crowd.txt", first.language, first.zone, told=told, counts=counts)
        except Exception:  # noqa: BLE001
            text = " · ".join(f"{n} {type_}" for type_, n in counts)
        return one_line(text)

    def trial(self, language: Language) -> str:
        """A message that says only that it is a test."""
        return one_line(self._renderer.plain("trial.txt", language, UTC))


def _words(event: Event, contract: Contract) -> dict[str, Any]:
    language, data = contract.language, event.data
    promise = contract.obligations.get(data.get("obligation", ""))
    level = contract.levels.get(data.get("level", ""))
    category = contract.categories.get(data.get("category", ""))
    named = (level, category)
    found: dict[str, Any] = {
        "language": language,
        "zone": zone_of(contract.calendar.zone, UTC),
        "contract_title": _plain(contract.words(contract.title)),
        "title": _plain(contract.words(promise.title)) if promise else "",
    }
    if event.type == "complaint.opened":
        found["classes"] = tuple(_plain(contract.words(one.title)) for one in named if one)
    return found


def _plain(text: str) -> str:
    """On one line, and nothing in it that Markdown or a robot's own marks would read."""
    return one_line(text).translate(_MARKS)


def _time(given: str | None) -> datetime | None:
    return datetime.fromisoformat(given) if given else None
