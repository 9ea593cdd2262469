"""A complaint that hypothesis drives: whatever people do in whatever order, checked after every step.

As a state machine, so that a story that breaks an invariant is shrunk to the fewest steps that do.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pydantic import ValidationError

from rules.commands import Command
from rules.complaint import Complaint
from rules.decide import decide, deliver, tick
from rules.fold import fold
from rules.judge import next_wake
from rules.ledger import Refused, explain_invalid
from rules.notices import Outcome
from tests.support.random_stories import ALL, BODIES, CHAPTERS, OPENINGS, body, command, patient
from tests.support.story import Story, at

RECEIVED = "2026-03-02 10:00"
DAY = 60 * 24

_BODY = st.integers(0, 10)
_OCCURRED = st.integers(0, 600)
_ODD: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats() | st.lists(st.integers(), max_size=2)
)


class Complaints(RuleBasedStateMachine):
    """One complaint under the small contract, in the variants that `patient` knows."""

    def __init__(self) -> None:
        super().__init__()
        self.story = Story()
        self.now = at(RECEIVED)
        self.figures: Counter[str] = Counter()
        """Steps by what became of them."""

    @initialize(variant=st.integers(0, 5), opening=st.sampled_from(OPENINGS), late=st.integers(0, 3 * DAY))
    def opened(self, variant: int, opening: dict[str, Any], late: int) -> None:
        """Recorded at once, or up to three days after it was received."""
        self.story = Story(patient(variant))
        recorded = self.now + timedelta(minutes=late)
        self.story.open(RECEIVED, recorded=recorded.strftime("%Y-%m-%d %H:%M:%S"), **opening)
        self.now = recorded

    @rule(name=st.sampled_from(sorted(BODIES)), which=_BODY, wait=st.integers(1, 6 * DAY), before=_OCCURRED)
    def command(self, name: str, which: int, wait: int, before: int) -> None:
        """Any command after any wait, told when it happened or up to ten hours later."""
        self.now += timedelta(minutes=wait)
        self.tell(name, which, before)

    @rule(
        names=st.sampled_from(CHAPTERS),
        steps=st.lists(st.tuples(_BODY, st.integers(1, DAY), _OCCURRED, st.booleans()), min_size=7, max_size=7),
    )
    def chapter(self, names: tuple[str, ...], steps: list[tuple[int, int, int, bool]]) -> None:
        """What random commands would seldom come to by themselves."""
        for name, (which, wait, before, served) in zip(names, steps, strict=False):
            self.now += timedelta(minutes=wait)
            if served:
                self.serve()
            self.tell(name, which, before)
            self.holds()

    @rule(wait=st.integers(1, 40 * DAY), served=st.booleans())
    def time_passes(self, wait: int, served: bool) -> None:
        """Timers are served on the instant, or all at once after an outage."""
        self.now += timedelta(minutes=wait)
        if served:
            self.serve()
        self.story.note(tick(self.story.case, self.story.law, self.now))

    @rule(which=st.integers(0, 99), accepted=st.booleans())
    def a_notice_arrives_or_not(self, which: int, accepted: bool) -> None:
        """Of any notice, also of one that was accepted before: a bounce."""
        if notices := self.story.case.notices:
            outcome = Outcome(notice=notices[which % len(notices)].key, accepted=accepted, at=self.now)
            self.story.note(deliver(self.story.case, self.story.law, outcome, self.now))

    @rule(
        name=st.sampled_from(sorted(BODIES)), which=_BODY, changes=st.dictionaries(st.integers(0, 20), _ODD, max_size=2)
    )
    def with_odd_fields(self, name: str, which: int, changes: dict[int, Any]) -> None:
        """A command some of whose fields hold what does not belong there."""
        kind = ALL[name]
        fields = [*kind.model_fields, "colour"]
        given = body(self.story.case, name, which, self.now, self.now)
        given |= {fields[field % len(fields)]: value for field, value in changes.items()}
        try:
            told = kind.model_validate(given)
        except ValidationError as error:
            said = explain_invalid(name, error)
            assert 0 < len(said) < 3_000
            self.figures["not valid"] += 1
            return
        self.decide(told)

    @rule(name=st.sampled_from(sorted(BODIES)), which=_BODY, key=st.sampled_from("abc"))
    def under_a_key(self, name: str, which: int, key: str) -> None:
        """A key used again does nothing, or is refused where the command is another one (invariant 16)."""
        told = ALL[name].model_validate(body(self.story.case, name, which, self.now, self.now) | {"key": key})
        known = key in self.story.case.keys
        before = self.story.case
        self.decide(told)
        assert not known or self.story.case.acts == before.acts, "a key that was used does nothing again"

    @invariant()
    def holds(self) -> None:
        """What always holds (DESIGN.md)."""
        if self.story.entries:
            self.story.note(tick(self.story.case, self.story.law, self.now))
            hold(self.story, self.now)

    def teardown(self) -> None:
        """The figures of the story."""
        if self.story.entries:
            self.figures["stories"] += 1
            self.figures["reopened"] += len(self.story.case.interludes)
            self.figures["missed"] += sum(entry.type == "clock_missed" for entry in self.story.entries)
        FIGURES.update(self.figures)

    def serve(self) -> None:
        """Every timer on the instant, up to now."""
        story = self.story
        while (wake := next_wake(story.case, story.law)) is not None and wake.at <= self.now:
            seen = len(story.entries)
            story.note(tick(story.case, story.law, wake.at))
            assert len(story.entries) > seen, f"a timer that judges nothing: {wake}"
            hold(story, wake.at)

    def tell(self, name: str, which: int, before: int) -> None:
        """One of the bodies of a command, done so many minutes ago."""
        happened = self.now - timedelta(minutes=before)
        self.decide(command(self.story.case, name, which, self.now, happened))

    def decide(self, told: Command) -> None:
        """Taken, and taken once; or refused."""
        story = self.story
        before: Complaint = story.case
        try:
            story.note(decide(before, story.law, told, self.now, f"step {len(story.entries)}", "cli"))
        except Refused as refused:
            assert str(refused)  # noqa: PT017
            self.figures["refused"] += 1
            return
        self.figures["taken"] += 1
        key = told.key or list(story.case.keys)[-1]
        again = decide(story.case, story.law, told, self.now, key, "cli")
        assert again.entries == [], "the same command under its key does nothing again"


FIGURES: Counter[str] = Counter()
"""Over all stories of the run."""


def hold(story: Story, now: datetime) -> None:
    """Invariants 2, 5, 11, 12, 16 and 18: AssertionError where one does not hold of a story that was judged by now."""
    case, entries = story.case, story.entries
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert all(one.recorded_at <= next_.recorded_at for one, next_ in pairwise(entries)), "in the order we learned"
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
