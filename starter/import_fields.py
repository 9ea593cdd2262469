"""The parts of an import map: how one field or one time is read from a row. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from rules.ledger import explain_invalid

Row = Mapping[str, str]
"""One line of the table: column to text."""


class RowError(ValueError):
    """The row cannot become a complaint; the message is the reason that stands in the rejects file."""


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


_COLUMN = re.compile(r"\{([^{}]+)\}")


class Text(Part):
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


Cell = Annotated[Text, BeforeValidator(_written_out)]
"""A field: `complaint`, `"{first} {last}"` or `{column: …, values: …, otherwise: …}`."""


class Several(Part):
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


Zone = Annotated[str, AfterValidator(_zone)]


class Moment(Part):
    """A time taken from a column."""

    column: str
    zone: Zone | None = None
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
        at = self._parsed(text)
        if not isinstance(at, datetime):
            if self.time is None:
                raise RowError(f"{self.column}: {text} has no time of day; give `time` in the map")
            at = datetime.combine(at, time.fromisoformat(self.time))
        if at.tzinfo is not None:
            return at
        if (name := self.zone or zone) is None:
            raise RowError(f"{self.column}: {text} has no offset; give `zone` in the map")
        return at.replace(tzinfo=ZoneInfo(name))

    def _parsed(self, text: str) -> datetime | date:
        """A moment, or a bare date."""
        try:
            if self.format:
                at = datetime.strptime(text, self.format)  # noqa: DTZ007 - the map says the zone
                return at if re.search("%[HIcX]", self.format) else at.date()
            try:
                return date.fromisoformat(text)
            except ValueError:
                return datetime.fromisoformat(text)
        except ValueError:
            raise RowError(f"{self.column}: {text[:40]!r} is no date") from None


def cell(value: Any) -> Any:
    """A field of a command: a text with braces, `{column: …}`, or a value as it stands. Raises ValueError."""
    if not isinstance(value, str) and not (isinstance(value, dict) and "column" in value):
        return value
    try:
        return Text.model_validate(_written_out(value))
    except ValidationError as error:
        raise ValueError(explain_invalid("The field", error)) from None


When = dict[str, str | list[str]]
"""Column to the value it must have, or to several; empty fits every row."""


def fits(when: When, row: Row) -> bool:
    """Whether the row has these values."""
    return all(row[column].strip() in ([v] if isinstance(v, str) else v) for column, v in when.items())
