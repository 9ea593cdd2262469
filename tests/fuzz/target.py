"""What is fuzzed: inputs, and a judge that takes or refuses one. Whatever else a judge does is a defect."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from traceback import extract_tb
from types import FrameType
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

PATIENCE = 20
"""Seconds that one input may take: far more than any needs, so that a slow machine is not taken for a fault."""


class Hanging(BaseException):
    """An input took longer than PATIENCE. Not an Exception, so that no code under test takes it for its own."""


@dataclass(frozen=True)
class Target:
    """One way in. The judge says whether it took the input; it raises nothing but for a defect."""

    name: str
    inputs: st.SearchStrategy[Any]
    judge: Callable[[Any], bool]
    patience: int = PATIENCE


@dataclass
class Tally:
    """What became of the inputs tried. A workflow is wedged when a task of it failed that will not pass by itself."""

    target: str
    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    slowest: float = 0
    """Seconds that one input took."""
    slowest_input: str = field(default="", repr=False)
    crashes: Counter[str] = field(default_factory=Counter)
    """By where they came from."""
    examples: dict[str, str] = field(default_factory=dict)
    """The shortest input that crashed there."""
    wedged: int = 0

    def crashed(self, error: BaseException, value: Any) -> None:
        """Count a crash under the place where it came up."""
        frames = [frame for frame in extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
        place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "?"
        key = f"{type(error).__name__} at {place}: {str(error).partition(':')[0][:80]}"
        self.crashes[key] += 1
        shown = f"{type(error).__name__} at {place}: {str(error)[:300]!r}\n{value!r}"
        if len(shown) < len(self.examples.get(key, shown + "x")):
            self.examples[key] = shown


@contextmanager
def patient(seconds: int) -> Iterator[None]:
    """Raises Hanging inside the block once it takes longer. On the main thread alone; elsewhere it does nothing."""

    def late(_number: int, _frame: FrameType | None) -> None:
        raise Hanging(f"no answer within {seconds} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def judged(target: Target, value: Any, tally: Tally) -> None:
    """Try one input. Raises what the judge raises."""
    began = perf_counter()
    tally.inputs += 1
    with patient(target.patience):
        taken = target.judge(value)
    if (took := perf_counter() - began) > tally.slowest:
        tally.slowest, tally.slowest_input = took, repr(value)
    tally.accepted += taken
    tally.refused += not taken


def tried(target: Target, count: int, number: int | None = None, *, tally: Tally | None = None) -> Tally:
    """Try so many inputs: those of a seed, or the same in every run.

    With a tally, crashes are counted in it and the rest is tried; without one the first is shrunk and raised.
    """
    counted = tally or Tally(target.name)

    def one(value: Any) -> None:
        try:
            judged(target, value, counted)
        except (Exception, Hanging) as error:
            if tally is None:
                raise AssertionError(f"{target.name}: {type(error).__name__}: {error}") from error
            counted.crashed(error, value)

    test = given(target.inputs)(one)
    made = settings(
        max_examples=count,
        database=None,
        deadline=None,
        derandomize=number is None,
        phases=[Phase.generate] if tally else [Phase.generate, Phase.shrink],
        verbosity=Verbosity.quiet if tally else Verbosity.normal,
        suppress_health_check=list(HealthCheck),
    )(test)
    (made if number is None else seed(number)(made))()
    return counted
