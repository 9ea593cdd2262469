"""How long what waits for one person gathers, so that it becomes one mail and not many (invariant 12)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

GATHER = timedelta(seconds=15)
"""After a message to a person, the next that is not urgent gathers so long at most."""

QUIET, LONGEST = timedelta(seconds=1), timedelta(seconds=4)
"""It leaves sooner once nothing more has come for a second; where more comes, for twice as long each time, up to four.
In a herd it leaves once the last clock that was due has been judged."""

REMEMBERED = timedelta(minutes=1)
"""Messages that followed another within `GATHER` so short a while ago double `QUIET` each, so that what trickles in
does not become a mail each."""


class Seen(NamedTuple):
    """What a look finds of what waits for a person."""

    waiting: int
    """How many notices."""
    newest: datetime
    """When the last of them was decided on."""
    overdue: bool
    """Whether clocks of their contracts are past due and not judged yet: more is about to come."""


def ends_at(mails: Sequence[datetime], gather: timedelta = GATHER) -> datetime | None:
    """When what waits leaves at the latest, after these messages to the person, in order; nothing when at once."""
    return mails[-1] + gather if mails else None


class Hold(NamedTuple):
    """How what waits gathers on."""

    until: datetime
    """When to look again."""
    quiet: timedelta
    """For how long nothing more must have come then."""
    wakes: bool
    """Whether it may leave before, once all clocks that were due have been judged."""


def first(mails: Sequence[datetime], seen: Seen, now: datetime, gather: timedelta = GATHER) -> Hold:
    """How it begins to gather after these messages to the person, of which the last is not as old as `gather`."""
    followed = _followed(mails, gather)
    quiet, ends = min(QUIET * int(2**followed), gather), mails[-1] + gather
    # The first mail behind a herd leaves with the last of it; no second one right behind it.
    return Hold(ends if seen.overdue else min(now + quiet, ends), quiet, not followed)


def again(
    mails: Sequence[datetime],
    before: int,
    quiet: timedelta,
    seen: Seen,
    now: datetime,
    *,
    woken: bool,
    gather: timedelta = GATHER,
) -> Hold | None:
    """How it gathers on at a look, or nothing: it leaves.

    `before` is how many waited at the look before. It leaves when nothing more came while it was quiet, or when it was
    `woken` before that time because the last clock that was due has been judged.
    """
    ends, wakes = mails[-1] + gather, not _followed(mails, gather)
    if ends <= now:
        return None
    if seen.overdue:
        return Hold(ends, quiet, wakes)
    if woken or seen.waiting == before:
        return None
    quiet = max(quiet, min(quiet * 2, LONGEST))
    # What was decided on long ago came late, after an outage, and more of it may follow.
    return Hold(min(now + min(max(seen.newest + quiet - now, QUIET), quiet), ends), quiet, wakes)


def _followed(mails: Sequence[datetime], gather: timedelta) -> int:
    """How many of these messages came sooner behind another than notices gather."""
    return sum(after - before < gather for before, after in itertools.pairwise(mails))
