"""What happened, and what it was judged by. The database itself refuses to change or remove a row, but for keys."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSON, JSONB

from storage.tables.columns import Time, metadata, needed

contract_versions = Table(
    "contract_versions",
    metadata,
    Column("version", Text, primary_key=True, comment="SHA-256 of contract, effective_from and body"),
    needed("contract"),
    needed("effective_from", Time, comment="complaints received from then on are pinned to it"),
    needed("body", JSON, comment="the contract as its file says, in its order, defaults filled in"),
    needed("published_at", Time),
    needed("published_by"),
    UniqueConstraint("contract", "effective_from"),
    comment="contracts as published; a row never changes",
)

registry = Table(
    "registry",
    metadata,
    needed("contract"),
    needed("reference"),
    needed("digest", comment="SHA-256 of the start: other content under the same reference is a conflict"),
    needed("first_run", comment="the first run of the workflow that may call this complaint its own"),
    Column("version", ForeignKey("contract_versions.version"), nullable=False, comment="pinned at receipt"),
    needed("registered_at", Time),
    PrimaryKeyConstraint("contract", "reference"),
    comment="one row a complaint, for ever: starting twice starts once",
)

ledger = Table(
    "ledger",
    metadata,
    needed("stream", comment="complaint/<contract>/<reference>, message/<message id> or webhook/<webhook id>"),
    needed("seq", Integer, comment="1, 2, 3 … within the stream, without a gap"),
    needed("type"),
    needed("v", SmallInteger, comment="version of the shape of this type"),
    needed("occurred_at", Time, comment="when it happened"),
    needed("recorded_at", Time, comment="when Ombud learned of it"),
    needed("body", JSONB, comment="the whole entry"),
    PrimaryKeyConstraint("stream", "seq"),
    Index("ledger_refused_idx", "recorded_at", postgresql_where=text("type = 'refused'")),
    comment="what happened, append-only; everything else is derived from it",
)

content_keys = Table(
    "content_keys",
    metadata,
    Column("stream", Text, primary_key=True),
    needed("created_at", Time, server_default=text("now()")),
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
    needed("stream"),
    needed("seq", Integer, comment="the ledger entry that refers to it"),
    needed("field"),
    needed("nonce", LargeBinary),
    needed("ciphertext", LargeBinary, comment="AES-256-GCM; stream, seq and field are authenticated with it"),
    PrimaryKeyConstraint("stream", "seq", "field"),
    comment="free text, personal data and the mails as they were sent, encrypted with the key of their stream",
)
