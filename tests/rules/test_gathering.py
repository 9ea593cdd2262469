"""How what waits for one person gathers: when a look comes, and when it leaves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from rules.gathering import GATHER, LONGEST, QUIET, Seen, again, ends_at, first

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MAILS = st.lists(st.floats(0.1, 14.9), min_size=1, max_size=6).map(
    lambda ago: [NOW - SECOND * part for part in sorted(ago, reverse=True)]
)
COUNTS = st.integers(1, 500)


def seen(waiting: int = 1, *, overdue: bool = False, ago: float = 0.5) -> Seen:
    return Seen(waiting, NOW - SECOND * ago, overdue)


def test_nothing_gathers_without_a_mail_before() -> None:
    """The first mail to a person waits for nothing."""
    assert ends_at([]) is None


def test_the_first_look_comes_after_a_second_of_quiet() -> None:
    """Behind one mail a second, behind two in a row two: what trickles in does not become a mail each."""
    one = first([NOW - SECOND], seen(), NOW)
    two = first([NOW - SECOND * 5, NOW - SECOND], seen(), NOW)
    assert (one.until - NOW, two.until - NOW) == (QUIET, QUIET * 2)
    assert (one.wakes, two.wakes) == (True, False)


def test_in_a_herd_it_waits_for_the_last_clock() -> None:
    """While clocks are past due and not judged, more is to come: nobody looks before the time is up."""
    mails = [NOW - SECOND]
    assert first(mails, seen(overdue=True), NOW).until == mails[-1] + GATHER
    on = again(mails, 1, QUIET, seen(5, overdue=True), NOW, woken=True)
    assert on is not None
    assert on.until == mails[-1] + GATHER
    assert again(mails, 5, QUIET, seen(9), NOW, woken=True) is None


def test_what_came_late_is_looked_for_again() -> None:
    """After an outage notices come that were decided on long ago: it does not leave for each handful of them."""
    on = again([NOW - SECOND], 3, QUIET, seen(8, ago=600), NOW, woken=False)
    assert on is not None
    assert on.until == NOW + QUIET


@given(MAILS, COUNTS, COUNTS, st.floats(0, 30), st.booleans(), st.booleans(), st.floats(1, 15))
def test_it_never_waits_past_its_time(
    mails: list[datetime], before: int, waiting: int, ago: float, overdue: bool, woken: bool, quiet: float
) -> None:
    """Whatever comes, it leaves 15 seconds after the mail before at the latest, every look comes later than now, and
    the wait for quiet grows no further than its bounds."""
    found = seen(waiting, overdue=overdue, ago=ago)
    ends = ends_at(mails)
    for hold in (first(mails, found, NOW), again(mails, before, SECOND * quiet, found, NOW, woken=woken)):
        if hold is not None:
            assert ends is not None
            assert NOW < hold.until <= ends
            assert hold.quiet <= max(GATHER, LONGEST)


@given(MAILS, COUNTS, st.floats(1, 15))
def test_nothing_new_and_nothing_due_leaves(mails: list[datetime], waiting: int, quiet: float) -> None:
    """As many as before, and no clock about to be judged: it leaves."""
    assert again(mails, waiting, SECOND * quiet, seen(waiting), NOW, woken=False) is None
