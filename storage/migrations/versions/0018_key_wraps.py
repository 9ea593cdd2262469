"""The keys of streams may be sealed under several master keys, so that these can change while workers run."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "content_keys",
        sa.Column(
            "wraps",
            postgresql.JSONB(),
            nullable=True,
            comment="the key under each master key: id to nonce and ciphertext in hex; NULL once destroyed",
        ),
    )
    op.execute(
        "UPDATE content_keys SET wraps = jsonb_build_object(master_key_id, encode(nonce || wrapped, 'hex')) "
        "WHERE wrapped IS NOT NULL"
    )
    for column in ("wrapped", "nonce", "master_key_id"):
        op.drop_column("content_keys", column)
