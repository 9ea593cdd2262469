"""Who may come in over HTTP, and the record of who had access and who was refused."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

Json = postgresql.JSONB
Time = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.Text(), nullable=False, comment="part of the token, and no secret"),
        sa.Column("name", sa.Text(), nullable=False, comment="what it is for, in the words of whoever made it"),
        sa.Column("sha256", sa.Text(), nullable=False, comment="of its secret, which is stored nowhere"),
        sa.Column("previous_sha256", sa.Text(), comment="of the secret before the last rotation"),
        sa.Column("previous_until", Time, comment="until when that one is still good"),
        sa.Column("scopes", Json(), nullable=False, comment="open, act, read, supervise, admin"),
        sa.Column("roles", Json(), nullable=False, comment="whose acts it reports; all of one party"),
        sa.Column(
            "reports_for",
            Json(),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
            comment="other parties whose words it may pass on",
        ),
        sa.Column("contracts", Json(), comment="NULL for all"),
        sa.Column("complaints", Json(), comment="contract/reference each; NULL for all"),
        sa.Column("person", sa.Text(), comment="whose it is; NULL for a system"),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("expires_at", Time, nullable=False),
        sa.Column("revoked_at", Time),
        sa.PrimaryKeyConstraint("id", name="tokens_pkey"),
        comment="who may come in over HTTP, and what for",
    )
    op.create_table(
        "access_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("token", sa.Text(), comment="its id; NULL where none was known"),
        sa.Column("person", sa.Text(), comment="whose token it is; of via cli the user of the machine"),
        sa.Column("via", sa.Text(), nullable=False, comment="http or cli"),
        sa.Column("address", sa.Text(), comment="where the request came from"),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("contract", sa.Text()),
        sa.Column("complaint", sa.Text(), comment="contract/reference"),
        sa.Column("allowed", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), comment="why it was refused, or what exactly was done"),
        sa.PrimaryKeyConstraint("id", name="access_log_pkey"),
        comment="every access to content and every attempt that was refused; append-only",
    )
    op.create_index(
        "access_log_complaint_idx", "access_log", ["complaint"], postgresql_where=sa.text("complaint IS NOT NULL")
    )
    op.create_index("access_log_token_at_idx", "access_log", ["token", "at"])
    op.create_index("access_log_refused_idx", "access_log", ["at"], postgresql_where=sa.text("NOT allowed"))
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON access_log FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER never_emptied BEFORE TRUNCATE ON access_log FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
