"""What is said to somebody who names a command that there is not: the nearest ones, and where all of them stand."""

from __future__ import annotations

import difflib
import re

from rules.commands import COMMANDS

MOST_SHOWN = 40
"""Characters of the name, which may be anything that a program sends."""


def unknown(name: str) -> str:
    """One line, short enough for a table: somebody who is told every command reads none."""
    snake = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name[:MOST_SHOWN]).lower()).strip("_")
    close = [snake] if snake in COMMANDS else difflib.get_close_matches(snake, COMMANDS, 3, 0.7)
    meant = f"; did you mean {' or '.join(close)}?" if close else "."
    shown = name if len(name) <= MOST_SHOWN else f"{name[: MOST_SHOWN - 1]}…"
    return f"There is no command {shown!r}{meant} docs/commands.md has them all."
