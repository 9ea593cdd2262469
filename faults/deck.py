"""A deck of cards: what goes wrong in one talk with a server of the storm, and in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from random import Random

MOST = 4
"""Talks that go wrong in a row with one whose name is given."""


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
        self._in_a_row: Counter[str] = Counter()
        """Talks that went wrong with somebody since the last that went well."""

    def draw(self, who: str = "") -> str:
        """The next card; empty when the talk goes well. With somebody whose name is given at most `MOST` talks in a row
        go wrong: who is refused again and again waits minutes for the next try."""
        if self._random is None or self._in_a_row[who] == MOST:
            self._in_a_row[who] = 0
            return ""
        if not self._cards:
            troubles = self._random.sample(self._troubles, len(self._troubles))
            self._cards = [card for trouble in troubles for card in (trouble, *[""] * self._calm)]
        card = self._cards.pop()
        self._in_a_row[who] = self._in_a_row[who] + 1 if card and who else 0
        return card

    def clear_up(self) -> None:
        """From now on every talk goes well."""
        self._random = None

    @property
    def missing(self) -> list[str]:
        """Troubles that never came to pass."""
        return [trouble for trouble in self._troubles if not self.happened[trouble]]
