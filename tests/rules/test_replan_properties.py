"""Whenever a year becomes known, a re-planned complaint ends as if it had been opened under that year."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.clock_record import Clock
from rules.complaint import Complaint
from rules.fold import fold
from rules.ledger import Refused
from tests.rules.test_provisional import CALENDAR
from tests.support.story import SMALL, Story, at, law

ANN = {"role": "handler.owner", "person": "p.ann"}
DAYS = [date(2027, 1, 1) + timedelta(days=n) for n in range(60)]
ACTS: dict[str, list[dict[str, Any]]] = {
    "respond": [{}],
    "customer_writes": [{}],
    "findings": [{"cause": "Wear."}],
    "propose": [{}],
    "resolve": [{"outcome": "upheld"}],
    "reject": [{}],
    "reclassify": [{"level": level, "reason": "misjudged", "approved_by": ANN} for level in "123"],
    "hand_over": [{"to": "handler.manager"}],
    "update_customer": [{}],
    "request": [{"of": "principal.responsible_person"}],
    "answer_request": [{}],
}
STEPS = st.lists(
    st.tuples(
        st.sampled_from(sorted(ACTS)),
        st.integers(0, 3),
        st.integers(1, 60 * 24 * 8),
        st.integers(0, 3000),
        st.booleans(),
    ),
    max_size=14,
)
"""Act, which of its bodies, minutes since the last step, minutes it happened before it was told, served timers."""


@st.composite
def years(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Any days off and any days worked in return, in the first two months of 2027."""
    chosen = draw(st.lists(st.sampled_from(DAYS), min_size=1, max_size=14, unique=True))
    cut = draw(st.integers(0, len(chosen)))
    off, work = chosen[:cut], chosen[cut:]
    return [{"name": "x", "off": [str(d) for d in off], "work": [str(d) for d in work]}]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(received=st.integers(0, 45), year=years(), steps=STEPS, when=st.integers(0, 14), pauses=st.booleans())
def test_a_re_planned_story_ends_as_if_it_had_been_opened_under_the_new_calendar(
    received: int, year: list[dict[str, Any]], steps: list[tuple[str, int, int, int, bool]], when: int, pauses: bool
) -> None:
    """Invariants 8, 9: dues, waits, states and lateness are those of a twin that knew the year from the start, but for
    clocks that were met before it was known."""
    known = {**CALENDAR, "published": {**CALENDAR["published"], "2027": year}}  # type: ignore[dict-item]
    opened = (at("2026-11-16 10:00") + timedelta(days=received)).strftime("%Y-%m-%d %H:%M")
    story, twin = (
        Story(law(calendar=calendar, obligations=promises(pauses=pauses))).open(opened, kind="complaint", level="2")
        for calendar in (CALENDAR, known)
    )
    now = at(opened)
    met: set[str] = set()
    for index, (name, which, minutes, before, served) in enumerate([*steps, ("respond", 0, 1, 0, False)]):
        now += timedelta(minutes=minutes)
        if index == min(when, len(steps)):
            catch_up(story, twin, now)
            met = {clock.id for clock in story.case.clocks if clock.status == "met"}
            story.tell("replan", text_of(now), years={"2027": year}, by=ANN)
            assert fold(story.entries) == story.case
        if served:
            catch_up(story, twin, now)
        for told in (story, twin):
            tell(told, name, which, now, now - timedelta(minutes=before))
    catch_up(story, twin, now)
    assert {key: seen(clock) for key, clock in standing(story.case, met).items()} == {
        key: seen(clock) for key, clock in standing(twin.case, met).items()
    }


def promises(*, pauses: bool) -> dict[str, Any]:
    """The small contract's, with ladders whose steps lie before and behind, some of them standing still for others."""
    ladder = [
        {"at": "50%", "tell": "handler.owner"},
        {"at": "due", "tell": "handler.manager"},
        {"after": "1 working day", "tell": "handler.director"},
    ]
    return {
        name: promise | {"ladder": ladder, "pauses for": ["principal"] if pauses else []}
        for name, promise in SMALL["obligations"].items()
    }


def catch_up(story: Story, twin: Story, now: datetime) -> None:
    for one in (story, twin):
        one.live(text_of(now))


def tell(story: Story, name: str, which: int, now: datetime, occurred: datetime) -> None:
    body = dict(ACTS[name][which % len(ACTS[name])])
    asked = [request.seq for request in story.case.requests]
    if name == "request":
        body["due"] = occurred + timedelta(minutes=1 + 600 * which)
    if name == "answer_request":
        body["request"] = asked[which % len(asked)] if asked else 1
    try:
        story.tell(name, text_of(now), text_of(occurred), **body)
    except Refused:
        story.wait(text_of(now))


def standing(case: Complaint, met: set[str]) -> dict[tuple[str, datetime], Clock]:
    """The clocks that count in the end, by what they promise and when they began; those met before are left out."""
    left_out = {clock.obligation for clock in case.clocks if clock.id in met}
    return {
        (clock.obligation, clock.started_at): clock
        for clock in case.clocks
        if clock.status != "ended" and clock.obligation not in left_out
    }


def seen(clock: Clock) -> tuple[Any, ...]:
    """What a report would say of it; a miss that fell away is no miss."""
    in_time = clock.status == "met" or (clock.status == "missed" and clock.cleared_at is not None)
    status = "met" if in_time else clock.status
    rungs = [(rung.label, rung.at) for rung in clock.rungs]
    return status, clock.due_at, clock.provisional, clock.waits, clock.paused_at, clock.done_at, clock.time, rungs


def text_of(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d %H:%M:%S")
