"""What is derived from the ledger, by `storage.projector` and by nothing else."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from storage.tables.columns import EARLIEST, MERGE, SUM, WORKING, Time, listed, metadata, needed, objects

complaints = Table(
    "complaints",
    metadata,
    Column("id", Text, primary_key=True, comment="contract/reference"),
    needed("contract"),
    needed("reference"),
    needed("version", comment="of the contract, pinned at receipt"),
    needed("seq", Integer, comment="its latest ledger entry"),
    needed("kind"),
    Column("category", Text),
    Column("level", Text),
    Column("grade", Text, comment="the customer's"),
    needed("channel"),
    Column("language", Text),
    needed("stage"),
    Column("owner", Text, comment="person; NULL until assigned"),
    needed("route", comment="role that handles it until a person owns it"),
    Column("complainant", Text, comment="the backend's own id"),
    Column("against", Text, comment="who may have nothing to do with it (rule 37): ids, separated by spaces"),
    Column("incident", Text),
    Column("follows", Text),
    Column("raised_at", Time, comment="when the customer first spoke"),
    needed("received_at", Time, comment="day 0 of its clocks"),
    needed("recorded_at", Time, comment="when Ombud learned of it"),
    Column("resolved_at", Time),
    Column("outcome", Text, comment="upheld, partly or not_upheld"),
    Column(
        "rejections",
        Integer,
        nullable=False,
        server_default=text("0"),
        comment="how often the customer rejected the result",
        info={MERGE: SUM},
    ),
    Column("closed_at", Time),
    Column("closed_reason", Text),
    Column("merged_into", Text, comment="reference of the complaint that goes on in its place"),
    Column(
        "reopenings",
        Integer,
        nullable=False,
        server_default=text("0"),
        comment="how often it was reopened after it had closed",
        info={MERGE: SUM},
    ),
    needed("history", Boolean, comment="an old case brought in for the record: nobody was told"),
    objects("calendar", "years re-planned while it was open: the entry that brought them, and what their days are"),
    objects("flags", "what is odd about it, by the sequence of the entry that says so"),
    Column("erased_at", Time, comment="since then nobody can read what the customer said"),
    Column("erased_why", Text, comment="request or retention"),
    Column("forgotten_at", Time, comment="when Temporal's histories of an erased complaint were deleted, too"),
    Index(None, "contract", "received_at"),
    Index(None, "received_at", "id"),
    Index("complaints_open_idx", "contract", "stage", postgresql_where=text("closed_at IS NULL")),
    comment="one row a complaint, as it stands now",
)

# States follow from times, so that none depends on the order in which entries of several streams arrive.
_CLOCK_STATUS = (
    "CASE WHEN ended_at IS NOT NULL THEN 'ended' WHEN missed_at IS NOT NULL AND lifted_at IS NULL THEN 'missed' "
    "WHEN done_at IS NOT NULL THEN 'met' ELSE 'running' END"
)

clocks = Table(
    "clocks",
    metadata,
    needed("complaint"),
    needed("obligation"),
    needed("n", Integer, comment="armed for the n-th time"),
    needed("clause"),
    Column(
        "status",
        Text,
        Computed(_CLOCK_STATUS, persisted=True),
        nullable=False,
        comment="running, met, missed or ended; ended clocks count in no rate",
    ),
    needed("started_at", Time),
    needed("known_at", Time, comment="when Ombud learned that it runs"),
    needed("due_at", Time),
    needed("provisional", Boolean, comment="counted through a year whose holidays nobody has published yet"),
    Column("missed_at", Time, comment="its due time, once missed; never taken back"),
    Column("detected_at", Time, comment="when the miss was recorded"),
    Column("refuted_at", Time, comment="when a timely act was reported after all"),
    Column("paused_at", Time, comment="since when it stands still, waiting for a party that it pauses for"),
    Column("gross_seconds", Integer, comment="of its own unit, when it was over; a working day has 86,400"),
    Column("net_seconds", Integer, comment="gross without the time that other parties took"),
    Column("waited", JSONB, comment="seconds of its own unit that each other party took"),
    Column("found_by", Text, comment="of a miss: correction or calendar, when only that brought it to light"),
    Column("lifted_at", Time, comment="when its miss fell away because its due moved or its start was none"),
    Column(
        "report", Text, comment="of a refuted miss: unconfirmed, confirmed (it counts no more), not_agreed, not_counted"
    ),
    Column("lag_seconds", Integer, comment="how long after it was done Ombud learned of it"),
    Column("done_at", Time, comment="when what it asks for was done, in time or late"),
    Column("late_seconds", Integer, comment="done_at behind due_at, on the wall clock"),
    Column("end_reason", Text),
    Column("ended_at", Time),
    Column("parts", JSONB, comment="each act that met it, and when"),
    needed("explanation", JSONB, comment="how its due time was counted"),
    needed("ladder", JSONB, comment="its rungs and their instants as planned"),
    Column(
        "replans",
        Integer,
        nullable=False,
        server_default=text("0"),
        comment="how often its due was counted anew; each is in the ledger with the old one",
        info={MERGE: SUM},
    ),
    objects("reached", "rungs reached: at, recorded_at, and why nobody was told where nobody was"),
    PrimaryKeyConstraint("complaint", "obligation", "n"),
    Index("clocks_running_idx", "due_at", postgresql_where=text("status = 'running'")),
    Index("clocks_open_idx", "complaint", "due_at", postgresql_where=text("done_at IS NULL AND ended_at IS NULL")),
    Index("clocks_missed_idx", "missed_at", postgresql_where=text("missed_at IS NOT NULL")),
    comment="one row an obligation armed for a complaint",
)

# What tells of an act and found nobody on duty still waits for somebody to come.
_WAITING = text("claimed_at IS NULL AND acknowledged_at IS NULL AND (undeliverable_at IS NULL OR command IS NOT NULL)")

_NOTICE_STATE = (
    "CASE WHEN acknowledged_at IS NOT NULL THEN 'acknowledged' "
    "WHEN bounced_at IS NOT NULL AND coalesce(failed_at > retried_at, true) THEN 'bounced' "
    "WHEN undeliverable_at IS NOT NULL AND coalesce(accepted_at <= undeliverable_at, true) "
    "AND (given_up_at IS NOT NULL OR coalesce(failed_at > retried_at, true)) THEN 'undeliverable' "
    "WHEN delivered_at IS NOT NULL THEN 'delivered' WHEN accepted_at IS NOT NULL THEN 'accepted' "
    "WHEN claimed_at IS NOT NULL THEN 'claimed' ELSE 'planned' END"
)

notices = Table(
    "notices",
    metadata,
    Column("key", Text, primary_key=True, comment="complaint, clock and rung or act, role: claimed at most once"),
    needed("complaint"),
    needed("contract"),
    needed("seq", Integer, comment="the ledger entry it tells of"),
    Column("clock", Text, comment="obligation#n, when it tells of a rung"),
    Column("rung", Text),
    Column("command", Text, comment="when it tells of an act"),
    needed("role"),
    needed("urgent", Boolean),
    Column("crowd", Text, comment="told once for all cases of an incident: contract/incident/obligation@rung/role"),
    Column(
        "joined",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="its message had told its crowd already; no mail was sent for it",
    ),
    Column(
        "covered",
        Integer,
        info=WORKING,
        comment="the answer of its crowd that its complaint was told of, by its entry in the message's stream",
    ),
    Column("state", Text, Computed(_NOTICE_STATE, persisted=True), nullable=False),
    needed("occurred_at", Time, comment="when what it tells of happened"),
    needed("planned_at", Time, comment="when that was recorded"),
    Column("message", Text, comment="the message that carries it"),
    Column("person", Text, comment="who stood behind the role when it was claimed"),
    Column("claimed_at", Time),
    Column("accepted_at", Time, comment="the recipient's server took it; not yet delivered"),
    Column("delivered_at", Time, comment="it lay in the recipient's mailbox, says a report of their server"),
    # Its message and its complaint both say so, in either order.
    Column(
        "undeliverable_at",
        Time,
        info={MERGE: EARLIEST},
        comment="nobody was on duty, or the server refused it; what tells of an act may be accepted later",
    ),
    Column("bounced_at", Time, info={MERGE: EARLIEST}, comment="it came back after it was accepted"),
    Column("reason", Text, comment="why the complaint was told that it is undeliverable"),
    Column("failed_at", Time, comment="when its message last was undeliverable or came back"),
    Column("retried_at", Time, comment="when its message was last set to be sent once more; a failure before is over"),
    Column("given_up_at", Time, comment="since then nobody tries to deliver it; why lies in content"),
    Column("acknowledged_at", Time),
    Column("acknowledged_by", Text, comment="person, else role"),
    Column("follow", Text, comment="taken_over, passed or noted"),
    Column("until", Time, comment="taken over until then"),
    Index("notices_waiting_idx", "contract", "role", postgresql_where=_WAITING),
    Index("notices_crowd_idx", "crowd", postgresql_where=text("crowd IS NOT NULL")),
    Index(None, "complaint"),
    Index(None, "message", postgresql_where=text("message IS NOT NULL")),
    Index("notices_undeliverable_idx", "undeliverable_at", postgresql_where=text("undeliverable_at IS NOT NULL")),
    comment="what one role is told about one rung or act",
)

_MESSAGE_STATE = (
    "CASE WHEN bounced_at IS NOT NULL THEN 'bounced' WHEN undeliverable_at IS NOT NULL THEN 'undeliverable' "
    "WHEN delivered_at IS NOT NULL THEN 'delivered' WHEN accepted_at IS NOT NULL THEN 'accepted' ELSE 'claimed' END"
)

messages = Table(
    "messages",
    metadata,
    Column("id", Text, primary_key=True, comment="SHA-256 over the keys of its notices; left part of the Message-ID"),
    needed("person"),
    needed("channel"),
    needed("language"),
    Column("state", Text, Computed(_MESSAGE_STATE, persisted=True), nullable=False),
    needed("claimed_at", Time),
    Column("accepted_at", Time),
    Column("reply", Text, comment="of the server that accepted it"),
    Column("delivered_at", Time, comment="it lay in the mailbox, says a report, kept in content like the mail"),
    Column("bounced_at", Time, comment="it came back after it was accepted; undeliverable since then"),
    Column("undeliverable_at", Time),
    Column("reason", Text),
    Column("attempts", Integer, nullable=False, server_default=text("0"), info=WORKING),
    Column("tried_at", Time, info=WORKING, comment="the latest attempt"),
    Column("last_error", Text, info=WORKING),
    Column(
        "untold",
        Boolean,
        nullable=False,
        server_default=text("false"),
        info=WORKING,
        comment="complaints still have to hear what became of it",
    ),
    Index(None, "person", "accepted_at"),
    Index("messages_untold_idx", "person", postgresql_where=text("untold")),
    Index(
        "messages_waiting_idx",
        "person",
        postgresql_where=text("accepted_at IS NULL AND undeliverable_at IS NULL"),
    ),
    comment="one mail that carries one or more notices; as sent it lies in content, field mail",
)

survey_answers = Table(
    "survey_answers",
    metadata,
    needed("complaint"),
    needed("contract"),
    needed("seq", Integer, comment="the ledger entry that answers; words lie in content under it"),
    needed("question"),
    needed("about", comment="product, service or after_sales"),
    Column("option", Text, comment="the one chosen; NULL where words were given"),
    Column("score", Numeric(5, 2), comment="what the option counts, by the contract version of the complaint"),
    needed("dissatisfied", Boolean),
    needed("answered_at", Time),
    PrimaryKeyConstraint("complaint", "seq", "question"),
    Index(None, "contract", "question", "answered_at"),
    comment="one row a question that a customer answered",
)

_WEBHOOK_STATE = (
    "CASE WHEN removed_at IS NOT NULL THEN 'removed' WHEN paused_at IS NOT NULL THEN 'paused' ELSE 'active' END"
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("contract", Text, comment="whose complaints it hears of; NULL for all"),
    needed("format", comment="cloudevents, wecom, dingtalk or feishu"),
    listed("events", "the types of events it hears of"),
    needed("origin", comment="scheme, host and port; the whole address may be a secret and lies in content, field url"),
    Column("state", Text, Computed(_WEBHOOK_STATE, persisted=True), nullable=False),
    needed("since", BigInteger, comment="position in the feed behind which it hears"),
    needed("created_at", Time),
    Column("old_secret_until", Time, comment="so long the secret before the latest signs too"),
    Column("paused_at", Time),
    Column("paused_why", Text, comment="asked, or gone: its receiver said 410"),
    Column("removed_at", Time),
    comment="subscriptions of backends and group robots to what happens",
)

crowd_answers = Table(
    "crowd_answers",
    metadata,
    needed("message"),
    needed("seq", Integer, comment="the entry of the message's stream"),
    needed("crowd"),
    needed("role"),
    needed("person"),
    needed("answered_at", Time),
    needed("follow", comment="taken_over, passed or noted"),
    Column("until", Time, comment="taken over until then; what joins later is told anew"),
    Column("passed_to", Text, comment="the role it is passed to"),
    PrimaryKeyConstraint("message", "seq"),
    comment="answers that hold for every notice of a crowd, those that join later too",
)

holds = Table(
    "holds",
    metadata,
    needed("complaint"),
    needed(
        "n", Integer, comment="the entry that set it, in the stream privacy/<complaint>; its reason lies in content"
    ),
    needed("set_at", Time),
    needed("set_by", comment="person, else role"),
    Column("until", Time, comment="NULL until lifted"),
    Column("lifted_at", Time),
    Column("lifted_by", Text),
    PrimaryKeyConstraint("complaint", "n"),
    comment="complaints whose content must be kept: while one of its holds stands, nothing is erased",
)

links = Table(
    "links",
    metadata,
    needed("complaint"),
    needed("seq", Integer, comment="the ledger entry that says so"),
    needed("relation", comment="follows, duplicate_of, part_of or split_from: what this complaint is to the other"),
    needed("other", comment="contract/reference"),
    needed("merged", Boolean, comment="a duplicate that was merged, not only named one"),
    Column("undone_at", Time, comment="when the merge was undone or the link taken back"),
    PrimaryKeyConstraint("complaint", "seq"),
    Index(None, "other"),
    comment="which complaints belong together",
)

PROJECTIONS = (complaints, clocks, notices, messages, survey_answers, links, crowd_answers, webhooks, holds)
