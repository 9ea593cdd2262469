"""Random stories: an opening and what people then tell, each with the second at which it happened and was told.

One seed and number give one story, whenever it is played. The acts carry the time at which they happened, so that what
becomes of a clock is decided by the story and not by when a worker woke up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from pydantic import ValidationError

from faults.laws import NAMES, VISIT
from faults.tale import Tale
from rules.access import Grant
from rules.commands import COMMANDS, Command, OpenComplaint
from rules.law import InForce
from rules.ledger import Refused
from tests.support.random_stories import BODIES, CHAPTERS, OPENINGS, command

UNTOLD = {"merge", "undo_merge", "absorb", "release", "replan", "answer_survey", "link", "recuse", "confirm_report"}
"""Commands that are no part of these stories: they concern two complaints, or calendar, survey and late reports."""
TOLD = [*sorted(BODIES.keys() - UNTOLD), *["acknowledge"] * 6]
SEEN = {"acknowledge": "notice", "demand": "miss", "explain": "miss"}
"""What answers something that Ombud did, with what that is."""
PARTS = [names for names in CHAPTERS if not UNTOLD & set(names)]

AWAITED = {"propose", "explain"}
UNSETTLING = {"accept", "withdraw", "close", "reclassify", "correct", "approve_correction"}
"""Not told while a mail has a say in a clock: which of the two comes first is no matter of the story."""

PROOF = [{"id": "letter", "sha256": "0" * 64}]
WRITTEN = {"accept", "reject", "withdraw", "take_back"}
"""What the handler reports of the customer with the customer's own words."""

APART = timedelta(seconds=1.5)
"""Nothing is told nearer than that to a moment at which something happens by itself."""
HORIZON = timedelta(seconds=40)
"""After that nobody does anything but close; in a brief run sooner."""
LONG = timedelta(minutes=5)
"""Clocks that are due later are left running."""

NUMBERS = {
    "correct": "entry",
    "approve_correction": "entry",
    "answer_request": "request",
    "contest_request": "request",
    "answer_demand": "demand",
}
"""The field by which a command names an earlier entry of the ledger."""


@dataclass
class Step:
    """One command, as a program sends it."""

    at: timedelta
    """When it is told, counted from the opening."""
    name: str
    body: dict[str, Any]
    of: int | None = None
    """The step whose entry it names; its number is known once that step has been answered."""
    durable: bool = False
    """Left as a signal, for which nobody answers."""
    again: float | None = None
    """Sent once more under the same key so many seconds later, or at once."""
    refused: bool = False
    """No complaint takes it, whenever it comes."""
    settled: bool = False
    """Told once every notice of the complaint has reached its end, and dated then: the end of the story."""
    sees: str = ""
    """What its teller has seen: a `notice` or a `miss`. Where a machine looked so late that there never was one, nobody
    tells it."""


@dataclass
class Story:
    """What is played, and what the fault-free run makes of it."""

    number: int
    opening: dict[str, Any]
    began: datetime
    twice: bool
    refused: bool
    """An opening that nobody takes: the clock of its sender is an hour ahead."""
    steps: list[Step] = field(default_factory=list)
    tale: Tale | None = None

    @property
    def complaint(self) -> str:
        return f"{self.opening['contract']}/{self.opening['reference']}"

    def key(self, index: int) -> str:
        """The idempotency key of a step."""
        return f"{self.opening['reference']}:{index}"


def as_sent(grant: Grant, command: Command, key: str) -> Command:
    """A command as the complaint gets it from the gateway. Raises ValidationError where it takes none such."""
    acting = grant.acting(command.model_copy(update={"key": key}))
    return type(command).model_validate(acting.model_dump(mode="json", exclude_none=True))


class Writer:
    """Writes the stories of one seed. `laws` are the contracts in force by name, `grant` is the sender's token."""

    def __init__(self, seed: int, laws: dict[str, InForce], grant: Grant, horizon: timedelta = HORIZON) -> None:
        self._seed, self._laws, self._grant, self._horizon = seed, laws, grant, horizon

    def write(self, number: int, began: datetime) -> Story:
        """The story of this number, beginning now."""
        random = Random(f"{self._seed}/{number}")
        name = NAMES[number % len(NAMES)]
        wrong = random.random()
        received = began - timedelta(hours=1) if wrong < 0.06 else began
        refused = wrong > 0.97
        opening = {
            "contract": name,
            "reference": f"S{self._seed}-{number}",
            "kind": "enquiry",
            "channel": "phone",
            "received_at": (received + timedelta(hours=1 if refused else 0)).isoformat(),
            "content": f"It does not work, for the {number}th time.",
            **random.choice(OPENINGS),
        }
        story = Story(number, opening, began, random.random() < 0.2, refused)
        if not refused:
            start = self._grant.opening(OpenComplaint.model_validate(opening))
            _Pen(story, random, self._grant, Tale(self._laws[name], start, began)).write(self._horizon)
        return story


