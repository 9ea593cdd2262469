"""Subscriptions of backends and group robots, and how far each is."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

STATE = "CASE WHEN removed_at IS NOT NULL THEN 'removed' WHEN paused_at IS NOT NULL THEN 'paused' ELSE 'active' END"


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("contract", sa.Text(), nullable=True, comment="whose complaints it hears of; NULL for all"),
        sa.Column("format", sa.Text(), nullable=False, comment="cloudevents, wecom, dingtalk or feishu"),
        sa.Column(
            "events",
            postgresql.JSONB(),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
            comment="the types of events it hears of",
        ),
        sa.Column(
            "origin",
            sa.Text(),
            nullable=False,
            comment="scheme, host and port; the whole address may be a secret and lies in content, field url",
        ),
        sa.Column("state", sa.Text(), sa.Computed(STATE, persisted=True), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False, comment="position in the feed behind which it hears"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "old_secret_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="so long the secret before the latest signs too",
        ),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_why", sa.Text(), nullable=True, comment="asked, or gone: its receiver said 410"),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("webhooks_pkey")),
        comment="subscriptions of backends and group robots to what happens",
    )
    op.create_table(
        "webhook_cursors",
        sa.Column("webhook", sa.Text(), nullable=False),
        sa.Column(
            "position",
            sa.BigInteger(),
            nullable=False,
            comment="everything up to it in the feed was accepted or is of no concern",
        ),
        sa.Column(
            "sent_at", sa.DateTime(timezone=True), nullable=True, comment="when its receiver last accepted something"
        ),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="failed since then"),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True, comment="the latest failed attempt"),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("webhook", name=op.f("webhook_cursors_pkey")),
        comment="how far each webhook is; no rebuild touches it, so nothing is sent again",
    )
    op.alter_column(
        "ledger",
        "stream",
        existing_type=sa.Text(),
        existing_nullable=False,
        comment="complaint/<contract>/<reference>, message/<message id> or webhook/<webhook id>",
        existing_comment="complaint/<contract>/<reference> or message/<message id>",
    )
