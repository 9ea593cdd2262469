"""The judge of receivers that leave: what they were told before, that it ended with their 410, and that it ended for
nobody else. Pure: values in, findings out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from activities import cloudevents
from faults.feed import Feed
from faults.judge import Finding
from faults.leaving import GONE, PATH, Asked
from rules.events import EVENTS, Event
from rules.ledger import Entry
from rules.values import SYSTEM

UNDER_WAY = timedelta(seconds=15)
"""How long one call may last, from the reading of what is next to the end of the answer."""


class Subscription(NamedTuple):
    """A subscription as it stands at the end."""

    path: str
    """Of its address: the contract, and what kind of receiver it is where it is no plain one."""
    state: str
    paused_why: str | None
    position: int
    entries: Sequence[Entry]
    """Its ledger."""
    committed_at: Sequence[datetime]
    """When each of these was committed."""
    stuck: str | None
    """Why people see it among what is stuck."""


@dataclass(frozen=True)
class Farewells:
    """All that is known of receivers that leave after a run."""

    feed: Feed
    contracts: Sequence[str]
    """Those with such a receiver."""
    asked: Sequence[Asked]
    """Every call to one, in order."""
    subscriptions: Sequence[Subscription]
    outages: Sequence[datetime]
    """When a worker, Temporal or Postgres was killed."""
    copies: list[str] = field(default_factory=list)
    """Events taken that had been taken before, once for each time."""

    @property
    def gone(self) -> int:
        """Receivers that left."""
        return len({one.contract for one in self.asked if one.answer == GONE})

    @property
    def again(self) -> int:
        """Calls behind somebody's first 410."""
        return sum(one.answer == GONE for one in self.asked) - self.gone

    def findings(self) -> Iterator[Finding]:
        """Every event that was lost or out of order before a receiver left, every call behind its 410 that nothing
        explains, and every subscription that does not stand as it must."""
        for contract in self.contracts:
            calls = [one for one in self.asked if one.contract == contract]
            yield from self._leaver(contract, calls)
        for one in self.subscriptions:
            if not one.path.endswith(f"/{PATH}"):
                yield from _undisturbed(one)

    def _leaver(self, contract: str, calls: Sequence[Asked]) -> Iterator[Finding]:
        about = f"the leaving receiver of {contract}"
        events = self.feed.of(contract, EVENTS, quiet=True)
        refused = [one for one in calls if one.answer == GONE]
        frontier, said = self._taken(events, calls)
        yield from (Finding(about, line) for line in said)
        if not refused:
            yield Finding(about, "it never said 410")
            return
        numbers = {event.id: number for number, event in enumerate(events)}
        last = {numbers.get(one.id, -1) for one in refused}
        if len(last) > 1 or not last <= {frontier, frontier - 1}:
            yield Finding(about, f"it said 410 to {sorted({one.id for one in refused})}, and not to what was next")
            return
        yield from (Finding(about, line) for line in self._explained(refused))
        own = [one for one in self.subscriptions if one.path == f"{contract}/{PATH}"]
        if len(own) != 1:
            yield Finding(about, f"it has {len(own)} subscriptions")
            return
        yield from (Finding(about, line) for line in _record(own[0], refused))
        yield from (Finding(about, line) for line in self._cursor(own[0], events, last.pop()))

    def _taken(self, events: Sequence[Event], calls: Sequence[Asked]) -> tuple[int, list[str]]:
        """How many events were taken without a gap, and what is wrong with calls."""
        numbers = {event.id: number for number, event in enumerate(events)}
        frontier, problems = 0, []
        for one in calls:
            number = numbers.get(one.id)
            if number is None:
                problems.append(f"it was told {one.id}, which stands in no ledger of its contract")
                continue
            event = events[number]
            if not one.signed:
                problems.append(f"{_the(event)} was not signed")
            if cloudevents.body(event, self.feed.position(event)) != one.body:
                problems.append(f"{_the(event)} says something else than the ledger: {one.body!r}")
            if number > frontier:
                problems.append(f"{_the(event)} came before {_the(events[frontier])}")
            if one.answer == GONE:
                continue
            self.copies.extend([one.id] if number < frontier else [])
            frontier = max(frontier, number + 1)
        return frontier, problems

    def _explained(self, refused: Sequence[Asked]) -> Iterator[str]:
        """A further call behind a 410 must come of an outage: what the 410 meant was not on record when it struck."""
        for one, other in pairwise(refused):
            if not any(one.at - UNDER_WAY <= outage <= other.at for outage in self.outages):
                yield f"it was asked again at {other.at.isoformat()}, and nothing had failed since its 410"

    def _cursor(self, own: Subscription, events: Sequence[Event], refused: int) -> Iterator[str]:
        """What it did not take is what it hears first, should it come back."""
        before = self.feed.position(events[refused - 1]) if refused > 0 else 0
        if not before <= own.position < self.feed.position(events[refused]):
            yield f"its subscription has come to {own.position}, and not to just before what it did not take"


def _record(own: Subscription, refused: Sequence[Asked]) -> Iterator[str]:
    """It is paused since it is gone: once, by Ombud, after the first 410, and where people look; then nothing came."""
    types = [entry.type for entry in own.entries]
    if (own.state, own.paused_why) != ("paused", "gone"):
        yield f"its subscription is {own.state} ({own.paused_why}), and not paused as gone"
    if own.stuck is None or str(GONE) not in own.stuck:
        yield "its subscription does not stand among what is stuck"
    if types != ["subscribed", "paused"]:
        yield f"its subscription has {types} on record"
        return
    paused, committed_at = own.entries[1], own.committed_at[1]
    if paused.data != {"why": "gone"} or paused.by != SYSTEM:
        yield f"its subscription was paused by {paused.by.role} with {paused.data}"
    if paused.recorded_at < refused[0].at:
        yield "its subscription was paused before it said 410"
    if any(one.at > committed_at + UNDER_WAY for one in refused):
        yield f"it was asked after its subscription was paused at {committed_at.isoformat()}"


def _undisturbed(one: Subscription) -> Iterator[Finding]:
    """It goes on, and nobody has done anything to it."""
    types = [entry.type for entry in one.entries]
    if one.state != "active" or types != ["subscribed"] or one.stuck is not None:
        yield Finding(f"the subscription of {one.path}", f"it is {one.state}, with {types} on record, and was to go on")


def _the(event: Event) -> str:
    return f"the event of entry {event.seq} of {event.complaint}"
