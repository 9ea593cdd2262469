"""How long what waits for one person gathers, so that it becomes one mail and not many (invariant 12)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta

GATHER = timedelta(seconds=15)
"""After a message to a person, the next that is not urgent gathers so long at most."""

QUIET, LONGEST = timedelta(seconds=1), timedelta(seconds=4)
"""It leaves sooner once nothing more has come for a second; in a herd, where more comes, for twice as long each time,
up to four."""

REMEMBERED = timedelta(minutes=1)
"""Messages that followed another within `GATHER` so short a while ago double `QUIET` each, so that what trickles in
does not become a mail each."""


def quiet_after(mails: Sequence[datetime], gather: timedelta = GATHER) -> timedelta:
    """How long nothing more must come before what waits leaves, after these messages to the person, in order."""
    followed: int = sum(after - before < gather for before, after in itertools.pairwise(mails))
    return min(QUIET * int(2**followed), gather)


def longer(quiet: timedelta) -> timedelta:
    """The same once more has come meanwhile."""
    return max(quiet, min(quiet * 2, LONGEST))


def next_look(quiet: timedelta, newest: datetime, now: datetime) -> datetime:
    """When to look again after more has come: once it can have been quiet so long since the newest was decided on.

    What was decided on long ago came late, after an outage, and more of it may follow.
    """
    return now + min(max(newest + quiet - now, QUIET), quiet)