class _Pen:
    """Adds step by step what the core takes at that moment."""

    def __init__(self, story: Story, random: Random, grant: Grant, tale: Tale) -> None:
        self._story, self._random, self._grant, self._tale = story, random, grant, tale
        self._now = story.began
        self._entries: dict[int, int] = {}
        """Which step an entry of the ledger records."""

    def write(self, horizon: timedelta) -> None:
        """The whole story."""
        story, random = self._story, self._random
        story.tale = self._tale
        while self._now < story.began + horizon * random.uniform(0.3, 1):
            part = random.choice(PARTS) if random.random() < 0.5 else (random.choice(TOLD),)
            for name in part:
                self._pass(timedelta(seconds=random.uniform(0.5, 6)))
                self._tell(name)
        if random.random() < 0.3:
            self._clocks_gone_wrong()
        named = {step.of for step in story.steps}
        for index, step in enumerate(story.steps):
            step.durable = not (step.refused or step.sees) and index not in named and random.random() < 0.25
            step.again = random.choice((0.0, 0.0, 1.0, 6.0)) if random.random() < 0.2 else None
        self._end()

    def _pass(self, time: timedelta) -> None:
        """Time passes, to a moment apart from what happens by itself."""
        self._now += time
        self._tale.live(self._now)
        while (at := self._tale.next()) is not None and at < self._now + APART:
            self._now = at + APART
            self._tale.live(self._now)

    def _tell(self, name: str) -> None:
        random, case = self._random, self._tale.case
        mails = AWAITED & {step.name for step in self._story.steps} or any(c.obligation == VISIT for c in case.clocks)
        if name in UNSETTLING and mails:
            return
        before = timedelta(seconds=random.choice((0, 0, 0, 1, 2, 5, 12, 20)))
        happened = max(self._now - before, case.received_at)
        sent = command(case, name, random.randint(0, 10), self._now, happened)
        if name in WRITTEN and not sent.evidence:
            sent = type(sent).model_validate(sent.model_dump() | {"evidence": PROOF})
        body = sent.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        step = Step(self._now - self._story.began, name, body, sees=SEEN.get(name, ""))
        if (number := NUMBERS.get(name)) is not None:
            step.of = self._entries.get(getattr(sent, number))
            if step.of is None:
                return
        self._add(step, sent)

    def _add(self, step: Step, sent: Command) -> None:
        """Tell it to the core, which may refuse."""
        index = len(self._story.steps)
        try:
            keyed = as_sent(self._grant, sent, self._story.key(index))
            entry = self._tale.tell(keyed, self._now)
        except (Refused, ValidationError):
            return
        self._entries[entry.seq] = index
        self._story.steps.append(step)

    def _clocks_gone_wrong(self) -> None:
        """A note of a clock that is a minute ahead, which counts as now, and one an hour ahead, which nobody takes."""
        self._pass(timedelta(seconds=1))
        note = COMMANDS["note"]
        for ahead in (timedelta(seconds=90), timedelta(hours=1)):
            dated = {"text": "Words.", "occurred_at": (self._now + ahead).isoformat()}
            step = Step(self._now - self._story.began, "note", dated, refused=ahead > timedelta(minutes=2))
            if step.refused:
                self._story.steps.append(step)
            elif not self._tale.case.closed:
                self._add(step, note.model_validate(dated))

    def _end(self) -> None:
        """Once every ladder is over the complaint is withdrawn, unless it is closed already."""
        while (at := self._tale.next()) is not None and at < self._now + LONG:
            self._now = at
            self._tale.live(at)
        self._now += APART
        if not self._tale.case.closed:
            body = {"text": "Never mind.", "by": {"role": "complainant"}, "evidence": PROOF}
            step = Step(self._now - self._story.began, "withdraw", body, settled=True)
            self._add(step, COMMANDS["withdraw"].model_validate(body))
