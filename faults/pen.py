"""Writes a story step by step: what the core takes at that moment, and when."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from faults.between import asked_by
from faults.laws import TOLD_BY_TWO, VISIT, ZONE, person
from faults.stories import NUMBERS, PROOF, Step, Story, as_sent
from faults.tale import Tale
from rules.access import Grant
from rules.commands import COMMANDS, Command, Merge, UndoMerge
from rules.ledger import Refused
from tests.support.random_stories import BODIES, CHAPTERS, command

UNTOLD = {"merge", "undo_merge", "absorb", "release"}
"""Commands that are no part of these stories: they concern two complaints."""
TOLD = [*sorted(BODIES.keys() - UNTOLD), *["acknowledge", "confirm_report"] * 6]
SEEN = {"acknowledge": "notice", "demand": "miss", "explain": "miss", "confirm_report": "report"}
"""What answers something that Ombud did, with what that is."""
LATE = ("respond", "confirm_report")
"""What was done in time is reported when it is missed, and the principal agrees or does not."""
OWN = (
    LATE,
    LATE,
    ("recuse", "acknowledge", "note"),
    ("resolve", "tell_result", "close"),
    ("answer", "close"),
    ("link",),
)
"""What else would be too seldom."""
PARTS = [*(names for names in CHAPTERS if not UNTOLD & set(names)), *OWN]

AWAITED = {"propose", "explain"}
UNSETTLING = {"accept", "withdraw", "close", "reclassify", "correct", "approve_correction"}
"""Not told while a mail has a say in a clock: which of the two comes first is no matter of the story."""

ANSWERED = {"merge", "undo_merge"}
"""Never sent as a signal: the other complaint has a say."""

WRITTEN = {"accept", "reject", "withdraw", "take_back", "answer_survey"}
"""What the handler reports of the customer with the customer's own words."""

APART = timedelta(seconds=1.5)
"""Nothing is told nearer than that to a moment at which something happens by itself."""
HORIZON = timedelta(seconds=40)
"""After that nobody does anything but close; in a brief run sooner."""
LONG = timedelta(minutes=5)
"""Clocks that are due later are left running."""


class Time:
    """The time in a story: it passes for every complaint of it, and stands apart from what happens by itself."""

    def __init__(self, began: datetime, *tales: Tale) -> None:
        self.now = began
        self._tales = tales

    def pass_(self, time: timedelta) -> None:
        """At least so much time passes."""
        self.now += time
        while True:
            for tale in self._tales:
                tale.live(self.now)
            ahead = min((at for tale in self._tales if (at := tale.next()) is not None), default=None)
            if ahead is None or ahead >= self.now + APART:
                return
            self.now = ahead + APART

    def run_out(self) -> None:
        """Until nothing happens by itself any more, but for clocks that are left running."""
        for tale in self._tales:
            while (at := tale.next()) is not None and at < self.now + LONG:
                self.now = at
                tale.live(at)
        self.pass_(APART)


