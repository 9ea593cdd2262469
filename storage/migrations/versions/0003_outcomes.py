"""Which messages a complaint still has to hear of, and when a person last had one."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "messages",
        sa.Column(
            "untold",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="complaints still have to hear what became of it",
        ),
    )
    op.create_index(op.f("messages_person_accepted_at_idx"), "messages", ["person", "accepted_at"])
    op.create_index("messages_untold_idx", "messages", ["person"], postgresql_where=sa.text("untold"))
