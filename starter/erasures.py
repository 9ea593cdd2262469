"""A list of erasures, kept apart from Postgres: a restore brings back keys that were destroyed after the dump."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from starter.errors import Invalid, Misconfigured


def line_of(complaint: str, at: datetime) -> str:
    """One erasure as a line of the list: ids and a time, no words."""
    return json.dumps({"complaint": complaint, "at": at.astimezone(UTC).isoformat(timespec="seconds")})


def add(file: Path, complaint: str, at: datetime) -> None:
    """Add what was erased, on disk before this returns. Raises Misconfigured: it is erased, and the list lacks it."""
    line = f"{line_of(complaint, at)}\n"
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a", encoding="utf-8") as out:
            out.write(line)
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        raise Misconfigured(
            f"{complaint} is erased, but cannot be added to {file}: {error.strerror}. Mend OMBUD_ERASURES_FILE and run "
            "this again, or a restore of an older dump brings its words back."
        ) from None


def read(file: Path) -> list[str]:
    """The complaints of a list, each once, in order. Raises Invalid with the line that is none."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{file} cannot be read: {error}") from None
    return list(dict.fromkeys(_complaints(file, lines)))


def _complaints(file: Path, lines: Iterable[str]) -> Iterable[str]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            complaint = json.loads(line)["complaint"]
        except (ValueError, KeyError, TypeError, RecursionError):
            complaint = None
        if not isinstance(complaint, str) or complaint.count("/") != 1 or "\x00" in complaint:
            raise Invalid(f"{file}, line {number}: not an erasure as `ombud erasures` lists them.")
        yield complaint
