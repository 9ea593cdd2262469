"""Every table in Postgres, and who may write it.

Three kinds stand side by side:

- **Sources**: `ledger`, `registry`, `contract_versions`, `content`. The database itself refuses to change or remove a
  row of them. `content_keys` is the one exception: destroying a key is erasure (invariant 19).
- **Projections**: `complaints`, `clocks`, `notices`, `messages`, `survey_answers`, `links`, `crowd_answers`, `webhooks`
  and `holds`. Derived from the ledger by `storage.projector` and by nothing else; `storage.rebuild` derives them again
  and compares. Columns marked `WORKING` are the exception: they say how a delivery is going, stand in no ledger and are
  not compared.
- **Working tables**: `people`, `holders` and `directory_version` (the directory, live), `rejects` (starts that cannot
  become a complaint), `mail_slots` and `mail_turns` (how many mails a provider was sent, and who waits for it),
  `ledger_feed` (all complaints' entries in one row), `webhook_cursors` (how far each webhook is), `circulars` and
  `letters` (commands to many complaints, and each one's answer), `used_links` (what acted once and acts no more),
  `tokens` (who may come in); `access_log`, which takes no change either.

A complaint's id is `contract/reference`. Streams of the ledger: `complaint/<contract>/<reference>`,
`message/<message id>`, `webhook/<webhook id>`, and `privacy/<contract>/<reference>` for holds and erasure, which go on
after the workflow has ended; content lies under the stream and sequence of the entry that refers to it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSON, JSONB

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)

WORKING = {"working": True}
"""`Column.info` of what says how a delivery is going: in no ledger, so a rebuild leaves it alone."""

MERGE = "merge"
"""Key in `Column.info`: how a change joins what the column holds. A column without it takes the change as it is."""
OBJECT, SUM, EARLIEST = "object", "sum", "earliest"

Time = DateTime(timezone=True)


def _needed(name: str, kind: Any = Text, **more: Any) -> Column[Any]:
    return Column(name, kind, nullable=False, **more)


def _objects(name: str, comment: str) -> Column[Any]:
    """A JSON object that entries add members to."""
    return Column(
        name, JSONB, nullable=False, server_default=text("'{}'::jsonb"), comment=comment, info={MERGE: OBJECT}
    )


def _list(name: str, comment: str) -> Column[Any]:
    return Column(name, JSONB, nullable=False, server_default=text("'[]'::jsonb"), comment=comment)


# --- sources --------------------------------------------------------------------------------------------------------

contract_versions = Table(
    "contract_versions",
    metadata,
    Column("version", Text, primary_key=True, comment="SHA-256 of contract, effective_from and body"),
    _needed("contract"),
    _needed("effective_from", Time, comment="complaints received from then on are pinned to it"),
    _needed("body", JSON, comment="the contract as its file says, in its order, defaults filled in"),
    _needed("published_at", Time),
    _needed("published_by"),
    UniqueConstraint("contract", "effective_from"),
    comment="contracts as published; a row never changes",
)

registry = Table(
    "registry",
    metadata,
    _needed("contract"),
    _needed("reference"),
    _needed("digest", comment="SHA-256 of the start: other content under the same reference is a conflict"),
    _needed("first_run", comment="the first run of the workflow that may call this complaint its own"),
    Column("version", ForeignKey("contract_versions.version"), nullable=False, comment="pinned at receipt"),
    _needed("registered_at", Time),
    PrimaryKeyConstraint("contract", "reference"),
    comment="one row a complaint, for ever: starting twice starts once",
)

ledger = Table(
    "ledger",
    metadata,
    _needed("stream", comment="complaint/<contract>/<reference>, message/<message id> or webhook/<webhook id>"),
    _needed("seq", Integer, comment="1, 2, 3 … within the stream, without a gap"),
    _needed("type"),
    _needed("v", SmallInteger, comment="version of the shape of this type"),
    _needed("occurred_at", Time, comment="when it happened"),
    _needed("recorded_at", Time, comment="when Ombud learned of it"),
    _needed("body", JSONB, comment="the whole entry"),
    PrimaryKeyConstraint("stream", "seq"),
    Index("ledger_refused_idx", "recorded_at", postgresql_where=text("type = 'refused'")),
    comment="what happened, append-only; everything else is derived from it",
)

content_keys = Table(
    "content_keys",
    metadata,
    Column("stream", Text, primary_key=True),
    _needed("created_at", Time, server_default=text("now()")),
    Column("destroyed_at", Time, comment="since then nobody can read this stream's content"),
    Column(
        "wraps",
        JSONB(none_as_null=True),
        comment="the key under each master key: id to nonce and ciphertext in hex; NULL once destroyed",
    ),
    comment="one key a stream; destroying it is erasure",
)

content = Table(
    "content",
    metadata,
    _needed("stream"),
    _needed("seq", Integer, comment="the ledger entry that refers to it"),
    _needed("field"),
    _needed("nonce", LargeBinary),
    _needed("ciphertext", LargeBinary, comment="AES-256-GCM; stream, seq and field are authenticated with it"),
    PrimaryKeyConstraint("stream", "seq", "field"),
    comment="free text, personal data and the mails as they were sent, encrypted with the key of their stream",
)

# --- projections ----------------------------------------------------------------------------------------------------

complaints = Table(
    "complaints",
    metadata,
    Column("id", Text, primary_key=True, comment="contract/reference"),
    _needed("contract"),
    _needed("reference"),
    _needed("version", comment="of the contract, pinned at receipt"),
    _needed("seq", Integer, comment="its latest ledger entry"),
    _needed("kind"),
    Column("category", Text),
    Column("level", Text),
    Column("grade", Text, comment="the customer's"),
    _needed("channel"),
    Column("language", Text),
    _needed("stage"),
    Column("owner", Text, comment="person; NULL until assigned"),
    _needed("route", comment="role that handles it until a person owns it"),
    Column("complainant", Text, comment="the backend's own id"),
    Column("against", Text, comment="who may have nothing to do with it (rule 37): ids, separated by spaces"),
    Column("incident", Text),
    Column("follows", Text),
    Column("raised_at", Time, comment="when the customer first spoke"),
    _needed("received_at", Time, comment="day 0 of its clocks"),
    _needed("recorded_at", Time, comment="when Ombud learned of it"),
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
    _needed("history", Boolean, comment="an old case brought in for the record: nobody was told"),
    _objects("calendar", "years re-planned while it was open: the entry that brought them, and what their days are"),
    _objects("flags", "what is odd about it, by the sequence of the entry that says so"),
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
    _needed("complaint"),
    _needed("obligation"),
    _needed("n", Integer, comment="armed for the n-th time"),
    _needed("clause"),
    Column(
        "status",
        Text,
        Computed(_CLOCK_STATUS, persisted=True),
        nullable=False,
        comment="running, met, missed or ended; ended clocks count in no rate",
    ),
    _needed("started_at", Time),
    _needed("known_at", Time, comment="when Ombud learned that it runs"),
    _needed("due_at", Time),
    _needed("provisional", Boolean, comment="counted through a year whose holidays nobody has published yet"),
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
    _needed("explanation", JSONB, comment="how its due time was counted"),
    _needed("ladder", JSONB, comment="its rungs and their instants as planned"),
    Column(
        "replans",
        Integer,
        nullable=False,
        server_default=text("0"),
        comment="how often its due was counted anew; each is in the ledger with the old one",
        info={MERGE: SUM},
    ),
    _objects("reached", "rungs reached: at, recorded_at, and why nobody was told where nobody was"),
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
    _needed("complaint"),
    _needed("contract"),
    _needed("seq", Integer, comment="the ledger entry it tells of"),
    Column("clock", Text, comment="obligation#n, when it tells of a rung"),
    Column("rung", Text),
    Column("command", Text, comment="when it tells of an act"),
    _needed("role"),
    _needed("urgent", Boolean),
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
    _needed("occurred_at", Time, comment="when what it tells of happened"),
    _needed("planned_at", Time, comment="when that was recorded"),
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
    _needed("person"),
    _needed("channel"),
    _needed("language"),
    Column("state", Text, Computed(_MESSAGE_STATE, persisted=True), nullable=False),
    _needed("claimed_at", Time),
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
    _needed("complaint"),
    _needed("contract"),
    _needed("seq", Integer, comment="the ledger entry that answers; words lie in content under it"),
    _needed("question"),
    _needed("about", comment="product, service or after_sales"),
    Column("option", Text, comment="the one chosen; NULL where words were given"),
    Column("score", Numeric(5, 2), comment="what the option counts, by the contract version of the complaint"),
    _needed("dissatisfied", Boolean),
    _needed("answered_at", Time),
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
    _needed("format", comment="cloudevents, wecom, dingtalk or feishu"),
    _list("events", "the types of events it hears of"),
    _needed(
        "origin", comment="scheme, host and port; the whole address may be a secret and lies in content, field url"
    ),
    Column("state", Text, Computed(_WEBHOOK_STATE, persisted=True), nullable=False),
    _needed("since", BigInteger, comment="position in the feed behind which it hears"),
    _needed("created_at", Time),
    Column("old_secret_until", Time, comment="so long the secret before the latest signs too"),
    Column("paused_at", Time),
    Column("paused_why", Text, comment="asked, or gone: its receiver said 410"),
    Column("removed_at", Time),
    comment="subscriptions of backends and group robots to what happens",
)

crowd_answers = Table(
    "crowd_answers",
    metadata,
    _needed("message"),
    _needed("seq", Integer, comment="the entry of the message's stream"),
    _needed("crowd"),
    _needed("role"),
    _needed("person"),
    _needed("answered_at", Time),
    _needed("follow", comment="taken_over, passed or noted"),
    Column("until", Time, comment="taken over until then; what joins later is told anew"),
    Column("passed_to", Text, comment="the role it is passed to"),
    PrimaryKeyConstraint("message", "seq"),
    comment="answers that hold for every notice of a crowd, those that join later too",
)

holds = Table(
    "holds",
    metadata,
    _needed("complaint"),
    _needed(
        "n", Integer, comment="the entry that set it, in the stream privacy/<complaint>; its reason lies in content"
    ),
    _needed("set_at", Time),
    _needed("set_by", comment="person, else role"),
    Column("until", Time, comment="NULL until lifted"),
    Column("lifted_at", Time),
    Column("lifted_by", Text),
    PrimaryKeyConstraint("complaint", "n"),
    comment="complaints whose content must be kept: while one of its holds stands, nothing is erased",
)

links = Table(
    "links",
    metadata,
    _needed("complaint"),
    _needed("seq", Integer, comment="the ledger entry that says so"),
    _needed("relation", comment="follows, duplicate_of, part_of or split_from: what this complaint is to the other"),
    _needed("other", comment="contract/reference"),
    _needed("merged", Boolean, comment="a duplicate that was merged, not only named one"),
    Column("undone_at", Time, comment="when the merge was undone or the link taken back"),
    PrimaryKeyConstraint("complaint", "seq"),
    Index(None, "other"),
    comment="which complaints belong together",
)

PROJECTIONS = (complaints, clocks, notices, messages, survey_answers, links, crowd_answers, webhooks, holds)

# --- working tables -------------------------------------------------------------------------------------------------

rejects = Table(
    "rejects",
    metadata,
    _needed("workflow_id"),
    _needed("recorded_at", Time),
    _needed("contract", comment="as given; may be empty"),
    _needed("reference", comment="as given; may be empty"),
    _needed("reason"),
    Column("given_up_at", Time, comment="when somebody had dealt with it"),
    Column("given_up_by", Text, comment="person, else role; why lies in content, stream reject/<workflow id>"),
    PrimaryKeyConstraint("workflow_id", "recorded_at"),
    comment="starts that cannot become a complaint",
)

used_links = Table(
    "used_links",
    metadata,
    _needed("token", comment="SHA-256 of what the link's token signs; the token is a secret of its recipient"),
    _needed("what", comment="the form it used up: the key of a notice, the mark of one form, or nothing for all"),
    _needed("used_at", Time),
    PrimaryKeyConstraint("token", "what"),
    comment="links that acted: a form is taken once",
)

circulars = Table(
    "circulars",
    metadata,
    Column("id", Text, primary_key=True),
    _needed("digest", comment="SHA-256 of the start: other content under the same id is a conflict"),
    _needed("command"),
    Column("incident", Text),
    Column("contract", Text),
    _needed("by", comment="role, and person where named"),
    _needed("sent_at", Time),
    Column("finished_at", Time, comment="since then every complaint has answered or is gone"),
    comment="commands that went to many complaints; why lies in content, stream circular/<id>",
)

letters = Table(
    "letters",
    metadata,
    Column("circular", ForeignKey("circulars.id"), nullable=False),
    _needed("complaint"),
    Column("outcome", Text, comment="taken, refused or gone; NULL until it answers"),
    Column("seq", Integer, comment="the ledger entry of the complaint that records the command"),
    Column("reason", Text, comment="why it was not taken"),
    PrimaryKeyConstraint("circular", "complaint"),
    Index("letters_open_idx", "circular", "complaint", postgresql_where=text("outcome IS NULL")),
    comment="what each complaint made of a circular",
)

people = Table(
    "people",
    metadata,
    Column("id", Text, primary_key=True),
    _needed("name"),
    _needed("email"),
    _needed("language"),
    _needed("zone", comment="IANA time zone"),
    Column("hours", JSONB(none_as_null=True), comment="weekly; NULL when only shifts say it, or nothing does"),
    _list("shifts", "dated, in place of the weekly hours; without hours and shifts a person is always on duty"),
    _list("absences", "from, to and deputy"),
    comment="the directory: who can be told, and when",
)

directory_version = Table(
    "directory_version",
    metadata,
    Column("version", Uuid, primary_key=True, comment="another one after each import"),
    _needed("imported_at", Time, server_default=text("now()")),
    comment="one row: which directory is in place, for whoever holds a copy of it",
)

holders = Table(
    "holders",
    metadata,
    _needed("contract", comment="* for every contract"),
    _needed("role"),
    Column("person", ForeignKey("people.id", ondelete="CASCADE"), nullable=False),
    _needed("position", Integer, comment="the first who may be told is told"),
    PrimaryKeyConstraint("contract", "role", "person"),
    comment="the directory: who stands behind a role now",
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True, comment="part of the token, and no secret"),
    _needed("name", comment="what it is for, in the words of whoever made it"),
    _needed("sha256", comment="of its secret, which is stored nowhere"),
    Column("previous_sha256", Text, comment="of the secret before the last rotation"),
    Column("previous_until", Time, comment="until when that one is still good"),
    _needed("scopes", JSONB, comment="open, act, read, supervise, admin"),
    _needed("roles", JSONB, comment="whose acts it reports; all of one party"),
    _list("reports_for", "other parties whose words it may pass on"),
    Column("contracts", JSONB(none_as_null=True), comment="NULL for all"),
    Column("complaints", JSONB(none_as_null=True), comment="contract/reference each; NULL for all"),
    Column("person", Text, comment="whose it is; NULL for a system"),
    _needed("created_at", Time),
    _needed("created_by"),
    _needed("expires_at", Time),
    Column("revoked_at", Time),
    comment="who may come in over HTTP, and what for",
)

access_log = Table(
    "access_log",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    _needed("at", Time),
    Column("token", Text, comment="its id; NULL where none was known"),
    Column("person", Text, comment="whose token or link it is; of via cli the user of the machine"),
    _needed("via", comment="http, page or cli"),
    Column("address", Text, comment="where the request came from"),
    _needed("action"),
    Column("contract", Text),
    Column("complaint", Text, comment="contract/reference"),
    _needed("allowed", Boolean),
    Column("reason", Text, comment="why it was refused, or what exactly was done"),
    Index(None, "complaint", postgresql_where=text("complaint IS NOT NULL")),
    Index(None, "token", "at"),
    Index("access_log_refused_idx", "at", postgresql_where=text("NOT allowed")),
    comment="every access to content and every attempt that was refused; append-only",
)

ledger_feed = Table(
    "ledger_feed",
    metadata,
    _needed("stream", comment="complaint/<contract>/<reference>"),
    _needed("seq", Integer),
    Column(
        "position",
        BigInteger,
        comment="1, 2, 3 … in the order of numbering; NULL until whoever reads the feed numbers it",
    ),
    PrimaryKeyConstraint("stream", "seq"),
    UniqueConstraint("position"),
    Index("ledger_feed_new_idx", "stream", "seq", postgresql_where=text("position IS NULL")),
    comment="the complaints' entries in one row, for those who follow all of them",
)

webhook_cursors = Table(
    "webhook_cursors",
    metadata,
    Column("webhook", Text, primary_key=True),
    _needed("position", BigInteger, comment="everything up to it in the feed was accepted or is of no concern"),
    Column("sent_at", Time, comment="when its receiver last accepted something"),
    Column("attempts", Integer, nullable=False, server_default=text("0"), comment="failed since then"),
    Column("failing_since", Time),
    Column("tried_at", Time, comment="the latest failed attempt"),
    Column("last_error", Text),
    comment="how far each webhook is; no rebuild touches it, so nothing is sent again",
)

mail_slots = Table(
    "mail_slots",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    _needed("domain"),
    _needed("taken_at", Time),
    Index(None, "domain", "taken_at"),
    comment="mails handed to the server, for as long as they count against the rate of their domain",
)

mail_turns = Table(
    "mail_turns",
    metadata,
    Column("person", Text, primary_key=True, comment="whose mail waits"),
    _needed("domain"),
    _needed("urgent", Boolean),
    _needed("since", Time),
    _needed("comes_at", Time, comment="when its Post asks again; whoever does not come loses the turn"),
    Index(None, "domain"),
    comment="mails that wait since the rate of their domain is used up",
)

gatherings = Table(
    "gatherings",
    metadata,
    Column("person", Text, primary_key=True, comment="whose notices gather for one mail"),
    _needed("ends_at", Time, comment="until then their Post looks again by itself, and nobody needs to poke it"),
    comment="notices that gather",
)
