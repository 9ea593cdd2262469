"""What the database itself refuses, and the record table of rule 15."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

APPEND_ONLY = ("ledger", "contract_versions", "content", "registry")

REFUSE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'OM001';
END $$
"""

# The one registration that may go is that of a start which never became a complaint.
KEEP_REGISTERED = """
CREATE FUNCTION keep_registered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM ledger WHERE stream = 'complaint/' || OLD.contract || '/' || OLD.reference) THEN
        RAISE EXCEPTION 'registry keeps %/%: its ledger has begun', OLD.contract, OLD.reference
            USING ERRCODE = 'OM001';
    END IF;
    RETURN OLD;
END $$
"""

NO_GAP = """
CREATE FUNCTION refuse_gap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.seq <> 1 AND NOT EXISTS (SELECT FROM ledger WHERE stream = NEW.stream AND seq = NEW.seq - 1) THEN
        RAISE EXCEPTION '% has no entry %, so entry % cannot follow', NEW.stream, NEW.seq - 1, NEW.seq
            USING ERRCODE = 'OM002';
    END IF;
    RETURN NEW;
END $$
"""

RECORD_TABLE = """
CREATE VIEW record_table AS
SELECT
    c.contract,
    c.reference,
    c.raised_at,
    c.received_at,
    'complaint/' || c.id || '#1' AS content,
    c.kind,
    c.category,
    c.level,
    c.stage,
    coalesce(c.owner, c.route) AS responsible,
    c.outcome,
    c.resolved_at,
    c.closed_at,
    c.closed_reason,
    k.next_due_at,
    k.next_due_provisional,
    coalesce(k.missed, 0) AS missed,
    coalesce(k.reported_late, 0) AS reported_late,
    k.missed_clauses,
    c.flags
FROM complaints c
LEFT JOIN LATERAL (
    SELECT
        min(due_at) FILTER (WHERE status = 'running') AS next_due_at,
        (array_agg(provisional ORDER BY due_at) FILTER (WHERE status = 'running'))[1] AS next_due_provisional,
        count(*) FILTER (WHERE missed_at IS NOT NULL) AS missed,
        count(*) FILTER (WHERE refuted_at IS NOT NULL) AS reported_late,
        array_agg(clause ORDER BY due_at) FILTER (WHERE missed_at IS NOT NULL) AS missed_clauses
    FROM clocks
    WHERE complaint = c.id
) k ON true
"""


def upgrade() -> None:
    op.execute(REFUSE)
    for table in APPEND_ONLY:
        changes = "UPDATE" if table == "registry" else "UPDATE OR DELETE"
        op.execute(
            f"CREATE TRIGGER append_only BEFORE {changes} ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute(KEEP_REGISTERED)
    op.execute(
        "CREATE TRIGGER keep_registered BEFORE DELETE ON registry FOR EACH ROW EXECUTE FUNCTION keep_registered()"
    )
    op.execute(NO_GAP)
    op.execute("CREATE TRIGGER no_gap BEFORE INSERT ON ledger FOR EACH ROW EXECUTE FUNCTION refuse_gap()")
    op.execute(RECORD_TABLE)
    op.execute(
        "COMMENT ON VIEW record_table IS "
        "'the record of complaints (B 说明一.6): time, content (its id), result, person responsible, what was missed'"
    )
