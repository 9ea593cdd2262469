"""Random stories through the core: whatever people do in whatever order, the invariants hold after every step."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.support.random_stories import ALL, BODIES
from tests.support.story_machine import FIGURES, Complaints


def test_every_command_is_part_of_the_stories() -> None:
    """A command that is added without random stories about it would go unwatched."""
    assert BODIES.keys() == ALL.keys()


def test_the_invariants_hold_after_every_step(record_property: Callable[[str, object], None]) -> None:
    """Invariants 2, 5, 11, 12, 16 and 18 over random commands, odd fields, delays, outages and late reports."""
    FIGURES.clear()
    health = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        Complaints,
        settings=settings(max_examples=150, stateful_step_count=20, deadline=None, suppress_health_check=health),
    )
    for name, count in FIGURES.items():
        record_property(name, count)
    assert FIGURES["reopened"] > 0, "closed cases are part of the stories"
