"""Clocks drawn on one line of time, as shapes in percent of its width.

A reply is due in minutes and a resolution in weeks. On a true scale the short clocks would vanish, so the distance
between two moments grows with its logarithm: the order is true, the lengths are not, and the drawing says so.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from math import log1p
from typing import Literal, NamedTuple

LEFT, WIDTH = 2.0, 96.0
"""The part of the width that time takes, in percent; the rest is room for marks at the ends."""
APART = 27.0
"""Percent between two labels of the line, so that they stand side by side on a phone."""


class Span(NamedTuple):
    """A stretch of a bar."""

    kind: Literal["budget", "used", "over", "wait"]
    x: float
    width: float


class Mark(NamedTuple):
    """A point of a bar."""

    kind: Literal["start", "due", "done", "missed", "ended"]
    x: float


class Label(NamedTuple):
    """A time written at the line, and how its text stands to its place."""

    at: datetime
    x: float
    anchor: Literal["start", "middle", "end"]


class Scale:
    """Places for the moments of one drawing."""

    def __init__(self, moments: Iterable[datetime]) -> None:
        self._moments = sorted(set(moments))
        places = [0.0]
        for one, other in pairwise(self._moments):
            places.append(places[-1] + 1.5 + log1p((other - one) / timedelta(minutes=5)))
        whole = places[-1] or 1.0
        self._places = [round(LEFT + WIDTH * place / whole, 2) for place in places]

    def x(self, at: datetime) -> float:
        """The place of a moment; of one between two known ones in proportion, of one outside at the end."""
        if not self._moments or at <= self._moments[0]:
            return self._places[0]
        if at >= self._moments[-1]:
            return self._places[len(self._moments) - 1]
        i = bisect_right(self._moments, at) - 1
        share = (at - self._moments[i]) / (self._moments[i + 1] - self._moments[i])
        return round(self._places[i] + share * (self._places[i + 1] - self._places[i]), 2)

    def labels(self) -> tuple[Label, ...]:
        """The first and the last moment, and as many between them as have room."""
        if not self._moments:
            return ()
        first, last = self._moments[0], self._moments[-1]
        found = [Label(first, self.x(first), "start")]
        if last > first:
            for moment in self._moments:
                if self.x(moment) - found[-1].x >= APART and self.x(last) - self.x(moment) >= APART:
                    found.append(Label(moment, self.x(moment), "middle"))
            found.append(Label(last, self.x(last), "end"))
        return tuple(found)


class Drawn(NamedTuple):
    """One clock on the line."""

    spans: tuple[Span, ...]
    marks: tuple[Mark, ...]


def drawn(
    scale: Scale,
    started_at: datetime,
    due_at: datetime,
    done_at: datetime | None,
    ended_at: datetime | None,
    missed_at: datetime | None,
    now: datetime,
    waits: Sequence[tuple[datetime, datetime]] = (),
) -> Drawn:
    """Its budget, what was used of it, what went beyond, and the time that was another party's."""
    over = done_at or ended_at or max(now, started_at)
    spans = [_span(scale, "budget", started_at, due_at), _span(scale, "used", started_at, min(over, due_at))]
    if over > due_at:
        spans.append(_span(scale, "over", due_at, over))
    spans += [_span(scale, "wait", max(a, started_at), min(b, over)) for a, b in waits if a < over and b > started_at]
    marks = [Mark("start", scale.x(started_at)), Mark("due", scale.x(due_at))]
    if missed_at:
        marks.append(Mark("missed", scale.x(missed_at)))
    if done_at:
        marks.append(Mark("done", scale.x(done_at)))
    elif ended_at:
        marks.append(Mark("ended", scale.x(ended_at)))
    return Drawn(tuple(spans), tuple(marks))


def _span(scale: Scale, kind: Literal["budget", "used", "over", "wait"], start: datetime, end: datetime) -> Span:
    return Span(kind, scale.x(start), round(max(0.0, scale.x(end) - scale.x(start)), 2))
