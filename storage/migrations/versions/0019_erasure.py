"""Holds, and which complaints were erased."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "holds",
        sa.Column("complaint", sa.Text(), nullable=False),
        sa.Column(
            "n",
            sa.Integer(),
            nullable=False,
            comment="the entry that set it, in the stream privacy/<complaint>; its reason lies in content",
        ),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False, comment="person, else role"),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True, comment="NULL until lifted"),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("complaint", "n", name=op.f("holds_pkey")),
        comment="complaints whose content must be kept: while one of its holds stands, nothing is erased",
    )
    for name, kind, comment in (
        ("erased_at", sa.DateTime(timezone=True), "since then nobody can read what the customer said"),
        ("erased_why", sa.Text(), "request or retention"),
        (
            "forgotten_at",
            sa.DateTime(timezone=True),
            "when Temporal's histories of an erased complaint were deleted, too",
        ),
    ):
        op.add_column("complaints", sa.Column(name, kind, nullable=True, comment=comment))
