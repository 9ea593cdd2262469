"""What the tables are made of, and what a column says of itself."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, DateTime, MetaData, Text, text
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)

WORKING = {"working": True}
"""`Column.info` of what says how a delivery is going: in no ledger, so a rebuild leaves it alone."""

MERGE = "merge"
"""Key in `Column.info`: how a change joins what the column holds. A column without it takes the change as it is."""
OBJECT, SUM, EARLIEST = "object", "sum", "earliest"

Time = DateTime(timezone=True)


def needed(name: str, kind: Any = Text, **more: Any) -> Column[Any]:
    """One that is never empty."""
    return Column(name, kind, nullable=False, **more)


def objects(name: str, comment: str) -> Column[Any]:
    """A JSON object that entries add members to."""
    return Column(
        name, JSONB, nullable=False, server_default=text("'{}'::jsonb"), comment=comment, info={MERGE: OBJECT}
    )


def listed(name: str, comment: str) -> Column[Any]:
    """A JSON list, empty at first."""
    return Column(name, JSONB, nullable=False, server_default=text("'[]'::jsonb"), comment=comment)
