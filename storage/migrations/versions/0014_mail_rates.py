"""How many mails a provider was sent lately, and whose mail waits for its turn."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mail_slots",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("mail_slots_pkey")),
        comment="mails handed to the server, for as long as they count against the rate of their domain",
    )
    op.create_index(op.f("mail_slots_domain_taken_at_idx"), "mail_slots", ["domain", "taken_at"], unique=False)
    op.create_table(
        "mail_turns",
        sa.Column("person", sa.Text(), nullable=False, comment="whose mail waits"),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "comes_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="when its Post asks again; whoever does not come loses the turn",
        ),
        sa.PrimaryKeyConstraint("person", name=op.f("mail_turns_pkey")),
        comment="mails that wait since the rate of their domain is used up",
    )
    op.create_index(op.f("mail_turns_domain_idx"), "mail_turns", ["domain"], unique=False)
