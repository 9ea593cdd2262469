"""Reads a directory file: YAML, then its shape, then its sense. Every mistake is said with its line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from rules.absences import uncovered
from rules.directory import Directory, UnsoundError
from rules.document import BadDocument, Path, parse
from rules.ledger import said

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class DirectoryError(Exception):
    """The directory cannot be used. The message has every mistake on a line of its own, with its place."""


def read_directory(text: str, name: str, now: datetime | None = None) -> Directory:
    """The directory in a YAML text; `name` is the file's, for messages. Raises as `build` does."""
    try:
        document = parse(text)
    except BadDocument as bad:
        raise DirectoryError(f"{name}:{bad.line}: {bad.reason}") from None
    return build(document.data, lambda path: f"{name}:{document.line(path)}", now)


def build(data: dict[str, Any], place: Callable[[Path], str], now: datetime | None = None) -> Directory:
    """The directory that plain values make; `place` says where in a file such a path lies.

    Raises DirectoryError, also for an absence that leaves a role with nobody; one that is over by `now` (aware) may.
    """
    try:
        directory = Directory.model_validate(data)
    except ValidationError as invalid:
        found = (mistake for error in invalid.errors(include_url=False) for mistake in _mistakes(data, error))
        lines = (f"{place(path)}: {'.'.join(map(str, path))}: {reason}" for path, reason in found)
        raise DirectoryError("\n".join(dict.fromkeys(lines))) from None
    if left := list(uncovered(directory, now)):
        raise DirectoryError("\n".join(f"{place(path)}: {'.'.join(map(str, path))}: {why}" for path, why in left))
    return directory


def _mistakes(data: dict[str, Any], error: ErrorDetails) -> Iterator[tuple[Path, str]]:
    path = _written(data, error["loc"])
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, UnsoundError):
        yield from ((path + fault.path, fault.reason) for fault in cause.faults)
    elif error["type"] == "missing":
        yield path, f"`{error['loc'][-1]}` is missing"
    else:
        yield path, said(error)


def _written(data: Any, location: Path) -> Path:
    """The part of a location that stands in the data; pydantic also names the forms that a value may take."""
    path: Path = ()
    for part in location:
        known = part in data if isinstance(data, dict) else isinstance(data, list | tuple) and part in range(len(data))
        if known:
            path, data = (*path, part), data[part]
    return path
