"""Commands that go to many complaints, and the years that a re-plan put into one."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "complaints",
        sa.Column(
            "calendar",
            postgresql.JSONB(),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="years re-planned while it was open: the entry that brought them, and what their days are",
        ),
    )
    op.alter_column(
        "clocks",
        "found_by",
        existing_type=sa.Text(),
        existing_nullable=True,
        existing_comment="of a miss: correction, when only that brought it to light",
        comment="of a miss: correction or calendar, when only that brought it to light",
    )
    op.create_table(
        "circulars",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column(
            "digest",
            sa.Text(),
            nullable=False,
            comment="SHA-256 of the start: other content under the same id is a conflict",
        ),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("incident", sa.Text(), nullable=True),
        sa.Column("contract", sa.Text(), nullable=True),
        sa.Column("by", sa.Text(), nullable=False, comment="role, and person where named"),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "finished_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="since then every complaint has answered or is gone",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("circulars_pkey")),
        comment="commands that went to many complaints; why lies in content, stream circular/<id>",
    )
    op.create_table(
        "letters",
        sa.Column("circular", sa.Text(), nullable=False),
        sa.Column("complaint", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True, comment="taken, refused or gone; NULL until it answers"),
        sa.Column(
            "seq", sa.Integer(), nullable=True, comment="the ledger entry of the complaint that records the command"
        ),
        sa.Column("reason", sa.Text(), nullable=True, comment="why it was not taken"),
        sa.ForeignKeyConstraint(["circular"], ["circulars.id"], name=op.f("letters_circular_fkey")),
        sa.PrimaryKeyConstraint("circular", "complaint", name=op.f("letters_pkey")),
        comment="what each complaint made of a circular",
    )
    op.create_index(
        "letters_open_idx",
        "letters",
        ["circular", "complaint"],
        unique=False,
        postgresql_where=sa.text("outcome IS NULL"),
    )
