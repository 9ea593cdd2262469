"""A short `make faults`: everything is killed at every named point, and a story ends as it would have without that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from faults.injector import plans
from faults.run import run

pytestmark = pytest.mark.timeout(600)  # the limit of a broken run; a good one takes a minute and a half

SEED, COMPLAINTS = 5, 12
SPREAD = 30.0
"""Seconds in which the complaints are opened."""


async def test_a_storm_changes_nothing_but_when_things_are_known(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Against the fault-free run: the same ledgers and outcomes, no notice lost or claimed twice, projections true."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)  # Postgres runs as a user of its own where we are root
    wanted = plans(SEED, 1, brief=True)
    came = await run(tmp_path, SEED, COMPLAINTS, SPREAD, wanted, _silent, horizon=timedelta(seconds=12), pace=0.3)
    found = [str(finding) for finding in came.results.findings]
    assert not found, "\n".join([*found, f"again: python -m faults --storm-only --seed {SEED}"])
    assert came.results.lost == came.results.doubled == 0
    assert came.results.identical > 0
    record_property("kills", len(came.injected))
    record_property("complaints", came.played)
    record_property("notices", came.results.notices)
    record_property("doubles on the wire", came.results.copies)
    record_property("said by robots, copies", f"{came.results.robot_events}, {came.results.robot_copies}")
    record_property("longest recovery", f"{came.longest_recovery:.1f} s")


def _silent(_done: int, _of: int, _what: str) -> None:
    """Nobody watches."""
