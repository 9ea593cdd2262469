"""What the sandbox would refuse, the sources do not have: workers run workflows outside of it, since it is slow."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

WORKFLOWS = sorted((Path(__file__).parents[2] / "workflows").glob("*.py"))
CLOCKS = {"now", "utcnow", "today", "fromtimestamp"}
CHANCE = {"as_completed", "uuid1", "uuid4", "random", "urandom", "getpid", "open", "input"}

TASKS = {"get_current_history_length", "get_current_history_size"}
"""A replay may take in one task what was done in two (test_tasks.py), and answers these otherwise."""


def forbidden(source: str) -> Iterator[str]:
    """Calls whose result may differ when a history is replayed; `workflow.now()` and its like do not."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Attribute) and called.attr in TASKS:
                yield called.attr
            elif isinstance(called, ast.Attribute) and called.attr in CLOCKS | CHANCE:
                if not (isinstance(called.value, ast.Name) and called.value.id == "workflow"):
                    yield ast.unparse(called)
            elif isinstance(called, ast.Name) and called.id in CHANCE:
                yield called.id


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_a_workflow_asks_temporal_alone_for_time_and_chance(file: Path) -> None:
    """No clock, no random number, no file: modules for it are refused by the import contract, these calls here."""
    assert list(forbidden(file.read_text(encoding="utf-8"))) == []


TASKS_ASKED = "workflow.info().get_current_history_length()"


@pytest.mark.parametrize(
    "line", ["datetime.now(UTC)", "date.today()", "asyncio.as_completed(x)", "open('x')", TASKS_ASKED]
)
def test_what_differs_between_two_runs_is_seen(line: str) -> None:
    """The check finds what it is there for."""
    assert list(forbidden(line))
    assert list(forbidden("workflow.now(); workflow.uuid4()")) == []
