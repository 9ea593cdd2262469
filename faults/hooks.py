"""The judge of webhooks: what the ledgers hold for others, and what a receiver heard. Pure: values in, findings out."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from activities import cloudevents
from faults.judge import Finding
from faults.receiver import Heard
from rules.events import TELLS_ABOUT, Event, event_of
from rules.ledger import Entry


@dataclass(frozen=True)
class Hooks:
    """All that is known of events after a run."""

    ledgers: Mapping[str, Sequence[Entry]]
    """What is on record, by complaint."""
    heard: Sequence[Heard]
    """Every call, in order, whatever it was answered."""
    lost: list[str] = field(default_factory=list)

    @property
    def events(self) -> dict[str, Event]:
        """What everybody had to hear of, by id, in the order of each ledger."""
        found: dict[str, Event] = {}
        for complaint, entries in self.ledgers.items():
            about = [entry for entry in entries if entry.type in TELLS_ABOUT]
            events = (event_of(complaint, entry, about) for entry in entries)
            found |= {event.id: event for event in events if event is not None}
        return found

    @property
    def copies(self) -> int:
        """Events taken that had been taken before."""
        taken = [call.id for call in self.heard if call.taken]
        return len(taken) - len(set(taken))

    def findings(self) -> Iterator[Finding]:
        """Every event that was lost, told out of order, to the wrong receiver, unsigned or in other words than the
        ledger's; and every copy that differs."""
        events = self.events
        yield from self._calls(events)
        yield from self._order(events)

    def _calls(self, events: Mapping[str, Event]) -> Iterator[Finding]:
        """Each call says what the ledger has, and each copy of it the same bytes."""
        bodies: dict[str, set[bytes]] = defaultdict(set)
        for call in self.heard:
            event = events.get(call.id)
            if event is None:
                yield Finding(call.contract, f"the event {call.id} stands in no ledger")
                continue
            what = f"the event of entry {event.seq}"
            if not call.signed:
                yield Finding(event.complaint, f"{what} was not signed")
            if call.contract != event.contract:
                yield Finding(event.complaint, f"{what} went to the receiver of {call.contract}")
            if call.body not in bodies[call.id] and not _says(call.body, event):
                yield Finding(event.complaint, f"{what} says something else than the ledger: {call.body!r}")
            bodies[call.id].add(call.body)
        for id_, contents in bodies.items():
            if len(contents) > 1:
                event = events[id_]
                yield Finding(event.complaint, f"the event of entry {event.seq} was sent with {len(contents)} contents")

    def _order(self, events: Mapping[str, Event]) -> Iterator[Finding]:
        """Each event was taken, and for the first time behind those before it in its ledger."""
        first = {call.id: at for at, call in reversed(list(enumerate(self.heard))) if call.taken}
        latest: dict[str, tuple[int, Event]] = {}
        for event in events.values():
            if event.id not in first:
                self.lost.append(event.id)
                yield Finding(event.complaint, f"the event {event.type} of entry {event.seq} never arrived")
                continue
            before = latest.get(event.complaint)
            if before and before[0] > first[event.id]:
                yield Finding(event.complaint, f"the event of entry {event.seq} came before that of {before[1].seq}")
            latest[event.complaint] = max(before or (-1, event), (first[event.id], event), key=lambda one: one[0])


def _says(body: bytes, event: Event) -> bool:
    """Whether it is this event, byte for byte; where it stands in the feed is its own."""
    try:
        position = json.loads(body)["data"]["position"]
    except (ValueError, KeyError, TypeError):
        return False
    return isinstance(position, int) and cloudevents.body(event, position) == body
