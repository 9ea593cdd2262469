"""Reads a contract file: YAML, then its shape, then its sense. What is wrong is said with its line (invariant 20)."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from rules import statutory
from rules.calendar_years import unusable
from rules.contract import Contract, Validity
from rules.contract_checks import check
from rules.document import BadDocument, Document, Path, parse
from rules.ledger import brief

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

FIRST_YEAR = 2000
"""From this year on the published holidays go into a contract, so that old complaints can be brought in."""
RUN_OFF = 5
"""Years of holidays beyond the last of the term: complaints outlive it (rule 130)."""
OPEN_ENDED = 10
"""Years of holidays, from the first, of a contract without an end."""

_PUBLISHED: Path = ("calendar", "published")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a contract file, or doubtful in it."""

    file: str
    line: int
    where: str
    """The keys that lead there, as written: `obligations › resolution › due`."""
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.where + ': ' if self.where else ''}{self.reason}"


class BadContract(Exception):
    """The file is no contract that can be in force. The message has every error with its line."""

    def __init__(self, errors: list[Problem], warnings: list[Problem] | None = None) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = errors
        self.warnings = warnings or []


@dataclass(frozen=True, slots=True)
class Loaded:
    """A contract that can be published, with the public holidays of its years."""

    contract: Contract
    warnings: list[Problem]


def read(text: str, name: str, now: datetime | None = None) -> Loaded:
    """The contract in this text; `name` is the file's, for messages. Raises BadContract.

    With `now` given (aware, in any zone), a term that has ended or ends soon is warned about.
    """
    try:
        document = parse(text)
    except BadDocument as bad:
        raise BadContract([Problem(name, bad.line, "", bad.reason)]) from None

    def problem(path: Path, reason: str) -> Problem:
        return Problem(name, document.line(path), _written(path), reason)

    errors = [problem(path, "is blank; fill it in, or remove the line") for path in document.blanks]
    if document.has(_PUBLISHED):
        errors.append(problem(_PUBLISHED, "is filled in when the contract is read; remove it"))
    contract = None
    try:
        contract = Contract.model_validate(document.data)
        errors += [problem(path, reason) for path, reason in unusable(contract.calendar)]
        contract = _with_holidays(contract)
    except ValidationError as invalid:
        said = (_explain(document, error) for error in invalid.errors(include_url=False))
        errors += [problem(path, reason) for path, reason in said if path not in document.blanks]
    except _NoHolidays as unknown:
        errors.append(problem(("calendar", "statutory"), str(unknown)))
    if contract is None or errors:
        raise BadContract(_sorted(errors))
    findings = list(check(contract, now.astimezone(ZoneInfo(contract.calendar.zone)).date() if now else None))
    errors = _sorted([problem(found.path, found.reason) for found in findings if found.fatal])
    warnings = _sorted([problem(found.path, found.reason) for found in findings if not found.fatal])
    if errors:
        raise BadContract(errors, warnings)
    return Loaded(contract, warnings)


class _NoHolidays(Exception):
    """The calendar names a country of which no holidays are known."""


def _with_holidays(contract: Contract) -> Contract:
    first, last = _years(contract.term)
    try:
        calendar = statutory.publish(contract.calendar, first, last)
    except ValueError as unknown:
        raise _NoHolidays(str(unknown)) from None
    return contract.model_copy(update={"calendar": calendar})


def _years(term: Validity) -> tuple[int, int]:
    """The same file gives the same years whenever it is read, and so the same version."""
    last = term.ends.year + RUN_OFF if term.ends else term.starts.year + OPEN_ENDED
    return min(FIRST_YEAR, term.starts.year), last


def _sorted(problems: list[Problem]) -> list[Problem]:
    """In the file's order. What lies behind an alias is told once, not for each use of it."""
    told: dict[tuple[int, str], Problem] = {}
    for problem in problems:
        told.setdefault((problem.line, problem.reason), problem)
    return sorted(told.values(), key=lambda problem: problem.line)


def _written(path: Path) -> str:
    return " › ".join(str(part + 1) if isinstance(part, int) else part for part in path)


def _explain(document: Document, error: ErrorDetails) -> tuple[Path, str]:
    """Where an error lies in the file, and what it means to whoever wrote it."""
    path: Path = ()
    for part in error["loc"]:
        if document.has((*path, part)):  # a location also names branches of unions, which no file has
            path = (*path, part)
    return path, brief(_reason(error))


def _reason(error: ErrorDetails) -> str:
    given, last = error["input"], str(error["loc"][-1]) if error["loc"] else ""
    match error["type"]:
        case "missing":
            reason = f"`{last}` is missing"
        case "extra_forbidden":
            reason = f"unknown key{_meant(last)}"
        case "literal_error":
            reason = f"{given!r} is none of {error['ctx']['expected'].replace(' or ', ', ')}"
        case "string_type" if isinstance(given, (int, float, date)):
            reason = f"{given} is no text; write it in quotes"
        case "string_pattern_mismatch":
            reason = f"{given!r} is no name; use letters, digits and _ . : - without spaces"
        case "model_type" | "dict_type" | "mapping_type":
            reason = "must be a section of `key: value` lines"
        case "tuple_type" | "list_type":
            reason = "must be a list, such as [one, two]"
        case "date_type" | "date_parsing" | "date_from_datetime_parsing":
            reason = f"{given} is no date; write one such as 2026-01-31"
        case "bool_type" | "bool_parsing":
            reason = f"{given} is neither true nor false"
        case "int_type" | "int_parsing" | "int_from_float":
            reason = f"{given} is no whole number"
        case "too_short":
            reason = "is empty"
        case _:
            reason = error["msg"].removeprefix("Value error, ").replace("Input should", "must")
    return reason


def _meant(key: str) -> str:
    close = difflib.get_close_matches(key.replace("_", " "), _keys(), 1)
    return f"; did you mean `{close[0]}`?" if close else "; remove it or correct its name"


@cache
def _keys() -> tuple[str, ...]:
    """Every key that a contract file may have."""
    sections = [schema(), *schema()["$defs"].values()]
    return tuple(sorted({key for section in sections for key in section.get("properties", {})}))


def schema() -> dict[str, Any]:
    """The JSON Schema of a contract file, for editors and other programs."""
    whole = Contract.model_json_schema()
    whole["$defs"]["CalendarSpec"]["properties"].pop(_PUBLISHED[-1])  # the snapshot's, never the file's
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole}
