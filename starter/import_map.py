"""The map of an import: how a row of somebody else's table becomes a complaint (docs/import.md).

Pure: rows in, complaints out. What a row cannot say, the map says, in plain sight.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from rules.commands import COMMANDS, OpenComplaint
from rules.history import AT_IMPORT, DueOf, Past, Time
from rules.ledger import explain_invalid
from starter.errors import Invalid

Row = Mapping[str, str]
"""One line of the table: column to text."""


class RowError(ValueError):
    """The row cannot become a complaint; the message is the reason that stands in the rejects file."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


_COLUMN = re.compile(r"\{([^{}]+)\}")


class Text(_Part):
    """A field taken from a column, or written out with columns in braces."""

    column: str | None = None
    values: dict[str, str] = {}
    """What the column's values are called here. With it, a value that is not listed is refused, or `otherwise`."""
    otherwise: str | None = None
    """Stands in where the column is empty or its value not listed. `{column}` puts another column's text in."""

    def read(self, row: Row) -> str | None:
        """The field's text, nothing where the row has none. Raises RowError for a value that is not listed."""
        found = row[self.column].strip() if self.column else ""
        if found and self.values and found not in self.values:
            if self.otherwise is None:
                raise RowError(f"{self.column}: {found[:80]!r} is not among the map's values")
            found = ""
        if found:
            return self.values.get(found, found)
        return None if self.otherwise is None else fill(self.otherwise, row)

    def columns(self) -> Iterator[str]:
        if self.column:
            yield self.column
        yield from _COLUMN.findall(self.otherwise or "")


def fill(template: str, row: Row) -> str:
    """The template with each `{column}` replaced by the row's text."""
    return _COLUMN.sub(lambda match: row[match[1]].strip(), template)


def _written_out(value: Any) -> Any:
    return {"otherwise": value} if isinstance(value, str) else value


Field_ = Annotated[Text, BeforeValidator(_written_out)]
"""A field: `complaint`, `"{first} {last}"` or `{column: …, values: …, otherwise: …}`."""


class Several(_Part):
    """Flags packed into one column."""

    column: str
    split: str = ","
    values: dict[str, str] = {}

    def read(self, row: Row) -> tuple[str, ...]:
        parts = [part.strip() for part in row[self.column].split(self.split) if part.strip()]
        if unknown := [part for part in parts if self.values and part not in self.values]:
            raise RowError(f"{self.column}: {unknown[0][:80]!r} is not among the map's values")
        return tuple(self.values.get(part, part) for part in parts)


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is no time zone; write it as Asia/Shanghai")
    return name


class Moment(_Part):
    """A time taken from a column."""

    column: str
    zone: Annotated[str, AfterValidator(_zone)] | None = None
    """Where the column's clock hangs, for times without an offset; the map's own `zone` when left out."""
    time: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] | None = None
    """The time of day that a bare date stands for."""
    format: str | None = None
    """How the column is written (`%m/%d/%y`), when not as ISO 8601."""

    def read(self, row: Row, zone: str | None) -> datetime | None:
        """The moment, aware; nothing where the column is empty."""
        text = row[self.column].strip()
        if not text:
            return None
        try:
            if self.format:
                at = datetime.strptime(text, self.format)  # noqa: DTZ007 - the map says the zone
                bare = not re.search("%[HIcX]", self.format)
            else:
                bare = len(text) == len("2026-11-20")
                at = datetime.combine(date.fromisoformat(text), time()) if bare else datetime.fromisoformat(text)
        except ValueError:
            raise RowError(f"{self.column}: {text[:40]!r} is no date") from None
        if bare:
            if self.time is None:
                raise RowError(f"{self.column}: {text} has no time of day; give `time` in the map")
            at = datetime.combine(at.date(), time.fromisoformat(self.time))
        if at.tzinfo is not None:
            return at
        if (name := self.zone or zone) is None:
            raise RowError(f"{self.column}: {text} has no offset; give `zone` in the map")
        return at.replace(tzinfo=ZoneInfo(name))


def _field(value: Any) -> Any:
    """A field of a command: a text with braces, `{column: …}`, or a value as it stands."""
    if isinstance(value, str) or (isinstance(value, dict) and "column" in value):
        return Text.model_validate(_written_out(value))
    return value


When = dict[str, str | list[str]]
"""Column to the value it must have, or to several; empty fits every row."""


def fits(when: When, row: Row) -> bool:
    return all(row[column].strip() in ([v] if isinstance(v, str) else v) for column, v in when.items())


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
        return {name: _field(value) for name, value in (self.model_extra or {}).items()}

    def read(self, row: Row, zone: str | None, key: str) -> Past:
        """The act as this row has it. Raises RowError."""
        at = self.at.read(row, zone) if isinstance(self.at, Moment) else self.at
        if at is None:
            raise RowError(f"{self.at.column} is empty, so {self.command} has no time")  # type: ignore[union-attr]
        said = {name: v.read(row) if isinstance(v, Text) else v for name, v in self._fields.items()}
        try:
            command = COMMANDS[self.command].model_validate(_given(said) | {"key": key, "via": "import"})
        except ValidationError as error:
            raise RowError(explain_invalid(self.command, error)) from None
        return Past(command, at)

    def columns(self) -> Iterator[str]:
        yield from self.when
        if isinstance(self.at, Moment):
            yield self.at.column
        for value in self._fields.values():
            if isinstance(value, Text):
                yield from value.columns()


class Outcome(_Part):
    """How rows of one sort ended: what was done to them. The first one that fits a row counts."""

    when: When = {}
    acts: tuple[Act, ...] = ()
    """In the order they were done. Without one that closes, the case is still open."""


class Person(_Part):
    """Of the complainant: never a name or an address, those belong in the content."""

    id: Field_ | None = None
    grade: Field_ | None = None
    language: Field_ | None = None
    needs: Several | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A row as a complaint: how it began, and what is known to have been done."""

    start: OpenComplaint
    acts: list[Past]


class Map(_Part):
    """One map file. The names of its fields are those of a complaint's opening."""

    contract: str | None = None
    """The contract it was written for; `--contract` must then name the same."""
    source: str = ""
    """Where the table comes from, and on what terms."""
    zone: Annotated[str, AfterValidator(_zone)] | None = None
    reference: Field_
    kind: Field_
    category: Field_ | None = None
    level: Field_ | None = None
    channel: Field_
    received: Moment
    raised: Moment | None = None
    content: Field_
    remedy_sought: Field_ | None = None
    complainant: Person = Person()
    against: Field_ | None = None
    incident: Field_ | None = None
    follows: Field_ | None = None
    language: Field_ | None = None
    encoding: str = "utf-8-sig"
    delimiter: str = ","
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
    """The map in a file. Raises Invalid with every mistake in it."""
    try:
        return Map.model_validate(YAML(typ="safe").load(path.read_text("utf-8")))
    except OSError as error:
        raise Invalid(f"Cannot read the map {path}: {error.strerror}.") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise Invalid(f"The map {path} is no YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        raise Invalid(explain_invalid(f"The map {path}", error)) from None
