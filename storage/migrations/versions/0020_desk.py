"""What whoever leads must see to: every clock that is due and every notice that nobody answered, as one view."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# A due time at midnight is the end of the day before. The zone is read once a version, not once a row.
DESK = """
CREATE VIEW desk AS
WITH zones AS MATERIALIZED (
    SELECT version, body #>> '{calendar,zone}' AS zone FROM contract_versions
), open AS (
    SELECT
        c.id AS complaint, c.contract, c.reference, c.version, c.kind, c.category, c.level, c.stage, c.owner, c.route,
        coalesce(c.owner, c.route) AS responsible, c.against, z.zone
    FROM complaints c
    JOIN zones z ON z.version = c.version
    WHERE c.closed_at IS NULL AND NOT c.history
)
SELECT
    CASE
        WHEN k.paused_at IS NOT NULL AND k.status = 'running' THEN 'standing still'
        WHEN k.due_at < now() THEN 'overdue'
        WHEN (k.due_at - interval '1 microsecond') AT TIME ZONE o.zone < date_trunc('day', now() AT TIME ZONE o.zone)
            + interval '1 day' THEN 'today'
        WHEN k.due_at < now() + interval '24 hours' THEN '24 hours'
        ELSE 'later'
    END AS list,
    o.*,
    k.complaint || '/' || k.obligation || '#' || k.n AS id,
    k.due_at AS at,
    k.obligation,
    k.clause,
    k.status,
    k.due_at,
    k.provisional,
    NULL AS rung,
    NULL AS command,
    NULL AS role,
    NULL AS person,
    NULL AS reason
FROM open o
JOIN clocks k ON k.complaint = o.complaint AND k.done_at IS NULL AND k.ended_at IS NULL
UNION ALL
SELECT
    CASE WHEN n.state IN ('undeliverable', 'bounced') THEN 'undeliverable' ELSE 'unacknowledged' END,
    o.*,
    n.key,
    CASE WHEN n.state IN ('undeliverable', 'bounced') THEN n.undeliverable_at ELSE n.accepted_at END,
    k.obligation,
    k.clause,
    k.status,
    k.due_at,
    k.provisional,
    n.rung,
    n.command,
    n.role,
    n.person,
    n.reason
FROM open o
JOIN notices n ON n.complaint = o.complaint AND n.acknowledged_at IS NULL
LEFT JOIN clocks k ON k.complaint = n.complaint
    AND k.obligation = split_part(n.clock, '#', 1) AND k.n = nullif(split_part(n.clock, '#', 2), '')::int
WHERE n.state IN ('undeliverable', 'bounced') OR (
    n.accepted_at IS NOT NULL AND n.rung IS NOT NULL AND (n.urgent OR n.rung NOT LIKE '%\\%')
    AND k.done_at IS NULL AND k.ended_at IS NULL
)
"""


def upgrade() -> None:
    op.create_index(
        "clocks_open_idx",
        "clocks",
        ["complaint", "due_at"],
        postgresql_where=sa.text("done_at IS NULL AND ended_at IS NULL"),
    )
    op.alter_column(
        "access_log",
        "person",
        existing_type=sa.Text(),
        comment="whose token or link it is; of via cli the user of the machine",
        existing_comment="whose token it is; of via cli the user of the machine",
    )
    op.alter_column(
        "access_log", "via", existing_type=sa.Text(), comment="http, page or cli", existing_comment="http or cli"
    )
    op.execute(DESK)
    op.execute(
        "COMMENT ON VIEW desk IS 'what whoever leads must see to, by the name of its list: overdue, today, 24 hours, "
        "later, standing still; unacknowledged and undeliverable. Days are those of the contract''s zone'"
    )
