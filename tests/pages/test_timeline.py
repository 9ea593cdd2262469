"""Clocks on one line: the order of time is kept, whatever the distances, and everything lies within the drawing."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from templates.timeline import APART, Scale, drawn

START = datetime(2026, 11, 2, 2, tzinfo=UTC)
MOMENTS = st.lists(st.timedeltas(timedelta(), timedelta(days=400)), min_size=1, max_size=12)


@given(MOMENTS)
def test_order_is_kept_within_the_width(offsets: list[timedelta]) -> None:
    """A later moment is never drawn left of an earlier one, and all lie between 0 and 100 percent."""
    moments = sorted(START + offset for offset in offsets)
    scale = Scale(moments)
    places = [scale.x(moment) for moment in moments]
    assert places == sorted(places)
    assert all(0 <= place <= 100 for place in places)
    labels = scale.labels()
    assert labels[0].at == moments[0]
    assert labels[-1].at == moments[-1]
    assert all(b.x - a.x >= APART for a, b in pairwise(labels))


@given(MOMENTS, st.timedeltas(timedelta(minutes=1), timedelta(days=40)))
def test_nothing_is_drawn_backwards(offsets: list[timedelta], budget: timedelta) -> None:
    """Every stretch of a clock has a width of zero or more, whether it is early, late, waiting or running."""
    times = sorted(START + offset for offset in offsets)
    due = START + budget
    scale = Scale([START, due, *times])
    found = drawn(scale, START, due, times[0], None, due, times[-1], [(times[0], times[-1])])
    assert all(span.width >= 0 and span.x + span.width <= 100 for span in found.spans)


def test_what_went_beyond_the_due_time_shows() -> None:
    """A clock done late has a stretch beyond its due, one done in time has none."""
    due, late = START + timedelta(minutes=30), START + timedelta(hours=2)
    scale = Scale([START, due, late])
    beyond = {span.kind for span in drawn(scale, START, due, late, None, due, late).spans}
    within = {span.kind for span in drawn(scale, START, due, due, None, None, late).spans}
    assert beyond == {"budget", "used", "over"}
    assert within == {"budget", "used"}


def test_minutes_stay_visible_beside_weeks() -> None:
    """Ten minutes in a file of six weeks take a part of the line that a phone shows."""
    scale = Scale([START, START + timedelta(minutes=10), START + timedelta(days=42)])
    assert scale.x(START + timedelta(minutes=10)) - scale.x(START) > 10
