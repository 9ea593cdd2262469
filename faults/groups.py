"""The judge of group robots: what each had to say in its group, and what it was told. Pure: values in, findings out.

A message is a run of events as they stand in the feed, without a gap, and begins where the one before it ended, or
before that: then its beginning is a copy, which reads the same but for the time that has passed since.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from activities.parcels import GAP
from activities.webhooks import PACE
from faults.judge import Finding
from faults.robots import Said
from rules.contract import Contract
from rules.events import Event
from templates.events import BREAK, Announcer, Told, told_of

PATIENCE = 16
"""Seconds that may lie between the making of a message and its hearing: a call may last 15."""

HEADING = "### "


@dataclass(frozen=True)
class Groups:
    """All that is known of group robots after a run."""

    due: Mapping[str, Sequence[Event]]
    """What the robot of each contract had to say, in its order."""
    contracts: Mapping[str, Contract]
    """The contract that each complaint is under."""
    said: Sequence[Said]
    """Every message, in order, whatever it was answered."""
    words: Collection[str] = ()
    """What customers and agents wrote, of which nothing may be said."""
    announcer: Announcer = field(default_factory=Announcer)
    lost: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    """Events that were said before, once for each time."""

    @property
    def messages(self) -> int:
        """That stand in a group."""
        return sum(one.taken for one in self.said)

    def findings(self) -> Iterator[Finding]:
        """Every event that was never said, said out of order, in the wrong group or in other words than it gives, and
        every message that no robot would take."""
        for contract, due in self.due.items():
            yield from self._group(due, [one for one in self.said if one.contract == contract])

    def _group(self, due: Sequence[Event], said: Sequence[Said]) -> Iterator[Finding]:
        """One group, from its first message to its last."""
        told = [told_of(event, self.contracts.get(event.complaint), "") for event in due]
        heads = [_head(self.announcer.block(one, event.recorded_at)) for one, event in zip(told, due, strict=True)]
        stand: set[int] = set()
        frontier = ends = 0
        ended_at = datetime.min.replace(tzinfo=UTC)
        for one in said:
            yield from self._form(one)
            blocks = _blocks(one)
            where = _candidates(heads, _head(blocks[0]), frontier)
            if not where:
                yield Finding(f"the robot of {one.contract}", f"it says what is not its to say: {blocks[0]!r}")
                continue
            runs = {begins: range(begins, min(begins + len(blocks), len(due))) for begins in where}
            fitting = (begins for begins, run in runs.items() if self._says(blocks, [told[n] for n in run], one.at))
            begins = next(fitting, where[0])
            run = runs[begins]
            yield from self._words(one, [due[n] for n in run], [told[n] for n in run])
            about = due[begins]
            if begins > frontier:
                before = due[frontier]
                yield Finding(about.complaint, f"{_the(about)} was said before {_the(before)} of {before.complaint}")
            if begins == ends and one.at - ended_at < PACE:
                yield Finding(about.complaint, f"{_the(about)} was said within {PACE.seconds} seconds of a message")
            if one.taken:
                self.copies.extend(due[n].id for n in run if n in stand)
                stand.update(run)
                ends, ended_at = run.stop, one.at
                frontier = next(n for n in range(frontier, len(due) + 1) if n not in stand)
        for event in (event for number, event in enumerate(due) if number not in stand):
            self.lost.append(event.id)
            yield Finding(event.complaint, f"{_the(event)}, {event.type}, was never said by a robot")

    def _form(self, one: Said) -> Iterator[Finding]:
        """Signed, short enough, and nothing in it that somebody wrote."""
        about = f"the robot of {one.contract}"
        if not one.signed:
            yield Finding(about, f"a message was not signed for it: {one.text!r}")
        if not one.fits:
            yield Finding(about, f"a message is longer than it takes: {one.text[:200]!r}")
        for word in self.words:
            if word in one.title or word in one.text:
                yield Finding(about, f"it repeats what somebody wrote, {word!r}: {one.text!r}")

    def _words(self, one: Said, run: Sequence[Event], told: Sequence[Told]) -> Iterator[Finding]:
        """Each event in the words that are its own at the moment, with the name of its complaint, and no more."""
        blocks = _blocks(one)
        for event, block in zip(run, blocks, strict=False):
            if event.reference not in block:
                yield Finding(event.complaint, f"{_the(event)} is said without its complaint: {block!r}")
        if not self._says(blocks, told, one.at):
            there = zip(run, told, blocks, strict=False)
            wrong = (line for line in there if not self._is(line[2], line[1], one.at))
            event, words, block = next(wrong, (run[-1], None, blocks[-1]))
            follows = self.announcer.block(words, one.at) if words else "no more"
            yield Finding(event.complaint, f"{_the(event)} is said as {block!r} where {follows!r} follows")
        title = self.announcer.title(told)
        heading = [HEADING + title] if len(blocks) > 1 and one.format != "feishu" else []
        titled = one.format == "wecom" or one.title == title
        if not titled or one.text != GAP.join([*heading, *blocks]):
            yield Finding(run[0].complaint, f"a message is entitled {one.title or one.text[:80]!r} and not {title!r}")

    def _says(self, blocks: Sequence[str], told: Sequence[Told], heard_at: datetime) -> bool:
        """Whether this is what these events were called when the message was made: a moment before it was heard."""
        return len(blocks) == len(told) and all(
            self._is(block, event, heard_at) for event, block in zip(told, blocks, strict=True)
        )

    def _is(self, block: str, told: Told, heard_at: datetime) -> bool:
        """Whether this event was called so a moment before; what is said of time is in whole seconds."""
        moments = (heard_at - timedelta(seconds=seconds) for seconds in range(PATIENCE))
        return any(self.announcer.block(told, now) == block for now in moments)


def _blocks(one: Said) -> list[str]:
    """What it says of each event, without the heading of a crowd."""
    blocks = one.text.split(GAP)
    return blocks[1:] if len(blocks) > 1 and blocks[0].startswith(HEADING) else blocks


def _head(block: str) -> str:
    """What it says of an event whenever it says it: what happened, by which clause, and to which complaint."""
    return BREAK.join(block.split(BREAK)[:2])


def _candidates(heads: Sequence[str], head: str, frontier: int) -> list[int]:
    """Where a message that begins so may begin: with what is next, what was there before, or what comes only later."""
    found = [number for number, other in enumerate(heads) if other == head]
    return sorted(found, key=lambda number: (number > frontier, abs(number - frontier)))


def _the(event: Event) -> str:
    return f"the event of entry {event.seq}"
