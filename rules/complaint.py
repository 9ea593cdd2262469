"""The state of a complaint: facts, clocks and what was judged of them. `rules.fold` is the only way it changes."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from rules.calendar_years import Years
from rules.clock_record import Clock
from rules.contract import Kind
from rules.values import Instant, Level, Name, Reference, Value


class Episode(Value):
    """A stretch under one classification, and from when its clocks run."""

    seq: int
    kind: Kind
    category: str | None
    level: Level | None
    receipt_at: Instant
    """Start of clocks that start with receipt."""
    reached_at: Instant
    """Start of clocks that start when the level is reached."""
    recorded_at: Instant
    reason: str = ""
    """Why it was classified so; nothing for the classification at receipt."""


class Act(Value):
    """Something done, under the names by which obligations ask for it."""

    seq: int
    names: tuple[str, ...]
    at: Instant
    recorded_at: Instant
    proved: bool = False
    """Whether evidence came with it."""
    notice: str | None = None
    """The notice whose acceptance is this act; a later bounce takes it back (invariant 4)."""


class Acknowledgement(Value):
    """What a recipient said of a notice; the last one counts."""

    seq: int
    at: Instant
    until: Instant | None = None
    """Taken over until then."""


class NoticeState(Value):
    """What became of a notice, as far as a ladder must know."""

    key: str
    role: Name
    of: str
    """The command it tells of, or nothing for a rung."""
    clock: str = ""
    rung: str = ""
    round: int = 0
    """How often its clock's rungs had been set up again when it was planned."""
    crowd: str = ""
    """What it is told together with, where it is told once for all cases of an incident."""
    accepted: bool = False
    undeliverable_at: Instant | None = None
    acknowledged: tuple[Acknowledgement, ...] = ()


class Asked(Value):
    """A request to another party, and the entries of its answer; their times are those of the acts."""

    seq: int
    party: str
    role: Name
    due_at: Instant
    answered: int | None = None
    contested: int | None = None


class Demanded(Value):
    """What the principal demanded after a miss, and the entry of the latest answer (rule 46)."""

    seq: int
    answered: int | None = None


class Correction(Value):
    """What somebody says is right about an entry; it counts once a second person approves it (invariant 7)."""

    seq: int
    entry: int
    to: Instant | None
    """When it happened; nothing when it did not."""
    person: Name | Literal[""]
    approved: int | None = None
    """The entry of the approval."""


class CalendarChange(Value):
    """Years whose holidays became known, or changed, while the complaint was open (invariants 8, 9)."""

    seq: int
    at: Instant
    """When it was recorded."""
    why: str
    years: Years


class Closing(Value):
    """The case is over; what closed it, and for a merged one the complaint that goes on."""

    seq: int
    at: Instant
    reason: str
    act: int
    """The entry that it follows from, or is itself."""
    into: str | None = None


class Interlude(Value):
    """A time for which the case was closed, until something reopened it."""

    seq: int
    """The entry that reopened it."""
    since: Instant
    until: Instant
    reason: str

    @property
    def stands_still(self) -> bool:
        """Whether this time is nobody's. A closing that was a mistake stopped nothing: it never was."""
        return self.reason in {"withdrawal taken back", "customer wrote", "rejected"} and self.since < self.until


class Absorbed(Value):
    """A complaint merged into this one, with the receipt that it had."""

    seq: int
    complaint: Reference
    received_at: Instant


class Recusal(Value):
    """Somebody who may have nothing to do with the case (rule 37)."""

    seq: int
    person: Name


class Complaint(Value):
    """One case under one contract version. Also what a run hands to the next one, so it stays small."""

    contract: Name
    reference: Reference
    received_at: Instant
    recorded_at: Instant
    grade: str | None = None
    language: str | None = None
    channel: str = ""
    complainant: str | None = None
    needs: tuple[str, ...] = ()
    incident: str | None = None
    recusals: tuple[Recusal, ...] = ()
    history: bool = False
    owner: str | None = None
    seq: int = 0
    episodes: tuple[Episode, ...] = ()
    acts: tuple[Act, ...] = ()
    messages: tuple[Act, ...] = ()
    """What the customer wrote after the complaint itself."""
    clocks: tuple[Clock, ...] = ()
    notices: tuple[NoticeState, ...] = ()
    keys: dict[str, tuple[str, int]] = {}
    """Idempotency key: digest of its command, and the entry that records it."""
    rejections: tuple[int, ...] = ()
    interludes: tuple[Interlude, ...] = ()
    absorbed: tuple[Absorbed, ...] = ()
    own_receipt: Instant | None = None
    """Its own receipt, while that of an absorbed complaint counts."""
    followed: int = 0
    """Complaints that were opened to follow this one, since the customer wrote after its end."""
    corrections: tuple[Correction, ...] = ()
    requests: tuple[Asked, ...] = ()
    demands: tuple[Demanded, ...] = ()
    calendars: tuple[CalendarChange, ...] = ()
    closed: Closing | None = None

    @property
    def id(self) -> str:
        return f"{self.contract}/{self.reference}"

    @property
    def now_is(self) -> Episode:
        """The classification that holds now."""
        return self.episodes[-1]

    def clock(self, clock_id: str) -> Clock:
        """Raises StopIteration for an id that is not this complaint's."""
        return next(clock for clock in self.clocks if clock.id == clock_id)

    def act(self, seq: int) -> Act | None:
        """What was done by this entry; nothing when it was taken back."""
        return next((act for act in self.acts if act.seq == seq and act.notice is None), None)

    @property
    def against(self) -> tuple[str, ...]:
        """Everybody who may have nothing to do with it (rule 37)."""
        return tuple(dict.fromkeys(recusal.person for recusal in self.recusals))

    @property
    def reopened(self) -> tuple[int, ...]:
        """The entries by which the customer set the case back to work, in order."""
        wrote = (interlude.seq for interlude in self.interludes if interlude.reason == "customer wrote")
        return tuple(sorted((*self.rejections, *wrote)))

    def done(self, *names: str) -> list[Act]:
        """These acts since the customer last set the case back to work."""
        since = self.reopened[-1] if self.reopened else 0
        return [act for act in self.acts if act.seq > since and not set(names).isdisjoint(act.names)]

    def did(self, *names: str) -> bool:
        """Whether one of these acts happened since then."""
        return bool(self.done(*names))

    def last(self, *names: str) -> datetime | None:
        """When one of them last happened since then."""
        return max((act.at for act in self.done(*names)), default=None)
