"""What is on record for those outside, in the one order in which every subscription hears of it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from faults.judge import Finding
from rules.events import TELLS_ABOUT, Event, event_of
from rules.ledger import Entry


@dataclass(frozen=True)
class Feed:
    """The events of all ledgers."""

    ledgers: Mapping[str, Sequence[Entry]]
    """What is on record, by complaint."""
    positions: Mapping[tuple[str, int], int]
    """Where each entry of a complaint stands in the feed."""

    @cached_property
    def events(self) -> list[Event]:
        """All of them, in the order of each ledger."""
        found: list[Event] = []
        for complaint, entries in self.ledgers.items():
            about = [entry for entry in entries if entry.type in TELLS_ABOUT]
            found += [event for entry in entries if (event := event_of(complaint, entry, about)) is not None]
        return found

    def position(self, event: Event) -> int:
        """Where it stands in the feed; 0 where it has no place."""
        return self.positions.get((event.complaint, event.seq), 0)

    def of(self, contract: str, types: Collection[str], *, quiet: bool) -> list[Event]:
        """What a subscription to these types hears of one contract, in its order; with the `quiet` ones or without."""
        heard = [one for one in self.events if one.contract == contract and one.type in types]
        return sorted((one for one in heard if quiet or not one.quiet), key=self.position)

    def findings(self) -> Iterator[Finding]:
        """Events without a place, and those that stand before what came before them in their ledger."""
        latest: dict[str, int] = {}
        for event in self.events:
            at = self.position(event)
            if not at:
                yield Finding(event.complaint, f"the event of entry {event.seq} has no place in the feed")
            elif at <= latest.get(event.complaint, 0):
                yield Finding(event.complaint, f"the event of entry {event.seq} stands before earlier ones in the feed")
            latest[event.complaint] = max(at, latest.get(event.complaint, 0))
