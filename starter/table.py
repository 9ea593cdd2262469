"""Somebody else's table, row by row: CSV, plain or gzipped, of any length, with its mistakes kept to their rows."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import IO, NamedTuple

from starter.errors import Invalid
from starter.import_fields import Row

MOST_NAMES = 20
"""Columns that a message names."""


class Line(NamedTuple):
    """One record of the file."""

    number: int
    """The line it starts on, the header being 1."""
    fields: list[str]
    row: Row | None
    """Column to text; nothing when the record does not fit the header."""
    reason: str = ""
    """Why there is no row."""


@contextmanager
def opened(path: Path, encoding: str = "utf-8-sig", delimiter: str = ",") -> Iterator[Table]:
    """The table in a file, open inside the block. Raises Invalid when there is no file or it has no usable header."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise Invalid(f"Cannot read {path}: {error.strerror}.") from None
    with file:
        yield Table(path, file, encoding, delimiter)


class Table:
    """A CSV file being read. Iterate it for its lines; `read` of `size` bytes are behind it.

    A file that breaks off raises Invalid after its last whole line.
    """

    def __init__(self, path: Path, file: BufferedReader, encoding: str, delimiter: str) -> None:
        csv.field_size_limit(2**31 - 1)
        self.path = path
        self.size = path.stat().st_size
        self._file = file
        zipped = file.peek(2)[:2] == b"\x1f\x8b"
        data = gzip.GzipFile(fileobj=file) if zipped else file
        text = TextIOWrapper(data, encoding, errors="surrogateescape", newline="")
        self._lines = csv.reader(text, delimiter=delimiter, strict=True)
        try:
            self.header = self._next() or []
        except csv.Error as error:
            raise Invalid(f"{path}:1: the line that must name the columns is no CSV: {error}.") from None
        if not any(self.header):
            raise Invalid(f"{path} is empty; its first line must name the columns.")
        if twice := {name for name in self.header if self.header.count(name) > 1}:
            raise Invalid(f"{path} has the column {shown(sorted(twice))} more than once.")

    @property
    def read(self) -> int:
        """Bytes of the file read so far, compressed ones where it is compressed."""
        return self._file.tell()

    def __iter__(self) -> Iterator[Line]:
        while True:
            number = self._lines.line_num + 1
            try:
                fields = self._next()
            except csv.Error as error:
                yield Line(number, [], None, f"no CSV: {error}")
                continue
            if fields is None:
                return
            if not fields:
                continue  # a blank line
            if len(fields) != len(self.header):
                reason = f"{len(fields)} fields where the header has {len(self.header)}"
                yield Line(number, fields, None, reason)
            elif any(_undecoded(field) for field in fields):
                yield Line(number, fields, None, "not in the file's encoding (UTF-8 unless the map says otherwise)")
            else:
                yield Line(number, fields, dict(zip(self.header, fields, strict=True)))

    def _next(self) -> list[str] | None:
        try:
            return next(self._lines, None)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Invalid(f"{self.path} breaks off after line {self._lines.line_num}: {error}.") from None


def shown(columns: Iterable[str]) -> str:
    """Names of columns for a message: they come out of a file, which may be of any kind."""
    names = ["".join(char if char.isprintable() else "…" for char in name)[:60] for name in columns]
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _undecoded(text: str) -> bool:
    return not text.isascii() and any("\udc80" <= char <= "\udcff" for char in text)


class Rejects:
    """The rows that did not go in: line, reason, and the row as it was. The file appears with the first of them."""

    def __init__(self, path: Path, header: list[str]) -> None:
        self.path = path
        self.count = 0
        self._header = header
        self._file: IO[str] | None = None
        path.unlink(missing_ok=True)  # of the run before

    def add(self, line: Line, reason: str) -> None:
        """Write one row, at once: what was rejected is known even if the import stops."""
        if self._file is None:
            self._file = self.path.open("w", encoding="utf-8", errors="surrogateescape", newline="")
            csv.writer(self._file).writerow(["line", "reason", *self._header])
        csv.writer(self._file).writerow([line.number, reason, *line.fields])
        self._file.flush()
        self.count += 1

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
