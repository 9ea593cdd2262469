"""What became of a notice, told back to the complaint it belongs to."""

from __future__ import annotations

from rules.values import Instant, Value


class Outcome(Value):
    """A notice was accepted by its recipient's server, or will not reach anybody."""

    notice: str
    accepted: bool
    at: Instant
    reason: str = ""
    """The server's reply, or why nobody can be told. Never text of the complaint."""
