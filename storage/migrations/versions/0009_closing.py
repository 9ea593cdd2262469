"""Complaints that reopen, are merged and belong together; what was merged on the list of whoever supervises."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

OF_LEDGER = """
SELECT
    CASE l.type
        WHEN 'corrected' THEN 'corrected'
        WHEN 'reclassified' THEN 'lowered'
        WHEN 'withdrawn' THEN 'withdrawn'
        WHEN 'merged' THEN 'merged'
        WHEN 'waived' THEN 'waived'
        WHEN 'requested' THEN 'waited for us'
        WHEN 'notice_undeliverable' THEN 'nobody on duty'
        ELSE 'passed before registration'
    END AS list,
    substr(l.stream, 11) AS complaint,
    l.seq,
    l.body #>> '{data,clock}' AS clock,
    l.occurred_at AS at,
    l.recorded_at,
    coalesce(l.body #>> '{by,person}', l.body #>> '{by,role}') AS by,
    (l.body -> 'data') - ARRAY['command', 'acts', 'obligation'] || CASE
        WHEN l.type = 'corrected' THEN jsonb_build_object('approved_by', a.body #>> '{by,person}')
        WHEN l.type = 'requested' THEN jsonb_build_object('answer', a.type, 'answered_at', a.occurred_at)
        WHEN l.type = 'withdrawn' THEN jsonb_build_object('taken_back_at', a.occurred_at)
        WHEN l.type = 'merged' THEN jsonb_build_object('undone_at', a.occurred_at)
        ELSE '{}'
    END AS detail
FROM ledger l
LEFT JOIN LATERAL (
    SELECT body, type, occurred_at FROM ledger
    WHERE stream = l.stream AND (
        (l.type = 'corrected' AND type = 'correction_approved' AND body #>> '{data,entry}' = l.seq::text)
        OR (l.type = 'requested' AND type IN ('request_answered', 'request_contested')
            AND body #>> '{data,request}' = l.seq::text)
        OR (l.type = 'withdrawn' AND type = 'withdrawal_taken_back' AND seq > l.seq)
        OR (l.type = 'merged' AND type = 'merge_undone' AND body #>> '{data,merge}' = l.seq::text)
    )
    ORDER BY seq DESC LIMIT 1
) a ON l.type IN ('corrected', 'requested', 'withdrawn', 'merged')
WHERE l.type IN ('corrected', 'withdrawn', 'merged', 'waived')
    OR (l.type = 'requested' AND l.body #>> '{data,party}' = 'principal')
    OR (l.type = 'reclassified' AND l.body -> 'data' ? 'lowered_from')
    OR (l.type = 'notice_undeliverable' AND l.body #>> '{data,reason}' LIKE 'nobody%')
    OR (l.type = 'rung_reached' AND l.body #>> '{data,passed}' = 'before it was registered')
"""

OF_CLOCKS = """
SELECT
    'reported late', k.complaint, NULL, k.obligation || '#' || k.n, k.done_at, k.refuted_at, NULL,
    jsonb_build_object('clause', k.clause, 'due_at', k.due_at, 'lag_seconds', k.lag_seconds, 'report', k.report)
FROM clocks k
WHERE k.refuted_at IS NOT NULL AND k.lifted_at IS NULL
"""


def upgrade() -> None:
    op.add_column(
        "complaints",
        sa.Column(
            "merged_into", sa.Text(), nullable=True, comment="reference of the complaint that goes on in its place"
        ),
    )
    op.add_column(
        "complaints",
        sa.Column(
            "reopenings",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="how often it was reopened after it had closed",
        ),
    )
    op.alter_column(
        "complaints",
        "against",
        comment="who may have nothing to do with it (rule 37): ids, separated by spaces",
        existing_comment="the person complained about: told of nothing, decides nothing",
        existing_type=sa.Text(),
        existing_nullable=True,
    )
    op.create_table(
        "links",
        sa.Column("complaint", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False, comment="the ledger entry that says so"),
        sa.Column(
            "relation",
            sa.Text(),
            nullable=False,
            comment="follows, duplicate_of, part_of or split_from: what this complaint is to the other",
        ),
        sa.Column("other", sa.Text(), nullable=False, comment="contract/reference"),
        sa.Column("merged", sa.Boolean(), nullable=False, comment="a duplicate that was merged, not only named one"),
        sa.Column(
            "undone_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when the merge was undone or the link taken back",
        ),
        sa.PrimaryKeyConstraint("complaint", "seq", name="links_pkey"),
        comment="which complaints belong together",
    )
    op.create_index("links_other_idx", "links", ["other"])
    op.execute(
        """
        INSERT INTO links (complaint, seq, relation, other, merged)
        SELECT substr(stream, 11), seq, 'follows',
            (body #>> '{data,contract}') || '/' || (body #>> '{data,follows}'), false
        FROM ledger WHERE type = 'opened' AND body -> 'data' ? 'follows'
        """
    )
    op.execute("DROP VIEW supervision")
    lists = f"{OF_LEDGER} UNION ALL {OF_CLOCKS}"
    op.execute(
        f"CREATE VIEW supervision AS SELECT s.*, c.contract FROM ({lists}) s "  # noqa: S608  constants of this file
        "JOIN complaints c ON c.id = s.complaint AND NOT c.history"
    )
    op.execute("COMMENT ON VIEW supervision IS 'what whoever supervises must see, by the name of its list'")
