"""Old, closed cases straight into Postgres: registered and recorded many at a time, without a workflow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.ledger import Entry
from storage.content import Vault
from storage.recording import record
from storage.tables import registry

Standing = Literal["new", "there", "conflict"]


@dataclass(frozen=True, slots=True)
class OldCase:
    """A whole complaint, from opening to closure, as a batch for `storage.recording`."""

    contract: str
    reference: str
    digest: str
    version: str
    stage: str
    entries: tuple[Entry, ...]
    texts: dict[int, dict[str, str]]

    @property
    def complaint(self) -> str:
        return f"{self.contract}/{self.reference}"


async def bring_in(
    connection: AsyncConnection, vault: Vault, cases: Sequence[OldCase], run: str, at: datetime
) -> list[Standing]:
    """Register and record what is new, all in the caller's transaction; says of each case how it stood.

    `run` names the import in the register, in the place of a workflow's first run. Of two cases with one reference the
    first counts.
    """
    taken = await _register(connection, cases, run, at)
    standing: list[Standing] = []
    new: list[OldCase] = []
    for case in cases:
        digest = taken[case.complaint]
        if digest:
            standing.append("there" if digest == case.digest else "conflict")
        else:
            standing.append("new")
            new.append(case)
            taken[case.complaint] = case.digest
    await record(connection, vault, new)
    return standing


async def _register(connection: AsyncConnection, cases: Sequence[OldCase], run: str, at: datetime) -> dict[str, str]:
    """By complaint: nothing when it was registered just now, else the digest that it was registered under before."""
    rows = {
        case.complaint: {
            "contract": case.contract,
            "reference": case.reference,
            "digest": case.digest,
            "first_run": run,
            "version": case.version,
            "registered_at": at,
        }
        for case in reversed(cases)
    }
    if not rows:
        return {}
    key = (registry.c.contract, registry.c.reference)
    added = await connection.execute(
        insert(registry).on_conflict_do_nothing().returning(*key), [rows[name] for name in sorted(rows)]
    )
    taken = {f"{contract}/{reference}": "" for contract, reference in added}
    others = [(r["contract"], r["reference"]) for name, r in rows.items() if name not in taken]
    if others:
        there = await connection.execute(select(*key, registry.c.digest).where(tuple_(*key).in_(others)))
        taken |= {f"{contract}/{reference}": digest for contract, reference, digest in there}
    return taken
