"""How one herd drained, and how percentiles are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Drain:
    """Times are seconds behind the instant at which all was due."""

    seconds: float
    """Until the last one was done."""
    opening: float
    """Seconds that it took to open or take up all of them."""
    lateness: list[float] = field(default_factory=list)
    """Of each, until its mail was accepted, or the bare workflow closed."""
    judged: float = 0
    """Until the last miss was judged."""
    mails: int = 0
    wrong: list[str] = field(default_factory=list)
    """What was lost or came twice."""
    worker_seconds: float = 0
    """On the processor, of the workers, for the drain."""


def percentile(values: Sequence[float], part: float) -> float:
    """Of values in any order; not a number of none."""
    return sorted(values)[round(part * (len(values) - 1))] if values else float("nan")


def line(one: Drain) -> str:
    """In words."""
    p50, p99, most = (percentile(one.lateness, part) for part in (0.5, 0.99, 1))
    return (
        f"drained in {one.seconds:.1f} s; late p50 {p50:.1f}, p99 {p99:.1f}, max {most:.1f} s; "
        f"{one.worker_seconds:.1f} s of processor; opened in {one.opening:.1f} s; last judged {one.judged:.1f} s; "
        f"{one.mails} mails; {'; '.join(one.wrong) or 'nothing lost, nothing twice'}"
    )
