"""Shifts and absences out of an iCalendar file (RFC 5545), as calendar and roster programs export them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

import icalendar
import recurring_ical_events

from rules.ledger import brief
from starter.directory_files import Draft
from templates.words import one_line

WHAT = {"SHIFT": "shifts", "ABSENCE": "absences"}
"""The category of an event says what it is."""

MOST = 2000
"""Occurrences of one event. Whoever works on for ever has weekly hours instead."""

MOST_OF_ALL = 50_000
"""Occurrences of one file."""

ONCE = ("UID", "DTSTART", "DTEND", "DURATION", "RECURRENCE-ID", "SUMMARY", "DESCRIPTION", "SEQUENCE")
"""What an event says once at most (RFC 5545, 3.6.1)."""

_DEPUTY = re.compile(r"^\s*deputy\s*:\s*(\S+)\s*$", re.IGNORECASE | re.MULTILINE)


def read_calendar(draft: Draft, text: str, name: str) -> None:
    """Put the events of a calendar in the place of the shifts and absences of everybody it names.

    `name` is the file's, for messages. What is wrong goes to the draft's mistakes.
    """
    try:
        calendar = icalendar.Calendar.from_ical(text)
    except Exception as error:  # noqa: BLE001  the library can fail in any way that a file finds
        draft.mistakes.append(f"{name}: is no iCalendar file{_why(error)}")
        return
    lines = [number for number, line in enumerate(text.splitlines(), 1) if line.strip().upper() == "BEGIN:VEVENT"]
    series = list(calendar.walk("VEVENT"))
    places = {
        str(event.get("UID")): f"{name}:{line}" for event, line in reversed(list(zip(series, lines, strict=False)))
    }
    found = len(draft.mistakes)
    for event in series:
        place = places[str(event.get("UID"))]
        draft.mistakes += [f"{place}: {reason}" for reason in _wrong_with(event)]
    if len(draft.mistakes) > found:
        return
    people = {str(member.get("email", "")).lower(): id_ for id_, member in draft.people.items()}
    people |= {id_.lower(): id_ for id_ in draft.people}
    seen: set[tuple[str, str]] = set()
    try:
        occurrences = list(islice(recurring_ical_events.of(calendar).all(), MOST_OF_ALL + 1))
    except Exception as error:  # noqa: BLE001  the same
        draft.mistakes.append(f"{name}: its events cannot be followed through their dates{_why(error)}")
        return
    if len(occurrences) > MOST_OF_ALL:
        draft.mistakes.append(f"{name}: has more than {MOST_OF_ALL:,} shifts and absences; give people weekly hours")
        return
    for event in occurrences:
        place = places[str(event.get("UID"))]
        what = next(iter(_kinds(event)))
        named = list(_named(event))
        unknown = [who for who in named if who.lower() not in people]
        if unknown or not named:
            draft.mistakes.append(f"{place}: {', '.join(unknown) or 'nobody'} is not among the people; {_HOW}")
            continue
        entry: dict[str, Any] = _span(event)
        if what == "absences" and (deputy := _DEPUTY.search(str(event.get("DESCRIPTION", "")))):
            entry["deputy"] = people.get(deputy[1].lower(), deputy[1])
        for person in (people[who.lower()] for who in named):
            if (person, what) not in seen:
                seen.add((person, what))
                draft.people[person][what] = []
            draft.add(person, what, entry, place)


_HOW = "name them as attendees by address, or begin the summary with the person's id or address"


def _why(error: Exception) -> str:
    """What the library says, where that are words about the file and not about its own inside."""
    words = one_line(str(error)) if isinstance(error, ValueError) else ""
    return f": {brief(words)}" if words else "; export it anew, or leave out what is not a shift or an absence"


def _unreadable(event: Any) -> Iterator[str]:
    """Lines that say nothing, or more than one may."""
    for line, _ in event.errors:
        yield f"{line or 'a line'} cannot be read"
    for line in ONCE:
        if isinstance(event.get(line), list):
            yield f"has more than one {line}"


def _wrong_with(event: Any) -> Iterator[str]:
    """Why a series cannot be taken, before it is followed through its occurrences."""
    if unreadable := list(_unreadable(event)):
        yield from unreadable
        return
    if "UID" not in event or "DTSTART" not in event:
        yield "has no UID or no DTSTART"
        return
    if len(_kinds(event)) != 1:
        yield "is neither or both of SHIFT and ABSENCE; give it one of them as its category"
    if "DTEND" not in event and "DURATION" not in event:
        yield "has no end"
    rules = event.get("RRULE", [])
    for rule in rules if isinstance(rules, list) else [rules]:
        count, until = rule.get("COUNT", [None])[0], rule.get("UNTIL", [None])[0]
        if rule.get("FREQ", [""])[0] not in {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}:
            yield "repeats within a day; make each shift an event"
        elif count is None and until is None:
            yield "repeats for ever; give it an end, or the person weekly hours"
        elif (count or 0) > MOST or (until and _day(until) - _day(event.start) > timedelta(days=MOST)):
            yield f"repeats for too long (at most {MOST:,} times or days); give the person weekly hours"


def _kinds(event: Any) -> set[str]:
    return {WHAT[category.upper()] for category in event.categories if category.upper() in WHAT}


def _named(event: Any) -> Iterator[str]:
    """Attendees by address, else the first word of the summary."""
    attendees = event.get("ATTENDEE", [])
    listed = attendees if isinstance(attendees, list) else [attendees]
    if listed:
        yield from (re.sub(r"^mailto:", "", str(attendee), flags=re.IGNORECASE) for attendee in listed)
    elif words := str(event.get("SUMMARY", "")).split():
        yield words[0].rstrip(":,")


def _span(event: Any) -> dict[str, Any]:
    """An end given as a date is the day after the last; times that float are the person's own."""
    start, end = event.start, event.end
    if not isinstance(end, datetime):
        end -= timedelta(days=1)
    return {"from": start.isoformat(), "to": end.isoformat()}


def _day(moment: date) -> date:
    return moment.astimezone(UTC).date() if isinstance(moment, datetime) else moment
