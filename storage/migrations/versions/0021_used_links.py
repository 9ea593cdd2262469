"""A link that acts is used up by acting."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "used_links",
        sa.Column(
            "token",
            sa.Text(),
            nullable=False,
            comment="SHA-256 of what the link's token signs; the token is a secret of its recipient",
        ),
        sa.Column(
            "what",
            sa.Text(),
            nullable=False,
            comment="the form it used up: the key of a notice, the mark of one form, or nothing for all",
        ),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token", "what", name=op.f("used_links_pkey")),
        comment="links that acted: a form is taken once",
    )
