"""The writer: the stories of one seed, of one complaint or of two that become one."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

from faults.laws import NAMES, OUTAGE, SWEPT, Laws
from faults.pen import HORIZON, Pen, Time
from faults.stories import Story
from faults.tale import Tale
from rules.access import Grant
from rules.commands import OpenComplaint
from tests.support.random_stories import OPENINGS

OF_TWO: tuple[str, ...] = (
    "respond",
    "answer",
    "hand_over",
    "update_customer",
    "findings",
    "resolve",
    "tell_result",
    "assign",
    "note",
)
OF_TWO += ("customer_writes", "no_reply_needed", "acknowledge", "request", "answer_request", "confirm_report")
"""What people do besides. Nothing in it waits for a mail, and nothing but the merging ends a complaint."""
ERASED = 11
"""Of so many stories one is erased, in its midst or soon after."""
PAIRS = 0.15
"""The part of the stories that are of two complaints."""


class Writer:
    """Writes the stories of one seed. `laws` are what they are judged by, `grant` is the sender's token."""

    def __init__(self, seed: int, laws: Laws, grant: Grant, horizon: timedelta = HORIZON) -> None:
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
        if name == SWEPT and number // len(NAMES) % 2:
            opening["incident"] = OUTAGE
        if not refused and name != SWEPT and random.random() < PAIRS:
            return self._pair(number, opening, began, random)
        story = Story(number, opening, began, random.random() < 0.2, refused)
        if not refused:
            tale = self._tale(story)
            Pen(story, random, self._grant, tale, Time(began, tale)).write(self._horizon)
            if number % ERASED == ERASED - 1:
                story.erased = self._horizon * random.uniform(0.05, 1.5)
        return story

    def _pair(self, number: int, opening: dict[str, Any], began: datetime, random: Random) -> Story:
        """Of the two the one that is merged into the other may have been received long before it."""
        named = {"kind": "enquiry", "reference": f"{opening['reference']}T", "received_at": began.isoformat()}
        kinds = [fields for fields in OPENINGS if fields.get("level") != "3"]
        first = {name: opening[name] for name in ("contract", "reference", "channel", "received_at", "content")}
        story = Story(number, first | {"kind": "enquiry"} | random.choice(kinds), began, random.random() < 0.2, False)
        if random.random() < 0.3:
            story.opening["received_at"] = (began - timedelta(hours=1)).isoformat()
        other = Story(number, first | named | random.choice(kinds), began, random.random() < 0.2, False)
        story.twin, other.twin_of = other, story.complaint
        tales = self._tale(story), self._tale(other)
        time = Time(began, *tales)
        pens = [Pen(one, random, self._grant, tale, time) for one, tale in zip((story, other), tales, strict=True)]
        _write_pair(pens[0], pens[1], time, random, self._horizon)
        return story

    def _tale(self, story: Story) -> Tale:
        start = self._grant.opening(OpenComplaint.model_validate(story.opening))
        return Tale(self._laws.of(start), start, story.began)


def _write_pair(one: Pen, other: Pen, time: Time, random: Random, horizon: timedelta) -> None:
    """A story in which one complaint is merged into the other, and mostly parted from it again."""
    until = time.now + horizon * random.uniform(0.5, 1)
    parted = random.random() < 0.7
    merged = False
    while time.now < until:
        time.pass_(timedelta(seconds=random.uniform(0.5, 5)))
        if random.random() < 0.3 and (not merged or parted):
            merged ^= one.join("undo_merge" if merged else "merge", other)
        else:
            random.choice((one, other)).tell(random.choice(OF_TWO))
    if not merged and not parted:
        time.pass_(timedelta(seconds=1))
        one.join("merge", other)
    one.send()
    other.send()
    time.run_out()
    one.end()
    other.end()
