"""What whoever supervises must see, as one view: a row for each thing, under the name of its list."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

OF_LEDGER = """
SELECT
    CASE l.type
        WHEN 'corrected' THEN 'corrected'
        WHEN 'reclassified' THEN 'lowered'
        WHEN 'withdrawn' THEN 'withdrawn'
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
        ELSE '{}'
    END AS detail
FROM ledger l
LEFT JOIN LATERAL (
    SELECT body, type, occurred_at FROM ledger
    WHERE stream = l.stream AND (
        (l.type = 'corrected' AND type = 'correction_approved' AND body #>> '{data,entry}' = l.seq::text)
        OR (l.type = 'requested' AND type IN ('request_answered', 'request_contested')
            AND body #>> '{data,request}' = l.seq::text)
    )
    ORDER BY seq DESC LIMIT 1
) a ON l.type IN ('corrected', 'requested')
WHERE l.type IN ('corrected', 'withdrawn', 'waived')
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
    lists = f"{OF_LEDGER} UNION ALL {OF_CLOCKS}"
    op.execute(
        f"CREATE VIEW supervision AS SELECT s.*, c.contract FROM ({lists}) s "  # noqa: S608  constants of this file
        "JOIN complaints c ON c.id = s.complaint AND NOT c.history"
    )
    op.execute("COMMENT ON VIEW supervision IS 'what whoever supervises must see, by the name of its list'")
