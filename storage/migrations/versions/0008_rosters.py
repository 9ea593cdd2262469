"""When people are on duty, who stands in for them, and which directory is in place."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "people",
        sa.Column(
            "hours", postgresql.JSONB(), nullable=True, comment="weekly; NULL when only shifts say it, or nothing does"
        ),
    )
    op.add_column(
        "people",
        sa.Column(
            "shifts",
            postgresql.JSONB(),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
            comment="dated, in place of the weekly hours; without hours and shifts a person is always on duty",
        ),
    )
    op.add_column(
        "people",
        sa.Column(
            "absences",
            postgresql.JSONB(),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
            comment="from, to and deputy",
        ),
    )
    op.create_table_comment(
        "people", "the directory: who can be told, and when", existing_comment="the directory: who can be told"
    )
    op.create_table(
        "directory_version",
        sa.Column("version", sa.Uuid(), nullable=False, comment="another one after each import"),
        sa.Column("imported_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("directory_version_pkey")),
        comment="one row: which directory is in place, for whoever holds a copy of it",
    )
