"""A deck of cards: what goes wrong in one talk with a server of the storm, and in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from random import Random


class Deck:
    """Every trouble comes up before one comes up again, with `calm` talks that go well behind each. Without a seed
    every talk goes well."""

    def __init__(self, seed: int | None, troubles: Iterable[str], calm: int) -> None:
        self.happened: Counter[str] = Counter()
        """How often each trouble came to pass."""
        self._random = Random(seed) if seed is not None else None
        self._troubles = sorted(troubles) if seed is not None else []
        self._calm = calm
        self._cards: list[str] = []

    def draw(self) -> str:
        """The next card; empty when the talk goes well."""
        if self._random is None:
            return ""
        if not self._cards:
            troubles = self._random.sample(self._troubles, len(self._troubles))
            self._cards = [card for trouble in troubles for card in (trouble, *[""] * self._calm)]
        return self._cards.pop()

    def clear_up(self) -> None:
        """From now on every talk goes well."""
        self._random = None

    @property
    def missing(self) -> list[str]:
        """Troubles that never came to pass."""
        return [trouble for trouble in self._troubles if not self.happened[trouble]]
