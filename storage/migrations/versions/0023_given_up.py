"""What people give up or try again: notices, messages and starts that stood in the queue."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

STATE = (
    "CASE WHEN acknowledged_at IS NOT NULL THEN 'acknowledged' "
    "WHEN bounced_at IS NOT NULL AND coalesce(failed_at > retried_at, true) THEN 'bounced' "
    "WHEN undeliverable_at IS NOT NULL AND coalesce(accepted_at <= undeliverable_at, true) "
    "AND (given_up_at IS NOT NULL OR coalesce(failed_at > retried_at, true)) THEN 'undeliverable' "
    "WHEN delivered_at IS NOT NULL THEN 'delivered' WHEN accepted_at IS NOT NULL THEN 'accepted' "
    "WHEN claimed_at IS NOT NULL THEN 'claimed' ELSE 'planned' END"
)

TIMES = {
    "failed_at": "when its message last was undeliverable or came back",
    "retried_at": "when its message was last set to be sent once more; a failure before is over",
    "given_up_at": "since then nobody tries to deliver it; why lies in content",
}

BUILT_ON_STATE = """
SELECT v.oid::regclass::text AS name, pg_get_viewdef(v.oid) AS definition, obj_description(v.oid) AS comment
FROM pg_class v WHERE v.relkind = 'v' AND EXISTS (
    SELECT FROM pg_rewrite r JOIN pg_depend d ON d.objid = r.oid AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE r.ev_class = v.oid AND a.attname = 'state' AND d.refobjid = 'notices'::regclass
)
ORDER BY v.oid
"""

FAILED = """
UPDATE notices n SET failed_at = m.undeliverable_at FROM messages m
WHERE m.id = n.message AND m.undeliverable_at IS NOT NULL
"""


def upgrade() -> None:
    # A computed column is changed by making it again, with what is built on it.
    views = op.get_bind().execute(sa.text(BUILT_ON_STATE)).all()
    for view in reversed(views):
        op.execute(f"DROP VIEW {view.name}")
    for name, said in TIMES.items():
        op.add_column("notices", sa.Column(name, sa.DateTime(timezone=True), nullable=True, comment=said))
    op.execute(FAILED)
    op.drop_column("notices", "state")
    op.add_column("notices", sa.Column("state", sa.Text(), sa.Computed(STATE, persisted=True), nullable=False))
    for view in views:
        op.execute(f"CREATE VIEW {view.name} AS {view.definition}")
        if view.comment:
            quoted = view.comment.replace("'", "''")
            op.execute(f"COMMENT ON VIEW {view.name} IS '{quoted}'")
    op.add_column(
        "rejects",
        sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True, comment="when somebody had dealt with it"),
    )
    op.add_column(
        "rejects",
        sa.Column(
            "given_up_by",
            sa.Text(),
            nullable=True,
            comment="person, else role; why lies in content, stream reject/<workflow id>",
        ),
    )
