"""The map of an import: how a row of somebody else's table becomes a complaint (docs/import.md).

Pure: rows in, complaints out. What a row cannot say, the map says, in plain sight.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from rules.commands import COMMANDS, OpenComplaint
from rules.document import BadDocument, Document, parse
from rules.document import Path as Keys
from rules.history import AT_IMPORT, DueOf, Past, Time
from rules.ledger import MOST_PROBLEMS, explain_invalid, said
from starter.errors import Invalid
from starter.fields import read_text
from starter.import_fields import Cell, Moment, Part, Row, RowError, Several, Text, When, Zone, cell, fits

_DUE_OF = re.compile(r"^due of (\w+)$")


def _when(value: Any) -> Any:
    if value == "import":
        return AT_IMPORT
    if isinstance(value, str) and (match := _DUE_OF.match(value)):
        return DueOf(match[1])
    if not isinstance(value, str):
        return value
    raise ValueError("write `import`, `due of <obligation>` or {column: …}")


class Act(BaseModel):
    """Something that was done to the old case: a command, when, and its fields."""

    model_config = ConfigDict(frozen=True, extra="allow", arbitrary_types_allowed=True)

    command: str
    at: Annotated[Moment | Time, BeforeValidator(_when)]
    when: When = {}
    """Only for rows that fit."""

    @model_validator(mode="after")
    def _is_a_command(self) -> Act:
        if self.command not in COMMANDS:
            raise ValueError(f"unknown command {self.command!r}; there are {', '.join(COMMANDS)}")
        fields = COMMANDS[self.command].model_fields.keys() - {"key", "occurred_at", "via"}
        if unknown := self._fields.keys() - fields:
            raise ValueError(f"{self.command} has no field {', '.join(sorted(unknown))}")
        return self

    @cached_property
    def _fields(self) -> dict[str, Any]:
        """The command's own fields: texts from the row, anything else as it stands."""
        return {name: cell(value) for name, value in (self.model_extra or {}).items()}

    def read(self, row: Row, zone: str | None, key: str) -> Past:
        """The act as this row has it. Raises RowError."""
        said = {name: v.read(row) if isinstance(v, Text) else v for name, v in self._fields.items()}
        try:
            command = COMMANDS[self.command].model_validate(_given(said) | {"key": key, "via": "import"})
        except ValidationError as error:
            raise RowError(explain_invalid(self.command, error)) from None
        return Past(command, self._time(row, zone))

    def _time(self, row: Row, zone: str | None) -> datetime | Time:
        if not isinstance(self.at, Moment):
            return self.at
        at = self.at.read(row, zone)
        if at is None:
            raise RowError(f"{self.at.column} is empty, so {self.command} has no time")
        return at

    def columns(self) -> Iterator[str]:
        yield from self.when
        if isinstance(self.at, Moment):
            yield self.at.column
        for value in self._fields.values():
            if isinstance(value, Text):
                yield from value.columns()


class Outcome(Part):
    """How rows of one sort ended: what was done to them. The first one that fits a row counts."""

    when: When = {}
    acts: tuple[Act, ...] = ()
    """In the order they were done. Without one that closes, the case is still open."""


def _encoding(name: str) -> str:
    """A name that Python reads text by."""
    try:
        "x".encode(name)
    except (LookupError, ValueError):
        raise ValueError(f"{name[:40]!r} is no encoding of text; write one such as utf-8, gb18030 or cp1252") from None
    return name


class Person(Part):
    """Of the complainant: never a name or an address, those belong in the content."""

    id: Cell | None = None
    grade: Cell | None = None
    language: Cell | None = None
    needs: Several | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A row as a complaint: how it began, and what is known to have been done."""

    start: OpenComplaint
    acts: list[Past]


class Map(Part):
    """One map file. The names of its fields are those of a complaint's opening."""

    contract: str | None = None
    """The contract it was written for; `--contract` must then name the same."""
    source: str = ""
    """Where the table comes from, and on what terms."""
    zone: Zone | None = None
    reference: Cell
    kind: Cell
    category: Cell | None = None
    level: Cell | None = None
    channel: Cell
    received: Moment
    raised: Moment | None = None
    content: Cell
    remedy_sought: Cell | None = None
    complainant: Person = Person()
    against: Cell | None = None
    incident: Cell | None = None
    follows: Cell | None = None
    language: Cell | None = None
    encoding: Annotated[str, AfterValidator(_encoding)] = "utf-8-sig"
    delimiter: Annotated[str, Field(pattern=r'^[^\r\n"\x00]$')] = ","
    outcomes: tuple[Outcome, ...] = ()
    """With `--history`: how the old cases went."""

    def case(self, row: Row, contract: str, history: bool) -> Case:
        """The complaint of a row. Raises RowError with the reason why it cannot become one."""
        try:
            start = OpenComplaint.model_validate(self._fields(row) | {"contract": contract, "history": history})
        except ValidationError as error:
            raise RowError(explain_invalid("The row", error)) from None
        return Case(start, list(self._past(row)) if history else [])

    def columns(self) -> set[str]:
        """Every column that the map reads."""
        parts: list[Any] = [value for _, value in self] + [value for _, value in self.complainant]
        named = {part.column for part in parts if isinstance(part, (Moment, Several))}
        named |= {column for part in parts if isinstance(part, Text) for column in part.columns()}
        for outcome in self.outcomes:
            named |= outcome.when.keys() | {column for act in outcome.acts for column in act.columns()}
        return named

    def obligations(self) -> set[str]:
        """Every obligation whose due time an act takes."""
        return {act.at.obligation for o in self.outcomes for act in o.acts if isinstance(act.at, DueOf)}

    def _fields(self, row: Row) -> dict[str, Any]:
        fields: dict[str, Any] = {name: part.read(row) for name, part in self if isinstance(part, Text)}
        fields["received_at"] = self.received.read(row, self.zone)
        fields["raised_at"] = self.raised.read(row, self.zone) if self.raised else None
        person = self.complainant
        complainant: dict[str, Any] = {name: part.read(row) for name, part in person if isinstance(part, Text)}
        if person.needs:
            complainant["needs"] = person.needs.read(row)
        fields["complainant"] = _given(complainant)
        return _given(fields) | {"via": "import"}

    def _past(self, row: Row) -> Iterator[Past]:
        if not self.outcomes:
            return
        for outcome in self.outcomes:
            if fits(outcome.when, row):
                for n, act in enumerate(outcome.acts, 1):
                    if fits(act.when, row):
                        yield act.read(row, self.zone, f"import-{n}")
                return
        raise RowError("no outcome of the map fits this row")


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def read_map(path: Path) -> Map:
    """The map in a file. Raises Invalid with every mistake in it, each with its line."""
    try:
        document = parse(read_text(str(path)))
    except BadDocument as bad:
        raise Invalid(f"{path}:{bad.line}: {bad.reason}") from None
    try:
        return Map.model_validate(document.data)
    except ValidationError as invalid:
        problems = invalid.errors(include_url=False)[:MOST_PROBLEMS]
        raise Invalid("\n".join(dict.fromkeys(_placed(path, document, problem) for problem in problems))) from None


def _placed(path: Path, document: Document, problem: ErrorDetails) -> str:
    """A mistake with its line. A location also names the forms that a field may have, which no file has."""
    written: Keys = ()
    for part in problem["loc"]:
        if document.has((*written, part)):
            written = (*written, part)
    missing = f"{problem['loc'][-1]}: " if problem["type"] == "missing" else ""
    where = f"{'.'.join(map(str, written))}: " if written else ""
    return f"{path}:{document.line(written)}: {where}{missing}{said(problem)}"
