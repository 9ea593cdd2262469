"""A machine that stands still for a while hears everything late: stories end all the same, and no judge is misled."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

import pytest

from faults import tale
from faults.judge import changed, crossed, differences, step_by_step
from faults.letters import retold
from faults.pen import APART, LONG
from faults.stories import NUMBERS, Step, Story, as_sent
from faults.tale import Tale
from faults.writer import Writer
from rules.commands import COMMANDS, Command, OpenComplaint
from rules.decide import Decision
from rules.ledger import Entry, Refused
from tests.faults.test_judge import BEGAN, GRANT, LAWS, SECOND, ZERO

MOMENT = timedelta(milliseconds=1)


class Late(Tale):
    """What a machine hears that does nothing from one moment of a story to another; then it hears the acts in their
    order, and then it serves its timers."""

    def __init__(self, story: Story, since: timedelta, until: timedelta) -> None:
        self.sent: dict[str, Command] = {}
        self.untold: set[str] = set()
        self._story, self._numbers = story, dict[int, int]()
        self._since, self._until = story.began + since, story.began + until
        super().__init__(
            LAWS.first[story.opening["contract"]],
            GRANT.opening(OpenComplaint.model_validate(story.opening)),
            story.began,
        )

    def served(self, at: datetime) -> datetime:
        return self._until + SECOND if self._since <= at < self._until else at

    def play(self, *, ends: bool = True) -> list[Entry]:
        """The ledger; without its end where that is not told."""
        now = self._story.began
        for index, step in enumerate(self._story.steps):
            if not step.refused and not step.settled:
                at = self._story.began + step.at
                now = max(now + MOMENT, self._until if self._since <= at < self._until else at)
                self._hear(index, step, now)
        now = max(now, self._until + SECOND)
        self.live(now)
        while (ahead := self.next()) is not None and ahead < now + LONG:
            now = max(now, self.served(ahead))
            self.live(now)
        for index, step in enumerate(self._story.steps):
            if step.settled and ends:
                self._hear(index, step, now + APART)
        return self.entries

    def _hear(self, index: int, step: Step, now: datetime) -> None:
        """Nobody tells what names an act that was told in vain."""
        key = self._story.key(index)
        if step.of is not None and step.of not in self._numbers:
            self.untold.add(key)
            return
        about = {NUMBERS[step.name]: self._numbers[step.of]} if step.of is not None else {}
        sent = as_sent(GRANT, COMMANDS[step.name].model_validate(step.body | about), key)
        try:
            self._numbers[index] = self.tell(sent, now).seq
        except Refused:
            assert step.sees or step.name == "waive", f"{key}: {step.name} comes too late for nothing"
            self.untold.add(key)
        else:
            self.sent[key] = sent

    def wrong(self) -> str | None:
        """What the first judge says."""
        start = GRANT.opening(OpenComplaint.model_validate(self._story.opening))
        return step_by_step(self.entries, start, self.law, self.sent)


def reopened(entries: list[Entry]) -> bool:
    """Whether a message came after the acceptance that had closed the case, and opened it again."""
    kinds = [entry.type for entry in entries]
    again = [at for at, entry in enumerate(entries) if entry.type == "reopened"]
    return any(entries[at].data["reason"] == "customer wrote" and "accepted" in kinds[:at] for at in again)


def test_a_story_ends_however_late_it_is_heard() -> None:
    """Two hundred stories, each on a machine that stands still at some moment: whatever was heard behind what, the
    complaint is closed at the end, all that differs is explained by what was heard late, and no clock comes out
    otherwise. In some of them a message opens a case again that its acceptance had closed."""
    writer, again, differ = Writer(4, LAWS, GRANT), 0, 0
    for number in range(230):
        story = writer.write(number, BEGAN)
        if story.tale is None or story.twin is not None:
            continue
        random = Random(number)
        since = timedelta(seconds=random.uniform(0, 40))
        late = Late(story, since, since + timedelta(seconds=random.uniform(3, 25)))
        expected, found = story.tale.entries, late.play()
        if late.untold:
            expected = retold(story, late.law, GRANT, found, {}, late.untold)
        assert late.case.closed, story.complaint
        assert late.wrong() is None
        apart = differences(expected, found)
        assert not apart or late.untold or crossed(expected, found, APART), (story.complaint, apart)
        assert changed(expected, found, late.untold) == [], story.complaint
        again += reopened(found)
        differ += bool(apart)
    assert again > 1, "messages after an acceptance"
    assert differ > 1, "ledgers that differ"


def test_what_a_waiver_that_came_too_late_would_have_changed_is_no_difference() -> None:
    """A machine that hears a waiver behind the miss refuses it, and a reply in time that is told later refutes the
    miss: that is the outcome without the waiver."""
    story = Writer(2, LAWS, GRANT).write(59, BEGAN)
    assert story.tale is not None
    assert story.steps[0].name == "waive"
    late = Late(story, ZERO, timedelta(seconds=16))
    late.served = lambda at: at  # type: ignore[method-assign]  # its timers go on
    found = late.play()
    assert late.untold == {story.key(0)}
    assert changed(story.tale.entries, found, late.untold)
    assert changed(retold(story, late.law, GRANT, found, {}, late.untold), found, late.untold) == []


def test_a_message_behind_an_acceptance_leaves_no_case_open_unnoticed() -> None:
    """All acts up to an acceptance are heard at once, the message behind it opens the case again, and the story ends
    with a withdrawal. Where nobody tells that the case stays open, and the judge says so."""
    story = Writer(1, LAWS, GRANT).write(54, BEGAN)
    assert story.tale is not None
    assert [step.name for step in story.steps[3:5]] == ["accept", "customer_writes"]
    assert story.steps[-1].settled
    since, until = timedelta(seconds=2), story.steps[3].at + MOMENT
    late = Late(story, since, until)
    found = late.play()
    acts = [entry for entry in found if entry.type in ("answered", "accepted")]
    assert reopened(found)
    assert {entry.recorded_at - story.began < until + SECOND for entry in acts} == {True}
    assert late.case.closed
    assert changed(story.tale.entries, found) == []
    silent = Late(story, since, until)
    assert any("withdrawn" in line for line in changed(story.tale.entries, silent.play(ends=False)))
    assert silent.case.closed is None


def test_a_timer_at_which_nothing_is_judged_ends_the_fault_free_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the core that would come round for ever is an error that names complaint and moment."""
    story = next(s for n in range(20) if (s := Writer(1, LAWS, GRANT).write(n, BEGAN)).tale and not s.twin)
    start = GRANT.opening(OpenComplaint.model_validate(story.opening))
    fresh = Tale(LAWS.first[story.opening["contract"]], start, story.began)
    monkeypatch.setattr(tale, "tick", lambda case, law, now: Decision(case))
    with pytest.raises(RuntimeError, match=f"{story.complaint}: nothing is to be judged at 2026"):
        fresh.live(story.began + timedelta(hours=1))
