"""The judge of circulars: whom each had to reach, and what a story is in which they came. Pure: values in, findings
out.

A circular reaches a complaint when it does; so the fault-free run of a story is told it at the moment at which it was
heard, between the same acts. Everything else in it is the story's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from faults.judge import Finding
from faults.stories import NUMBERS, Story, as_sent
from faults.tale import Tale
from rules.access import Grant
from rules.commands import COMMANDS, Command, OpenComplaint
from rules.law import InForce
from rules.ledger import Entry

MOMENT = timedelta(milliseconds=1)
LATEST = timedelta(hours=1)
"""Nothing in a story is later."""


def retold(
    story: Story,
    law: InForce,
    grant: Grant,
    found: Sequence[Entry],
    letters: Mapping[str, Command],
    untold: Collection[str] = (),
) -> list[Entry]:
    """The fault-free ledger of a story in which these letters came where they stand in the ledger that was found, and
    in which nobody told the acts with the keys of the untold.

    Raises Refused for what the complaint could not have taken there.
    """
    start = grant.opening(OpenComplaint.model_validate(story.opening))
    tale = Tale(law, start, story.began)
    steps = {story.key(index): index for index, step in enumerate(story.steps) if not step.refused}
    for key in untold:
        steps.pop(key, None)
    behind: dict[str, list[Entry]] = defaultdict(list)
    last = ""
    for entry in found:
        if entry.key in steps:
            last = str(entry.key)
        elif entry.key in letters:
            behind[last].append(entry)
    heard = {str(entry.key): entry.recorded_at for entry in found}
    told = [_told(story, steps[key], heard.get(key)) for key in steps]
    at = [story.began, *told, story.began + LATEST]
    numbers: dict[int | None, int] = {}
    for key, (now, until) in zip(("", *steps), pairwise(at), strict=True):
        if key:
            numbers[steps[key]] = tale.tell(_command(story, grant, steps[key], numbers), now).seq
        for letter in behind[key]:
            now = max(now + MOMENT, min(letter.recorded_at, until - 2 * MOMENT))  # noqa: PLW2901
            tale.tell(letters[str(letter.key)], now)
    return tale.entries


def _told(story: Story, index: int, heard: datetime | None) -> datetime:
    """When a step is told: the end of a story once all its mails are out, and circulars come until then."""
    step = story.steps[index]
    told = story.began + step.at
    return max(told, heard) if step.settled and heard else told


def _command(story: Story, grant: Grant, index: int, numbers: Mapping[int | None, int]) -> Command:
    """A step as the complaint gets it, where the entries stand under these numbers."""
    step = story.steps[index]
    about = {NUMBERS[step.name]: numbers[step.of]} if step.of is not None else {}
    return as_sent(grant, COMMANDS[step.name].model_validate(step.body | about), story.key(index))


class Letter(NamedTuple):
    """What Postgres has of a letter of a circular."""

    circular: str
    complaint: str
    outcome: str | None


class Sweep(NamedTuple):
    """A circular as Postgres has it."""

    id: str
    incident: str | None
    sent_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class Letters:
    """All that is known of circulars after a run."""

    ledgers: Mapping[str, Sequence[Entry]]
    """Of the complaints of the contract."""
    recorded: Mapping[str, datetime]
    """When the opening of each was committed."""
    sent: Sequence[str]
    """The ids of all that were sent."""
    sweeps: Sequence[Sweep]
    letters: Sequence[Letter]

    def findings(self) -> Iterator[Finding]:
        """Circulars that never ended, letters that were lost, and answers that the ledger does not have."""
        ended = {sweep.id: sweep for sweep in self.sweeps if sweep.finished_at is not None}
        yield from (Finding(f"circular {id_}", "it never ended") for id_ in self.sent if id_ not in ended)
        outcome = {(letter.circular, letter.complaint): letter.outcome for letter in self.letters}
        for complaint, entries in self.ledgers.items():
            taken = {entry.key for entry in entries}
            for sweep in ended.values():
                answered = outcome.get((sweep.id, complaint))
                there = f"circular/{sweep.id}" in taken
                if there != (answered == "taken"):
                    yield Finding(complaint, f"circular {sweep.id} has {answered}, the ledger {there and 'its letter'}")
                concerned = sweep.incident in (None, entries[0].data.get("incident"))
                if there and not concerned:
                    yield Finding(complaint, f"circular {sweep.id} is about an incident that it does not report")
                if not there and concerned and self._open_throughout(complaint, entries, sweep):
                    yield Finding(complaint, f"circular {sweep.id} never reached it, though it was open all the time")

    def _open_throughout(self, complaint: str, entries: Sequence[Entry], sweep: Sweep) -> bool:
        """On record before a circular was sent, and no closing before that ended."""
        closings = [entry.recorded_at for entry in entries if entry.type == "closed"]
        return self.recorded[complaint] < sweep.sent_at and not any(at <= (sweep.finished_at or at) for at in closings)
