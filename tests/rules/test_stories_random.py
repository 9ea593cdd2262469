"""Random stories through the core: whatever people do in whatever order, the invariants hold after every step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.decide import decide, deliver, tick
from rules.fold import fold
from rules.judge import next_wake
from rules.ledger import Refused
from rules.notices import Outcome
from tests.support.random_stories import ALL, BODIES, OPENINGS, STEPS, Step, command, patient
from tests.support.story import Story, at


def test_every_command_is_part_of_the_stories() -> None:
    """A command that is added without random stories about it would go unwatched."""
    assert BODIES.keys() == ALL.keys()


def test_the_invariants_hold_after_every_step(record_property: Callable[[str, object], None]) -> None:
    """Invariants 2, 5, 11, 12, 16 and 18 over random commands, delays, outages and late reports."""
    figures: Counter[str] = Counter()
    _any_story(figures)
    for name, count in figures.items():
        record_property(name, count)
    assert figures["reopened"] > 0, "closed cases are part of the stories"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    opening=st.sampled_from(OPENINGS),
    late=st.integers(0, 60 * 24 * 3),
    steps=STEPS,
)
def _any_story(figures: Counter[str], opening: dict[str, Any], late: int, steps: list[Step]) -> None:
    figures["stories"] += 1
    story = Story(patient(len(steps))).open(
        "2026-03-02 10:00", recorded=_text(at("2026-03-02 10:00") + timedelta(minutes=late)), **opening
    )
    now = story.case.recorded_at
    _hold(story, now)
    for name, which, minutes, before, served in steps:
        now += timedelta(minutes=minutes)
        if served:
            while (wake := next_wake(story.case, story.law)) is not None and wake.at <= now:
                story.note(tick(story.case, story.law, wake.at))
                _hold(story, wake.at)
        figures["steps"] += 1
        figures["refused"] += not _tell(story, name, which, now, now - timedelta(minutes=before))
        _hold(story, now)
        for notice in [n.key for n in story.case.notices if not n.accepted and n.undeliverable_at is None][:1]:
            outcome = Outcome(notice=notice, accepted=bool(which % 3), at=now)
            story.note(deliver(story.case, story.law, outcome, now))
            _hold(story, now)
    figures["reopened"] += len(story.case.interludes)
    figures["missed"] += sum(entry.type == "clock_missed" for entry in story.entries)


def _tell(story: Story, name: str, which: int, now: datetime, occurred_at: datetime) -> bool:
    """Whether it was taken."""
    told = command(story.case, name, which, now, occurred_at)
    before = story.case
    try:
        story.note(decide(before, story.law, told, now, f"{len(story.entries)}", "cli"))
    except Refused:
        story.note(tick(before, story.law, now))
        return False
    again = decide(story.case, story.law, told, now, list(story.case.keys)[-1], "cli")
    assert again.entries == [], "the same command under its key does nothing again"
    return True


def _hold(story: Story, now: datetime) -> None:
    case, entries = story.case, story.entries
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert fold(entries) == case
    assert tick(case, story.law, now).entries == [], "what was due is on record"
    wake = next_wake(case, story.law)
    assert wake is None or wake.at > now
    keys = story.notices()
    assert len(keys) == len(set(keys)), "no notice twice"
    about = [(entry.type, entry.data["clock"]) for entry in entries if entry.type in ("clock_missed", "miss_refuted")]
    missed = [clock for kind, clock in about if kind == "clock_missed"]
    for clock_id in missed:
        told = [kind for kind, clock in about if clock == clock_id]
        assert ("clock_missed", "clock_missed") not in pairwise(told), "a miss is recorded once until it is refuted"
    for clock in case.clocks:
        assert (clock.missed is not None) == (clock.id in missed), "a recorded miss stays"
        if clock.status == "met":
            assert clock.done_at is not None
            assert clock.done_at <= clock.due_at
        if clock.report == "confirmed":
            assert clock.missed is not None
        if clock.status in ("met", "missed") and clock.done_at is not None:
            in_time = clock.status == "met" or clock.refuted_at is not None
            assert in_time == (clock.done_at <= clock.due_at), "what is on record follows from the facts"
        rungs = [e for e in entries if e.type == "rung_reached" and e.data["clock"] == clock.id]
        labels = [(e.data["rung"], e.data.get("round", 0)) for e in rungs]
        assert len(labels) == len(set(labels)), "a rung is reached once, and once more after its miss fell away"
    if case.closed:
        assert all(clock.status != "running" for clock in case.clocks)


def _text(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d %H:%M:%S")
