"""A directory out of files: YAML is all of it; a CSV table or an iCalendar replaces its part of what is there.

Every mistake of every file is named with its line, and then nothing is taken.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from rules.directory import Directory
from rules.directory_file import DirectoryError, build, read_directory
from rules.document import NO_TEXT
from rules.document import Path as Keys
from rules.hours import WEEKDAYS
from rules.ledger import brief
from starter.errors import Invalid
from starter.fields import read_text
from starter.table import opened, shown

TABLES = {
    "people": ({"person", "name", "email", "language", "zone"}, {"hours"}),
    "roles": ({"contract", "role", "person"}, set()),
    "shifts": ({"person", "from", "to"}, set()),
    "absences": ({"person", "from", "to", "deputy"}, set()),
}
"""What a table holds, known by its columns: those it needs, and those it may have."""


class Draft:
    """The directory as plain values while files change it, with the line each part came from."""

    def __init__(self, before: Directory | None) -> None:
        kept = before.model_dump(mode="json", by_alias=True) if before else {}
        self.people: dict[str, dict[str, Any]] = kept.get("people", {})
        self.roles: dict[str, dict[str, list[str]]] = kept.get("roles", {})
        self.mistakes: list[str] = []
        self._places: dict[Keys, str] = {}

    def known(self, person: str, place: str) -> dict[str, Any] | None:
        """Somebody among the people; a mistake unless there is such a person."""
        if person not in self.people:
            self.mistakes.append(f"{place}: {person!r} is not among the people")
        return self.people.get(person)

    def add(self, person: str, what: str, entry: dict[str, Any], place: str) -> None:
        """One more shift or absence of somebody known."""
        listed = self.people[person].setdefault(what, [])
        self.came("people", person, what, len(listed), place=place)
        listed.append(entry)

    def came(self, *keys: str | int, place: str) -> None:
        self._places[keys] = place

    def place(self, keys: Keys) -> str:
        """The line of the deepest part on this path that came from a file, else of the first part that lies in it."""
        inside = (place for part, place in self._places.items() if part[: len(keys)] == keys)
        first = next(inside, "the directory")
        while keys and keys not in self._places:
            keys = keys[:-1]
        return self._places.get(keys, first)

    def finished(self, now: datetime | None = None) -> Directory:
        if self.mistakes:
            raise DirectoryError("\n".join(map(brief, self.mistakes)))
        return build({"people": self.people, "roles": self.roles}, self.place, now)


def read_whole(files: list[Path], now: datetime | None = None) -> Directory | None:
    """The directory in the YAML file among these, where there is one. Raises as `read_files` does."""
    whole = [file for file in files if file.suffix.lower() in {".yaml", ".yml"}]
    if len(whole) > 1:
        raise Invalid(f"A YAML file is a whole directory; give one, not {len(whole)}.")
    return read_directory(read_text(str(whole[0])), str(whole[0]), now) if whole else None


def read_files(files: list[Path], before: Directory | None, now: datetime | None = None) -> Directory:
    """What the tables and calendars among these files make of the directory before. `now` is as `build` has it.

    People and roles are read first, whatever the order. Raises DirectoryError with every mistake, and Invalid for a
    file that cannot be read.
    """
    from starter.directory_calendar import read_calendar

    draft = Draft(before)
    tables = [(file, _what(file)) for file in files if file.suffix.lower() == ".csv"]
    for file, what in sorted(tables, key=lambda table: list(TABLES).index(table[1])):
        _take_table(draft, file, what)
    for file in files:
        match file.suffix.lower():
            case ".ics":
                read_calendar(draft, read_text(str(file)), str(file))
            case ".csv" | ".yaml" | ".yml":
                pass
            case _:
                raise Invalid(f"{file}: a directory is read from .yaml, .csv or .ics files.")
    return draft.finished(now)


def _what(file: Path) -> str:
    with opened(file) as table:
        header = {name.strip().lower() for name in table.header}
    for what, (needed, allowed) in TABLES.items():
        if needed <= header <= needed | allowed:
            return what
    known = "; ".join(f"{what}: {', '.join(sorted(needed | more))}" for what, (needed, more) in TABLES.items())
    raise Invalid(f"{file}:1: the columns {shown(sorted(header))} are those of no table here. There are {known}.")


def _take_table(draft: Draft, file: Path, what: str) -> None:
    """Put the rows of a table in the place of the same part of the directory."""
    with opened(file) as table:
        columns = [name.strip().lower() for name in table.header]
        lines = list(table)
    rows = []
    for line in lines:
        place = f"{file}:{line.number}"
        if line.row is None:
            draft.mistakes.append(f"{place}: {line.reason}")
        elif odd := NO_TEXT.search("".join(line.fields)):
            draft.mistakes.append(f"{place}: has a character that is no text: U+{ord(odd[0]):04X}")
        else:
            rows.append((dict(zip(columns, (text.strip() for text in line.fields), strict=True)), place))
    if what in {"people", "roles"}:
        draft.came(what, place=f"{file}:1")
    match what:
        case "people":
            _people(draft, rows)
        case "roles":
            _roles(draft, rows)
        case _:
            for person in draft.people.values():
                person[what] = []
            for row, place in rows:
                if draft.known(row["person"], place):
                    entry = {name: text for name, text in row.items() if name != "person" and text}
                    draft.add(row["person"], what, entry, place)


def _people(draft: Draft, rows: list[tuple[dict[str, str], str]]) -> None:
    """Shifts and absences of whoever stays are kept, and the weekly hours unless the table has them."""
    before, draft.people = draft.people, {}
    for row, place in rows:
        person = row["person"]
        if person in draft.people:
            draft.mistakes.append(f"{place}: {person!r} is here twice")
            continue
        member = {name: text for name, text in row.items() if name not in {"person", "hours"}}
        draft.people[person] = {**before.get(person, {}), **member}
        draft.came("people", person, place=place)
        if "hours" in row:
            try:
                draft.people[person]["hours"] = _hours(row["hours"])
            except ValueError as error:
                draft.mistakes.append(f"{place}: {error}")


def _hours(text: str) -> dict[str, list[str]] | None:
    """`mon-fri 09:00-12:00 13:00-18:00; sat 10:00-14:00` as a mapping; nothing for an empty cell."""
    week: dict[str, list[str]] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        days, *windows = part.split()
        if days[:3].lower() not in WEEKDAYS or not windows or days in week:
            raise ValueError(f"{part!r} gives no hours; write mon-fri 09:00-12:00 13:00-18:00; sat 10:00-14:00")
        week[days] = windows
    return week or None


def _roles(draft: Draft, rows: list[tuple[dict[str, str], str]]) -> None:
    """The order of the rows is the order in which holders are told."""
    draft.roles = {}
    for row, place in rows:
        held = draft.roles.setdefault(row["contract"], {}).setdefault(row["role"], [])
        held.append(row["person"])
        draft.came("roles", row["contract"], row["role"], place=place)
