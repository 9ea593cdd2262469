"""A little of every target in every run, the same inputs each time; `make fuzz` tries others, for minutes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.fuzz import chains, files, http, pages, tables, temporal, words
from tests.fuzz.target import Tally, Target, tried
from tests.support.system import System

COUNTS = {"contract files": 25, "mails": 40}
"""Where one input takes long."""

Live = Callable[[System, int, int | None], Awaitable[Tally]]


@pytest.mark.parametrize("target", [*files.TARGETS, *tables.TARGETS, *words.TARGETS], ids=lambda target: target.name)
def test_whatever_is_handed_over_is_taken_or_refused(
    target: Target, record_property: Callable[[str, object], None]
) -> None:
    """Broken files, tables, calendars, terms, reports and odd values in mails: no traceback, no hang, clear words."""
    tally = tried(target, COUNTS.get(target.name, 100))
    _told(tally, record_property)


@pytest.mark.parametrize("send", [*temporal.ALL, *http.ALL, *chains.ALL, *pages.ALL], ids=lambda send: send.__name__)
async def test_whatever_is_sent_is_answered(
    system: System, send: Live, record_property: Callable[[str, object], None]
) -> None:
    """Any payloads to any handler, and what the API allows and what not: nothing crashes, no workflow is wedged."""
    tally = await send(system, 100, None)
    _told(tally, record_property)
    assert tally.crashes.total() == 0, next(iter(tally.examples.values()))
    assert tally.wedged == 0


def _told(tally: Tally, record_property: Callable[[str, object], None]) -> None:
    for name in ("inputs", "accepted", "refused"):
        record_property(name, getattr(tally, name))
    assert tally.inputs > 0
    assert tally.accepted + tally.refused + tally.crashes.total() == tally.inputs
