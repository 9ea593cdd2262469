"""What work needs beside the ledger: the directory, rejects, queues, cursors, tokens, and who read what."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from storage.tables.columns import Time, listed, metadata, needed

rejects = Table(
    "rejects",
    metadata,
    needed("workflow_id"),
    needed("recorded_at", Time),
    needed("contract", comment="as given; may be empty"),
    needed("reference", comment="as given; may be empty"),
    needed("reason"),
    Column("given_up_at", Time, comment="when somebody had dealt with it"),
    Column("given_up_by", Text, comment="person, else role; why lies in content, stream reject/<workflow id>"),
    PrimaryKeyConstraint("workflow_id", "recorded_at"),
    comment="starts that cannot become a complaint",
)

used_links = Table(
    "used_links",
    metadata,
    needed("token", comment="SHA-256 of what the link's token signs; the token is a secret of its recipient"),
    needed("what", comment="the form it used up: the key of a notice, the mark of one form, or nothing for all"),
    needed("used_at", Time),
    PrimaryKeyConstraint("token", "what"),
    comment="links that acted: a form is taken once",
)

circulars = Table(
    "circulars",
    metadata,
    Column("id", Text, primary_key=True),
    needed("digest", comment="SHA-256 of the start: other content under the same id is a conflict"),
    needed("command"),
    Column("incident", Text),
    Column("contract", Text),
    needed("by", comment="role, and person where named"),
    needed("sent_at", Time),
    Column("finished_at", Time, comment="since then every complaint has answered or is gone"),
    comment="commands that went to many complaints; why lies in content, stream circular/<id>",
)

letters = Table(
    "letters",
    metadata,
    Column("circular", ForeignKey("circulars.id"), nullable=False),
    needed("complaint"),
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
    needed("name"),
    needed("email"),
    needed("language"),
    needed("zone", comment="IANA time zone"),
    Column("hours", JSONB(none_as_null=True), comment="weekly; NULL when only shifts say it, or nothing does"),
    listed("shifts", "dated, in place of the weekly hours; without hours and shifts a person is always on duty"),
    listed("absences", "from, to and deputy"),
    comment="the directory: who can be told, and when",
)

directory_version = Table(
    "directory_version",
    metadata,
    Column("version", Uuid, primary_key=True, comment="another one after each import"),
    needed("imported_at", Time, server_default=text("now()")),
    comment="one row: which directory is in place, for whoever holds a copy of it",
)

holders = Table(
    "holders",
    metadata,
    needed("contract", comment="* for every contract"),
    needed("role"),
    Column("person", ForeignKey("people.id", ondelete="CASCADE"), nullable=False),
    needed("position", Integer, comment="the first who may be told is told"),
    PrimaryKeyConstraint("contract", "role", "person"),
    comment="the directory: who stands behind a role now",
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True, comment="part of the token, and no secret"),
    needed("name", comment="what it is for, in the words of whoever made it"),
    needed("sha256", comment="of its secret, which is stored nowhere"),
    Column("previous_sha256", Text, comment="of the secret before the last rotation"),
    Column("previous_until", Time, comment="until when that one is still good"),
    needed("scopes", JSONB, comment="open, act, read, supervise, admin"),
    needed("roles", JSONB, comment="whose acts it reports; all of one party"),
    listed("reports_for", "other parties whose words it may pass on"),
    Column("contracts", JSONB(none_as_null=True), comment="NULL for all"),
    Column("complaints", JSONB(none_as_null=True), comment="contract/reference each; NULL for all"),
    Column("person", Text, comment="whose it is; NULL for a system"),
    needed("created_at", Time),
    needed("created_by"),
    needed("expires_at", Time),
    Column("revoked_at", Time),
    comment="who may come in over HTTP, and what for",
)

access_log = Table(
    "access_log",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    needed("at", Time),
    Column("token", Text, comment="its id; NULL where none was known"),
    Column("person", Text, comment="whose token or link it is; of via cli the user of the machine"),
    needed("via", comment="http, page or cli"),
    Column("address", Text, comment="where the request came from"),
    needed("action"),
    Column("contract", Text),
    Column("complaint", Text, comment="contract/reference"),
    needed("allowed", Boolean),
    Column("reason", Text, comment="why it was refused, or what exactly was done"),
    Index(None, "complaint", postgresql_where=text("complaint IS NOT NULL")),
    Index(None, "token", "at"),
    Index("access_log_refused_idx", "at", postgresql_where=text("NOT allowed")),
    comment="every access to content and every attempt that was refused; append-only",
)

ledger_feed = Table(
    "ledger_feed",
    metadata,
    needed("stream", comment="complaint/<contract>/<reference>"),
    needed("seq", Integer),
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
    needed("position", BigInteger, comment="everything up to it in the feed was accepted or is of no concern"),
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
    needed("domain"),
    needed("taken_at", Time),
    Index(None, "domain", "taken_at"),
    comment="mails handed to the server, for as long as they count against the rate of their domain",
)

mail_turns = Table(
    "mail_turns",
    metadata,
    Column("person", Text, primary_key=True, comment="whose mail waits"),
    needed("domain"),
    needed("urgent", Boolean),
    needed("since", Time),
    needed("comes_at", Time, comment="when its Post asks again; whoever does not come loses the turn"),
    Index(None, "domain"),
    comment="mails that wait since the rate of their domain is used up",
)

gatherings = Table(
    "gatherings",
    metadata,
    Column("person", Text, primary_key=True, comment="whose notices gather for one mail"),
    needed("ends_at", Time, comment="until then their Post looks again by itself, and nobody needs to poke it"),
    comment="notices that gather",
)
