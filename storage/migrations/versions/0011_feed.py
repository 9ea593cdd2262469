"""A position for every entry of a complaint's ledger, in an order that no commit can slip behind."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# One small row for each entry, in the transaction that records it: no lock, so that records never wait for each other.
FEED = """
CREATE FUNCTION feed_ledger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ledger_feed (stream, seq)
    SELECT stream, seq FROM added WHERE starts_with(stream, 'complaint/');
    RETURN NULL;
END $$
"""

# What is there already: by time, and within a stream always by sequence.
NUMBERED = """
INSERT INTO ledger_feed (stream, seq, position)
SELECT stream, seq, row_number() OVER (ORDER BY known_at, stream, seq)
FROM (
    SELECT stream, seq, max(recorded_at) OVER (PARTITION BY stream ORDER BY seq) AS known_at
    FROM ledger
    WHERE starts_with(stream, 'complaint/')
) entries
"""


def upgrade() -> None:
    op.create_table(
        "ledger_feed",
        sa.Column("stream", sa.Text(), nullable=False, comment="complaint/<contract>/<reference>"),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column(
            "position",
            sa.BigInteger(),
            nullable=True,
            comment="1, 2, 3 … in the order of numbering; NULL until whoever reads the feed numbers it",
        ),
        sa.PrimaryKeyConstraint("stream", "seq", name=op.f("ledger_feed_pkey")),
        sa.UniqueConstraint("position", name=op.f("ledger_feed_position_key")),
        comment="the complaints' entries in one row, for those who follow all of them",
    )
    op.create_index(
        "ledger_feed_new_idx",
        "ledger_feed",
        ["stream", "seq"],
        postgresql_where=sa.text("position IS NULL"),
    )
    op.execute(NUMBERED)
    op.execute(FEED)
    op.execute(
        "CREATE TRIGGER feed AFTER INSERT ON ledger REFERENCING NEW TABLE AS added "
        "FOR EACH STATEMENT EXECUTE FUNCTION feed_ledger()"
    )
