"""What mail servers tell of messages after they accepted them: delivered, or bounced."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

STATES = {
    "notices": (
        "CASE WHEN acknowledged_at IS NOT NULL THEN 'acknowledged' WHEN bounced_at IS NOT NULL THEN 'bounced' "
        "WHEN undeliverable_at IS NOT NULL AND coalesce(accepted_at <= undeliverable_at, true) THEN 'undeliverable' "
        "WHEN delivered_at IS NOT NULL THEN 'delivered' WHEN accepted_at IS NOT NULL THEN 'accepted' "
        "WHEN claimed_at IS NOT NULL THEN 'claimed' ELSE 'planned' END"
    ),
    "messages": (
        "CASE WHEN bounced_at IS NOT NULL THEN 'bounced' WHEN undeliverable_at IS NOT NULL THEN 'undeliverable' "
        "WHEN delivered_at IS NOT NULL THEN 'delivered' WHEN accepted_at IS NOT NULL THEN 'accepted' "
        "ELSE 'claimed' END"
    ),
}

DELIVERED = {
    "notices": "it lay in the recipient's mailbox, says a report of their server",
    "messages": "it lay in the mailbox, says a report, kept in content like the mail",
}
BOUNCED = "it came back after it was accepted; undeliverable since then"

BUILT_ON_STATES = """
SELECT v.oid::regclass::text AS name, pg_get_viewdef(v.oid) AS definition, obj_description(v.oid) AS comment
FROM pg_class v WHERE v.relkind = 'v' AND EXISTS (
    SELECT FROM pg_rewrite r JOIN pg_depend d ON d.objid = r.oid AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE r.ev_class = v.oid AND a.attname = 'state' AND d.refobjid IN ('notices'::regclass, 'messages'::regclass)
)
ORDER BY v.oid
"""


def upgrade() -> None:
    # A computed column is changed by making it again, with what is built on it.
    views = op.get_bind().execute(sa.text(BUILT_ON_STATES)).all()
    for view in reversed(views):
        op.execute(f"DROP VIEW {view.name}")
    for table, state in STATES.items():
        new = {"delivered_at": DELIVERED[table]} | ({"bounced_at": BOUNCED} if table == "messages" else {})
        for name, said in new.items():
            op.add_column(table, sa.Column(name, sa.DateTime(timezone=True), nullable=True, comment=said))
        op.drop_column(table, "state")
        op.add_column(table, sa.Column("state", sa.Text(), sa.Computed(state, persisted=True), nullable=False))
    for view in views:
        op.execute(f"CREATE VIEW {view.name} AS {view.definition}")
        if view.comment:
            quoted = view.comment.replace("'", "''")
            op.execute(f"COMMENT ON VIEW {view.name} IS '{quoted}'")
