"""The record table is read page by page, by the time of receipt."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("complaints_received_at_id_idx", "complaints", ["received_at", "id"])
