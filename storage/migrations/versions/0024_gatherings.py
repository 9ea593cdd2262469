"""Whose notices gather: nobody needs to poke a Post that looks again by itself."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gatherings",
        sa.Column("person", sa.Text(), nullable=False, comment="whose notices gather for one mail"),
        sa.Column(
            "ends_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="until then their Post looks again by itself, and nobody needs to poke it",
        ),
        sa.PrimaryKeyConstraint("person", name=op.f("gatherings_pkey")),
        comment="notices that gather",
    )
