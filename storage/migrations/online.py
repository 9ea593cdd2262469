"""Changes that leave a table usable while they are made (docs/upgrades.md says which others do)."""

from __future__ import annotations

from typing import Any

from alembic import op

LOCK_TIMEOUT = "2s"
"""How long a migration waits for a table. All who come after it wait as long, so that it stays unnoticed."""


def create_index(name: str, table: str, columns: list[str], **more: Any) -> None:
    """An index on a table that may be large: built while others write to it. Not part of the migration's transaction.

    One that an attempt left behind, which may be invalid, is made anew.
    """
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")  # it waits for transactions, and nobody waits for it
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        op.create_index(name, table, columns, postgresql_concurrently=True, **more)
        op.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
