"""The ledger: what happened to a complaint, in the order we learned of it. Everything else is derived from it."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from rules.commands import Via
from rules.values import FORMS, Actor, Evidences, Instant, Name, Value

LONGEST_REASON = 400
"""Characters of one mistake: it may quote what was sent, and somebody reads it in a terminal."""
MOST_PROBLEMS = 20
"""As many mistakes of one input are named; whoever sent more has sent something else."""


class Notice(Value):
    """What one role is to be told about one entry (invariant 12)."""

    key: str
    """(complaint, clock and rung or entry, role): claimed at most once."""
    role: Name
    urgent: bool = False
    crowd: str | None = None
    """What it is told together with, once for all cases of an incident: `contract/incident/obligation@rung/role`."""


class ContentRef(Value):
    """Where a text lies that the ledger does not hold (invariant 19)."""

    field: str
    sha256: str
    length: int


class Entry(Value):
    """One fact or judgement. `data` belongs to the type; `v` is the version of its shape."""

    seq: int
    type: str
    v: int = 1
    by: Actor
    reported_by: Actor | None = None
    on_behalf_of: Actor | None = None
    via: Via | None = None
    authenticated_as: str | None = None
    """Filled by the front door alone: claimed and proved identities never mix."""
    occurred_at: Instant
    recorded_at: Instant
    evidence: Evidences = ()
    internal: bool = False
    key: str | None = None
    """The idempotency key of the command it records."""
    digest: str | None = None
    """SHA-256 of that command, to tell a repetition from a key used twice."""
    data: dict[str, Any] = {}
    content: tuple[ContentRef, ...] = ()
    notices: tuple[Notice, ...] = ()


class Refused(Exception):
    """The command cannot be taken; the message says why and what is possible instead.

    `reason` is a stable name of the refusals that people meet on pages, which have their own words for it.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


def content_ref(field: str, text: str) -> ContentRef:
    """A reference that proves which text was meant without holding it."""
    return ContentRef(field=field, sha256=hashlib.sha256(text.encode()).hexdigest(), length=len(text))


def digest(value: Value) -> str:
    """SHA-256 over a value's canonical JSON: the same content gives the same digest, whoever proved to send it."""
    said = value.model_dump_json(exclude_none=True, exclude={"authenticated_as"})
    return hashlib.sha256(said.encode()).hexdigest()


def explain_invalid(what: str, error: ValidationError) -> str:
    """What is wrong with an input, field by field, in words its sender understands."""
    problems = error.errors(include_url=False, include_input=False)
    lines = []
    for problem in problems[:MOST_PROBLEMS]:
        where = ".".join(plain(str(part)) for part in problem["loc"]) or "input"
        lines.append(f"{where}: {said(problem)}")
    if more := len(problems) - len(lines):
        lines.append(f"and {more:,} more")
    return f"{what} is not valid. " + "; ".join(lines)


_PLAIN = re.compile(r"[A-Za-z0-9_]{1,60}")


def plain(name: str) -> str:
    """A name that a sender gave to a field or a signal, as far as it is a program's: anything else may be somebody's
    words, and what is refused is recorded (invariant 19).
    """
    return name if _PLAIN.fullmatch(name) else "…"


_NO_TIME = "is no time: write one such as 2026-11-20T17:50:00+08:00"
_NO_OBJECT = "must be an object: names with values"
_SAID = {
    "extra_forbidden": "unknown field; remove it or correct its name",
    "missing": "is missing",
    "timezone_aware": "has no offset: write a time such as 2026-11-20T17:50:00+08:00",
    "datetime_parsing": _NO_TIME,
    "datetime_from_date_parsing": _NO_TIME,
    "datetime_type": _NO_TIME,
    "datetime_object_invalid": _NO_TIME,
    "model_type": _NO_OBJECT,
    "dict_type": _NO_OBJECT,
    "tuple_type": "must be a list",
    "string_too_short": "is empty",
    "too_short": "is empty",
    "string_unicode": "is not text: it holds half a character (a lone surrogate)",
}


def said(problem: ErrorDetails) -> str:
    """One mistake of an input, in words its sender understands."""
    match problem["type"]:
        case kind if kind in _SAID:
            return _SAID[kind]
        case "string_pattern_mismatch":
            return FORMS.get(problem["ctx"]["pattern"], problem["msg"])
        case "string_too_long":
            return f"is longer than {problem['ctx']['max_length']:,} characters"
        case "too_long":
            return f"has more than {problem['ctx']['max_length']:,} entries"
        case _:
            return brief(problem["msg"].removeprefix("Value error, ").replace("Input should", "must"))


def brief(reason: str) -> str:
    """A reason with its middle left out where it is too long to read: its ends say what is wrong, and what to do."""
    half = LONGEST_REASON // 2
    return reason if len(reason) <= LONGEST_REASON else f"{reason[:half]} … {reason[-half:]}"
