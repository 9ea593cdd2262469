"""Whose time it was: on every clock that is over, gross, net and what each other party took."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, kind, comment in (
        ("paused_at", sa.DateTime(timezone=True), "since when it stands still, waiting for a party that it pauses for"),
        ("gross_seconds", sa.Integer(), "of its own unit, when it was over; a working day has 86,400"),
        ("net_seconds", sa.Integer(), "gross without the time that other parties took"),
        ("waited", postgresql.JSONB(), "seconds of its own unit that each other party took"),
    ):
        op.add_column("clocks", sa.Column(name, kind, nullable=True, comment=comment))
