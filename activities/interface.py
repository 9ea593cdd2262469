"""What a workflow says to its activities and hears from them: names and values only, nothing that does I/O."""

from __future__ import annotations

from typing import Any, Literal

from rules.circular import Circular
from rules.commands import OpenComplaint
from rules.contract import Stage
from rules.ledger import Entry
from rules.values import Instant, Value
from wire.packing import Packed

OPEN = "open"
REJECT = "reject"
RECORD = "record"
LOAD = "load"
REVIVE = "revive"
DELIVER = "deliver"
LOOK = "look"
DISPATCH = "dispatch"
SWEEP = "erase_what_is_due"
FORGET = "forget_what_was_erased"
ASK = "ask"

POST = "Post"
"""The workflow that delivers what waits for one person; `post_id` is its id."""
POKE = "poke"
"""Signal to a Post: something may wait for its person; its argument is true when that is urgent."""
WEBHOOK = "Webhook"
"""The workflow that sends events to one subscription; `webhook_id` is its id, and POKE its signal too: something may
have been recorded; with true it tries at once, however long it would still wait."""
OUTCOME = "notice_outcome"
"""Signal to a complaint with one `rules.notices.Outcome`: what became of a notice."""


RETENTION = "Retention"
"""The workflow that erases what its contract keeps no longer; `retention_id` is its id."""
RENEW = "renew"
"""Signal to a complaint: go on in a new run, once all is recorded. The history until then can be deleted."""
COMPARE = "compare"
"""Signal to a complaint: compare with the ledger and go on from there, judge what the time has brought, and show it
all anew. Where nothing is wrong it changes nothing."""


def complaint_id(contract: str, reference: str) -> str:
    """The workflow id of a complaint."""
    return f"complaint/{contract}/{reference}"


def post_id(person: str, channel: str = "email") -> str:
    """The workflow id of what delivers to a person over a channel."""
    return f"post/{channel}/{person}"


def webhook_id(webhook: str) -> str:
    """The workflow id of what sends events to a subscription."""
    return f"webhook/{webhook}"


def mails_queue(task_queue: str) -> str:
    """The task queue of the talks with mail servers: slow ones keep no place from records."""
    return f"{task_queue}/mails"


def webhooks_queue(task_queue: str) -> str:
    """The task queue of the calls to subscribers: slow ones keep no place from records and mails."""
    return f"{task_queue}/webhooks"


def retention_id(task_queue: str) -> str:
    """The workflow id of the sweep, one for each Ombud that shares a namespace with others."""
    return f"retention/{task_queue}"


class Opening(Value):
    """The first step of a complaint (invariant 17)."""

    start: OpenComplaint
    digest: str
    """SHA-256 of the start: the same reference with another digest is a conflict."""
    first_run: str
    """The id of the first run of this workflow execution chain; the same run may open it again."""
    recorded_at: Instant


class Registered(Value):
    """Whether this is a new complaint, and the contract version that it is pinned to."""

    standing: Literal["new", "duplicate", "conflict", "unknown contract", "refused"]
    message: str = ""
    """For anything but new: what to do."""
    version: str = ""
    """SHA-256 of the contract version in force at receipt."""
    contract: dict[str, Any] | None = None
    """The contract itself, with the calendar's years from receipt on: makes a replay self-contained."""


class Rejected(Value):
    """A start that cannot become a complaint: a row in the rejects (invariant 17)."""

    workflow_id: str
    first_run: str
    """A registration made by this run is taken back, so that a corrected start can have the reference."""
    reason: str
    recorded_at: Instant
    contract: str = ""
    reference: str = ""


class Batch(Value):
    """Entries of one complaint to be recorded, in one transaction, with the texts that belong to them."""

    complaint: str
    """`contract/reference`; its ledger stream is `complaint/` before it."""
    version: str
    stage: Stage
    """Where the complaint stands after these entries: the one thing a projection cannot tell without the contract."""
    entries: tuple[Entry, ...]
    texts: dict[int, dict[str, str]] = {}
    """Entry sequence to field to text; goes to the content table, encrypted."""


class Recorded(Value):
    """The batch stands in Postgres, or another entry already stands at one of its sequences."""

    diverged: bool = False
    nobody: tuple[str, ...] = ()
    """Keys of notices behind whose role nobody stands: undeliverable at once (invariant 13)."""
    why: dict[str, str] = {}
    """By key, for each of them: whether nobody holds the role, or nobody of its holders is on duty."""
    at: Instant | None = None
    """When that was done, by the worker's clock."""


