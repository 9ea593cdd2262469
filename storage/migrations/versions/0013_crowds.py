"""Notices told once an incident, their answers, and notices of acts that wait for somebody to come on duty."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

STATE = """
CASE WHEN acknowledged_at IS NOT NULL THEN 'acknowledged'
WHEN accepted_at > undeliverable_at AND bounced_at IS NULL THEN 'accepted'
WHEN undeliverable_at IS NOT NULL THEN 'undeliverable' WHEN accepted_at IS NOT NULL THEN 'accepted'
WHEN claimed_at IS NOT NULL THEN 'claimed' ELSE 'planned' END
"""


def upgrade() -> None:
    op.add_column(
        "notices",
        sa.Column(
            "crowd",
            sa.Text(),
            nullable=True,
            comment="told once for all cases of an incident: contract/incident/obligation@rung/role",
        ),
    )
    op.add_column(
        "notices",
        sa.Column(
            "joined",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="its message had told its crowd already; no mail was sent for it",
        ),
    )
    op.add_column(
        "notices",
        sa.Column(
            "covered",
            sa.Integer(),
            nullable=True,
            comment="the answer of its crowd that its complaint was told of, by its entry in the message's stream",
        ),
    )
    op.add_column(
        "notices",
        sa.Column(
            "bounced_at", sa.DateTime(timezone=True), nullable=True, comment="it came back after it was accepted"
        ),
    )
    op.alter_column(
        "notices",
        "undeliverable_at",
        comment="nobody was on duty, or the server refused it; what tells of an act may be accepted later",
        existing_type=sa.DateTime(timezone=True),
        existing_nullable=True,
    )
    op.drop_column("notices", "state")  # what a generated column says cannot be changed before Postgres 17
    op.add_column("notices", sa.Column("state", sa.Text(), sa.Computed(STATE, persisted=True), nullable=False))
    op.drop_index("notices_waiting_idx", table_name="notices")
    op.create_index(
        "notices_waiting_idx",
        "notices",
        ["contract", "role"],
        unique=False,
        postgresql_where=sa.text(
            "claimed_at IS NULL AND acknowledged_at IS NULL AND (undeliverable_at IS NULL OR command IS NOT NULL)"
        ),
    )
    op.create_index(
        "notices_crowd_idx", "notices", ["crowd"], unique=False, postgresql_where=sa.text("crowd IS NOT NULL")
    )
    op.create_table(
        "crowd_answers",
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False, comment="the entry of the message's stream"),
        sa.Column("crowd", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("follow", sa.Text(), nullable=False, comment="taken_over, passed or noted"),
        sa.Column(
            "until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="taken over until then; what joins later is told anew",
        ),
        sa.Column("passed_to", sa.Text(), nullable=True, comment="the role it is passed to"),
        sa.PrimaryKeyConstraint("message", "seq", name=op.f("crowd_answers_pkey")),
        comment="answers that hold for every notice of a crowd, those that join later too",
    )
