"""How a late report stands, and how long after an act Ombud learned of it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    of_report = "of a refuted miss: unconfirmed, confirmed (it counts no more), not_agreed, not_counted"
    op.add_column("clocks", sa.Column("report", sa.Text(), nullable=True, comment=of_report))
    of_lag = "how long after it was done Ombud learned of it"
    op.add_column("clocks", sa.Column("lag_seconds", sa.Integer(), nullable=True, comment=of_lag))