class Pen:
    """Adds step by step what the core takes at that moment."""

    def __init__(self, story: Story, random: Random, grant: Grant, tale: Tale, time: Time) -> None:
        self._story, self._random, self._grant, self._tale, self._time = story, random, grant, tale, time
        self._entries: dict[int, int] = {}
        """Which step an entry of the ledger records."""
        story.tale = tale

    def write(self, horizon: timedelta) -> None:
        """The whole story of one complaint."""
        story, random = self._story, self._random
        while self._time.now < story.began + horizon * random.uniform(0.3, 1):
            part = random.choice(PARTS) if random.random() < 0.5 else (random.choice(TOLD),)
            for name in part:
                self._time.pass_(timedelta(seconds=random.uniform(0.5, 6)))
                self.tell(name, late=part is LATE and name != part[-1])
        if random.random() < 0.3:
            self._clocks_gone_wrong()
        self.send()
        self._time.run_out()
        self.end()

    def send(self) -> None:
        """How each step is sent: for an answer or as a signal, once or twice."""
        random, steps = self._random, self._story.steps
        named = {step.of for step in steps}
        for index, step in enumerate(steps):
            answered = step.refused or step.sees or step.name in ANSWERED or index in named
            step.durable = not answered and random.random() < 0.25
            step.again = random.choice((0.0, 0.0, 1.0, 6.0)) if random.random() < 0.2 else None

    def tell(self, name: str, *, late: bool = False) -> None:
        """A command with some body, where it can be about anything and the core takes it."""
        random, case = self._random, self._tale.case
        mails = AWAITED & {step.name for step in self._story.steps} or any(c.obligation == VISIT for c in case.clocks)
        if name in UNSETTLING and mails:
            return
        before = timedelta(seconds=20 if late else random.choice((0, 0, 0, 1, 2, 5, 12, 20)))
        happened = max(self._time.now - before, case.received_at)
        sent = self._command(name, random.randint(0, 10), happened)
        if sent is None:
            return
        if name in WRITTEN and not sent.evidence:
            sent = type(sent).model_validate(sent.model_dump() | {"evidence": PROOF})
        body = sent.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        step = Step(self._time.now - self._story.began, name, body, sees=SEEN.get(name, ""))
        if (number := NUMBERS.get(name)) is not None:
            step.of = self._entries.get(getattr(sent, number))
            if step.of is None:
                return
        self._add(step, sent)

    def _command(self, name: str, which: int, happened: datetime) -> Command | None:
        """One of the bodies of a command; nothing where there is nobody or nothing that it could be about."""
        case = self._tale.case
        match name:
            case "confirm_report":
                late = [clock.id for clock in case.clocks if clock.report == "unconfirmed"]
                if not late:
                    return None
                about: dict[str, Any] = {"clock": late[which % len(late)]}
            case "recuse":
                about = {"person": person(case.contract, TOLD_BY_TWO[which % len(TOLD_BY_TWO)])}
            case "replan":
                about = {"years": days_off(self._time.now, which % 3)}
            case _:
                about = {}
        sent = command(case, name, which, self._time.now, happened)
        return type(sent).model_validate(sent.model_dump(exclude_unset=True) | about)

    def join(self, name: str, other: Pen) -> bool:
        """Merge this complaint into the other one, or undo that: both change or none. Whether they did."""
        about = {"into": other._story.opening["reference"]} if name == "merge" else {"text": "Words."}
        happened = max(
            self._time.now - timedelta(seconds=self._random.choice((0, 0, 1, 5))), self._tale.case.received_at
        )
        sent = (Merge if name == "merge" else UndoMerge).model_validate({"occurred_at": happened, **about})
        key, asked = asked_by(self._tale.case, self._tale.law, sent, self._key)
        try:
            other._tale.tell(asked, self._time.now, "ui", key)
        except Refused:
            return False
        body = sent.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        self._add(Step(self._time.now - self._story.began, name, body), sent)
        return True

    @property
    def _key(self) -> str:
        """The key of the next step."""
        return self._story.key(len(self._story.steps))

    def _add(self, step: Step, sent: Command) -> None:
        """Tell it to the core, which may refuse."""
        try:
            entry = self._tale.tell(as_sent(self._grant, sent, self._key), self._time.now)
        except (Refused, ValidationError):
            return
        self._entries[entry.seq] = len(self._story.steps)
        self._story.steps.append(step)

    def _clocks_gone_wrong(self) -> None:
        """A note of a clock that is a minute ahead, which counts as now, and one an hour ahead, which nobody takes."""
        self._time.pass_(timedelta(seconds=1))
        note = COMMANDS["note"]
        for ahead in (timedelta(seconds=90), timedelta(hours=1)):
            dated = {"text": "Words.", "occurred_at": (self._time.now + ahead).isoformat()}
            step = Step(self._time.now - self._story.began, "note", dated, refused=ahead > timedelta(minutes=2))
            if step.refused:
                self._story.steps.append(step)
            elif not self._tale.case.closed:
                self._add(step, note.model_validate(dated))

    def end(self) -> None:
        """The complaint is withdrawn, unless it is closed already."""
        if not self._tale.case.closed:
            body = {"text": "Never mind.", "by": {"role": "complainant"}, "evidence": PROOF}
            step = Step(self._time.now - self._story.began, "withdraw", body, settled=True)
            self._add(step, COMMANDS["withdraw"].model_validate(body))


def days_off(now: datetime, *ahead: int) -> dict[str, Any]:
    """The years as somebody re-plans them: the days so many days ahead of today are off."""
    today = now.astimezone(ZoneInfo(ZONE)).date()
    years: dict[str, list[str]] = {}
    for day in (today + timedelta(days=days) for days in ahead):
        years.setdefault(str(day.year), []).append(day.isoformat())
    return {year: [{"name": "Day off", "off": off}] for year, off in years.items()}
