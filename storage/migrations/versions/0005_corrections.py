"""Clocks whose due was counted anew, and misses that fell away with it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATUS = (
    "CASE WHEN ended_at IS NOT NULL THEN 'ended' WHEN missed_at IS NOT NULL AND lifted_at IS NULL THEN 'missed' "
    "WHEN done_at IS NOT NULL THEN 'met' ELSE 'running' END"
)


def upgrade() -> None:
    found_by = "of a miss: correction, when only that brought it to light"
    op.add_column("clocks", sa.Column("found_by", sa.Text(), nullable=True, comment=found_by))
    lifted_at = "when its miss fell away because its due moved or its start was none"
    op.add_column("clocks", sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True, comment=lifted_at))
    replans = "how often its due was counted anew; each is in the ledger with the old one"
    op.add_column(
        "clocks",
        sa.Column("replans", sa.Integer(), server_default=sa.text("0"), nullable=False, comment=replans),
    )
    # A computed column is changed by making it again, with what is built on it.
    view = "record_table"
    connection = op.get_bind()
    definition = connection.execute(sa.text(f"SELECT pg_get_viewdef('{view}')")).scalar_one()
    comment = connection.execute(sa.text(f"SELECT obj_description('{view}'::regclass)")).scalar_one()
    op.execute(f"DROP VIEW {view}")
    op.drop_column("clocks", "status")
    said = "running, met, missed or ended; ended clocks count in no rate"
    status = sa.Column("status", sa.Text(), sa.Computed(STATUS, persisted=True), nullable=False, comment=said)
    op.add_column("clocks", status)
    op.create_index("clocks_running_idx", "clocks", ["due_at"], postgresql_where=sa.text("status = 'running'"))
    op.execute(f"CREATE VIEW {view} AS {definition}")
    quoted = comment.replace("'", "''")
    op.execute(f"COMMENT ON VIEW {view} IS '{quoted}'")
