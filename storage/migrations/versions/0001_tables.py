"""The tables, as `storage.tables` had them first."""

# ruff: noqa: E501

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "clocks",
        sa.Column("complaint", sa.Text(), nullable=False),
        sa.Column("obligation", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False, comment="armed for the n-th time"),
        sa.Column("clause", sa.Text(), nullable=False),
        sa.Column(
            "status",
            sa.Text(),
            sa.Computed(
                "CASE WHEN ended_at IS NOT NULL THEN 'ended' WHEN missed_at IS NOT NULL THEN 'missed' WHEN done_at IS NOT NULL THEN 'met' ELSE 'running' END",
                persisted=True,
            ),
            nullable=False,
            comment="running, met, missed or ended; ended clocks count in no rate",
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_at", sa.DateTime(timezone=True), nullable=False, comment="when Ombud learned that it runs"),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "provisional",
            sa.Boolean(),
            nullable=False,
            comment="counted through a year whose holidays nobody has published yet",
        ),
        sa.Column(
            "missed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="its due time, once missed; never taken back",
        ),
        sa.Column("detected_at", sa.DateTime(timezone=True), nullable=True, comment="when the miss was recorded"),
        sa.Column(
            "refuted_at", sa.DateTime(timezone=True), nullable=True, comment="when a timely act was reported after all"
        ),
        sa.Column(
            "done_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when what it asks for was done, in time or late",
        ),
        sa.Column("late_seconds", sa.Integer(), nullable=True, comment="done_at behind due_at, on the wall clock"),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "parts", postgresql.JSONB(astext_type=sa.Text()), nullable=True, comment="each act that met it, and when"
        ),
        sa.Column(
            "explanation",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="how its due time was counted",
        ),
        sa.Column(
            "ladder",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="its rungs and their instants as planned",
        ),
        sa.Column(
            "reached",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="rungs reached: at, recorded_at, and why nobody was told where nobody was",
        ),
        sa.PrimaryKeyConstraint("complaint", "obligation", "n", name=op.f("clocks_pkey")),
        comment="one row an obligation armed for a complaint",
    )
    op.create_index(
        "clocks_missed_idx", "clocks", ["missed_at"], unique=False, postgresql_where=sa.text("missed_at IS NOT NULL")
    )
    op.create_index(
        "clocks_running_idx", "clocks", ["due_at"], unique=False, postgresql_where=sa.text("status = 'running'")
    )
    op.create_table(
        "complaints",
        sa.Column("id", sa.Text(), nullable=False, comment="contract/reference"),
        sa.Column("contract", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False, comment="of the contract, pinned at receipt"),
        sa.Column("seq", sa.Integer(), nullable=False, comment="its latest ledger entry"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("level", sa.Text(), nullable=True),
        sa.Column("grade", sa.Text(), nullable=True, comment="the customer's"),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True, comment="person; NULL until assigned"),
        sa.Column("route", sa.Text(), nullable=False, comment="role that handles it until a person owns it"),
        sa.Column("complainant", sa.Text(), nullable=True, comment="the backend's own id"),
        sa.Column(
            "against", sa.Text(), nullable=True, comment="the person complained about: told of nothing, decides nothing"
        ),
        sa.Column("incident", sa.Text(), nullable=True),
        sa.Column("follows", sa.Text(), nullable=True),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=True, comment="when the customer first spoke"),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False, comment="day 0 of its clocks"),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False, comment="when Ombud learned of it"),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True, comment="upheld, partly or not_upheld"),
        sa.Column(
            "rejections",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="how often the customer rejected the result",
        ),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_reason", sa.Text(), nullable=True),
        sa.Column(
            "history", sa.Boolean(), nullable=False, comment="an old case brought in for the record: nobody was told"
        ),
        sa.Column(
            "flags",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="what is odd about it, by the sequence of the entry that says so",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("complaints_pkey")),
        comment="one row a complaint, as it stands now",
    )
    op.create_index(
        op.f("complaints_contract_received_at_idx"), "complaints", ["contract", "received_at"], unique=False
    )
    op.create_index(
        "complaints_open_idx",
        "complaints",
        ["contract", "stage"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "content",
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False, comment="the ledger entry that refers to it"),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column(
            "ciphertext",
            sa.LargeBinary(),
            nullable=False,
            comment="AES-256-GCM; stream, seq and field are authenticated with it",
        ),
        sa.PrimaryKeyConstraint("stream", "seq", "field", name=op.f("content_pkey")),
        comment="free text, personal data and the mails as they were sent, encrypted with the key of their stream",
    )
    op.create_table(
        "content_keys",
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column(
            "wrapped",
            sa.LargeBinary(),
            nullable=True,
            comment="the stream's key under the master key; NULL once destroyed",
        ),
        sa.Column("nonce", sa.LargeBinary(), nullable=True),
        sa.Column("master_key_id", sa.Text(), nullable=False, comment="which master key wraps it"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "destroyed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="since then nobody can read this stream's content",
        ),
        sa.PrimaryKeyConstraint("stream", name=op.f("content_keys_pkey")),
        comment="one key a stream; destroying it is erasure",
    )
    op.create_table(
        "contract_versions",
        sa.Column("version", sa.Text(), nullable=False, comment="SHA-256 of contract, effective_from and body"),
        sa.Column("contract", sa.Text(), nullable=False),
        sa.Column(
            "effective_from",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="complaints received from then on are pinned to it",
        ),
        sa.Column(
            "body",
            postgresql.JSON(astext_type=sa.Text()),
            nullable=False,
            comment="the contract as its file says, in its order, defaults filled in",
        ),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("contract_versions_pkey")),
        sa.UniqueConstraint("contract", "effective_from", name=op.f("contract_versions_contract_effective_from_key")),
        comment="contracts as published; a row never changes",
    )
    op.create_table(
        "ledger",
        sa.Column(
            "stream", sa.Text(), nullable=False, comment="complaint/<contract>/<reference> or message/<message id>"
        ),
        sa.Column("seq", sa.Integer(), nullable=False, comment="1, 2, 3 … within the stream, without a gap"),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("v", sa.SmallInteger(), nullable=False, comment="version of the shape of this type"),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False, comment="when it happened"),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False, comment="when Ombud learned of it"),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="the whole entry"),
        sa.PrimaryKeyConstraint("stream", "seq", name=op.f("ledger_pkey")),
        comment="what happened, append-only; everything else is derived from it",
    )
    op.create_index(
        "ledger_refused_idx", "ledger", ["recorded_at"], unique=False, postgresql_where=sa.text("type = 'refused'")
    )
    op.create_table(
        "messages",
        sa.Column(
            "id", sa.Text(), nullable=False, comment="SHA-256 over the keys of its notices; left part of the Message-ID"
        ),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Text(),
            sa.Computed(
                "CASE WHEN undeliverable_at IS NOT NULL THEN 'undeliverable' WHEN accepted_at IS NOT NULL THEN 'accepted' ELSE 'claimed' END",
                persisted=True,
            ),
            nullable=False,
        ),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reply", sa.Text(), nullable=True, comment="of the server that accepted it"),
        sa.Column("undeliverable_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True, comment="the latest attempt"),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("messages_pkey")),
        comment="one mail that carries one or more notices; as sent it lies in content, field mail",
    )
    op.create_index(
        "messages_waiting_idx",
        "messages",
        ["person"],
        unique=False,
        postgresql_where=sa.text("accepted_at IS NULL AND undeliverable_at IS NULL"),
    )
    op.create_table(
        "notices",
        sa.Column(
            "key", sa.Text(), nullable=False, comment="complaint, clock and rung or act, role: claimed at most once"
        ),
        sa.Column("complaint", sa.Text(), nullable=False),
        sa.Column("contract", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False, comment="the ledger entry it tells of"),
        sa.Column("clock", sa.Text(), nullable=True, comment="obligation#n, when it tells of a rung"),
        sa.Column("rung", sa.Text(), nullable=True),
        sa.Column("command", sa.Text(), nullable=True, comment="when it tells of an act"),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column(
            "state",
            sa.Text(),
            sa.Computed(
                "CASE WHEN acknowledged_at IS NOT NULL THEN 'acknowledged' WHEN undeliverable_at IS NOT NULL THEN 'undeliverable' WHEN accepted_at IS NOT NULL THEN 'accepted' WHEN claimed_at IS NOT NULL THEN 'claimed' ELSE 'planned' END",
                persisted=True,
            ),
            nullable=False,
        ),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False, comment="when what it tells of happened"),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False, comment="when that was recorded"),
        sa.Column("message", sa.Text(), nullable=True, comment="the message that carries it"),
        sa.Column("person", sa.Text(), nullable=True, comment="who stood behind the role when it was claimed"),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "accepted_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="the recipient's server took it; not yet delivered",
        ),
        sa.Column("undeliverable_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True, comment="why the complaint was told that it is undeliverable"),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True, comment="person, else role"),
        sa.Column("follow", sa.Text(), nullable=True, comment="taken_over, passed or noted"),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True, comment="taken over until then"),
        sa.PrimaryKeyConstraint("key", name=op.f("notices_pkey")),
        comment="what one role is told about one rung or act",
    )
    op.create_index(op.f("notices_complaint_idx"), "notices", ["complaint"], unique=False)
    op.create_index(
        op.f("notices_message_idx"),
        "notices",
        ["message"],
        unique=False,
        postgresql_where=sa.text("message IS NOT NULL"),
    )
    op.create_index(
        "notices_undeliverable_idx",
        "notices",
        ["undeliverable_at"],
        unique=False,
        postgresql_where=sa.text("undeliverable_at IS NOT NULL"),
    )
    op.create_index(
        "notices_waiting_idx",
        "notices",
        ["contract", "role"],
        unique=False,
        postgresql_where=sa.text("claimed_at IS NULL AND undeliverable_at IS NULL AND acknowledged_at IS NULL"),
    )
    op.create_table(
        "people",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False, comment="IANA time zone"),
        sa.PrimaryKeyConstraint("id", name=op.f("people_pkey")),
        comment="the directory: who can be told",
    )
    op.create_table(
        "rejects",
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("contract", sa.Text(), nullable=False, comment="as given; may be empty"),
        sa.Column("reference", sa.Text(), nullable=False, comment="as given; may be empty"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("workflow_id", "recorded_at", name=op.f("rejects_pkey")),
        comment="starts that cannot become a complaint",
    )
    op.create_table(
        "holders",
        sa.Column("contract", sa.Text(), nullable=False, comment="* for every contract"),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False, comment="the first who may be told is told"),
        sa.ForeignKeyConstraint(["person"], ["people.id"], name=op.f("holders_person_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("contract", "role", "person", name=op.f("holders_pkey")),
        comment="the directory: who stands behind a role now",
    )
    op.create_table(
        "registry",
        sa.Column("contract", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column(
            "digest",
            sa.Text(),
            nullable=False,
            comment="SHA-256 of the start: other content under the same reference is a conflict",
        ),
        sa.Column(
            "first_run",
            sa.Text(),
            nullable=False,
            comment="the first run of the workflow that may call this complaint its own",
        ),
        sa.Column("version", sa.Text(), nullable=False, comment="pinned at receipt"),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["version"], ["contract_versions.version"], name=op.f("registry_version_fkey")),
        sa.PrimaryKeyConstraint("contract", "reference", name=op.f("registry_pkey")),
        comment="one row a complaint, for ever: starting twice starts once",
    )