class Opened(Value, Packed):
    """What became of an opening or a revival."""

    registered: Registered
    entries: tuple[Entry, ...] = ()
    """What stands on record of the complaint: how it began; of one that is revived, all of it."""
    recorded: Recorded = Recorded()


class Delivered(Value):
    """What one round of delivery did for a person."""

    sent: int = 0
    """Messages accepted by the mail server in this round."""
    waiting: int = 0
    """Notices that still wait, and one for a message that was left behind: another round is needed."""
    hold_seconds: float = 0
    """Until what waits may leave: it gathers, since the person had a mail just now and nothing of it is urgent, or its
    provider takes no more mails for now. When nothing waits yet: until the person's next shift, for which something
    does."""
    quiet_seconds: float = 0
    """What gathers leaves once nothing more has come for so long: after `hold_seconds` a look (LOOK) tells. 0 when it
    waits for something else."""
    wakes: bool = False
    """Whether a poke ends that time: what gathers may leave once all clocks that were due have been judged."""
    message: str = ""
    """The message that came to its end in this round, and its entries: should Postgres lose them, they stand here."""
    entries: tuple[Entry, ...] = ()


class Dispatched(Value):
    """What one round did for a subscription."""

    sent: int = 0
    """Events that its receiver took in this round."""
    waiting: bool = False
    """More may be there: another round is needed."""
    hold_seconds: float = 0
    """Until then: a group robot takes so many messages a minute, and what comes meanwhile gathers."""


class Stream(Value):
    """Whose ledger to load."""

    complaint: str


class Ledger(Value, Packed):
    """A complaint's entries, in order."""

    entries: tuple[Entry, ...]


class Revival(Value):
    """The start of a complaint that lives on from its ledger: `{"revive": "contract/reference"}`."""

    revive: str


class Swept(Value):
    """One batch of a sweep, and the whole of it when added up."""

    erased: int = 0
    held: int = 0
    """Due and left alone, since a hold keeps them."""
    forgotten: int = 0
    """Erased complaints whose histories Temporal was told to delete."""
    cursor: tuple[str, Instant, str] | None = None
    """Contract, closing and complaint to go on behind; nothing when the sweep is done."""
    behind: str = ""
    """The same of what was erased before and is to be forgotten."""

    def plus(self, batch: Swept) -> Swept:
        """What both did, as far as the later one came."""
        return Swept(
            erased=self.erased + batch.erased,
            held=self.held + batch.held,
            forgotten=self.forgotten + batch.forgotten,
            cursor=batch.cursor,
            behind=batch.behind,
        )


class Question(Value):
    """What one complaint asks of another."""

    complaint: str
    """The one asked, `contract/reference`."""
    command: str
    """A command of `rules.commands.BETWEEN`."""
    body: dict[str, Any]
    key: str
    also_when_closed: bool = False
    """Whether one that has ended is run again to answer."""


class Answer(Value):
    """The other agreed, unless it says why not."""

    refusal: str = ""


ADDRESS = "address"
SEND = "send"
FINISH = "finish"


def circular_id(id_: str) -> str:
    """The workflow id of a circular."""
    return f"circular/{id_}"


class Addressing(Value):
    """The first step of a circular: who is told."""

    id: str
    circular: Circular
    digest: str
    """SHA-256 of the start: the same id with other content is a conflict."""
    sent_at: Instant


class Addressed(Value):
    """To how many complaints a circular goes, or why it goes to none."""

    refusal: str = ""
    sent_at: Instant | None = None
    """When it was sent first: a second start says the same of the same time."""
    complaints: int = 0
    language: str = "en"


class Sending(Value):
    """A round of sending: the letters behind `after` that have no answer yet, as many as one round takes."""

    id: str
    command: str
    body: dict[str, Any]
    after: str = ""


class Counts(Value):
    """How far a circular has come."""

    complaints: int = 0
    taken: int = 0
    refused: int = 0
    gone: int = 0

    @property
    def open(self) -> int:
        """Complaints that have not answered."""
        return self.complaints - self.taken - self.refused - self.gone


class Sent(Value):
    """What a round of sending came to."""

    counts: Counts
    last: str = ""
    """The last complaint of this round; nothing when there was none left."""


class Unmoved(Value):
    """A complaint that did not take the command, and why."""

    complaint: str
    outcome: str
    reason: str


class Finished(Value):
    """A circular at its end: counts, and the first of those that did not take it. All of them stand in Postgres."""

    counts: Counts
    unmoved: tuple[Unmoved, ...] = ()
