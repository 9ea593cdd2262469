"""What became of a notice, told back to the complaint it belongs to."""

from __future__ import annotations

from rules.values import Stated, Value


class Outcome(Value):
    """A notice was accepted by its recipient's server, or will not reach anybody."""

    notice: str
    accepted: bool
    at: Stated
    reason: str = ""
    """The server's reply, or why nobody can be told. Never text of the complaint."""
