"""What the canary's workflow says to its activities and hears from them."""

from __future__ import annotations

from rules.values import Instant, Value

OPEN = "canary_open"
LOOK = "canary_look"
CLOSE = "canary_close"
PING = "canary_ping"

PATIENCE = 120
"""Seconds within which the warning must be accepted by the mail server; the clock itself warns after three."""


class Flight(Value):
    """One complaint of the canary."""

    reference: str
    started_at: Instant


class Step(Value):
    """One step on the way of a warning, and how long it took."""

    what: str
    seconds: float


class Steps(Value):
    """The way of a warning that was accepted."""

    steps: tuple[Step, ...]


class Landing(Value):
    """How a flight ended."""

    ok: bool
    why: str = ""
    """When not ok: how far it came."""
