"""Derives every projection from the ledger again, compares, and repairs (invariant 18).

The derived rows go into tables of a passing schema, through the code that records live, so that no second account of
what an entry means can disagree. Memory stays small however long the ledger is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Column, FromClause, MetaData, Table, and_, delete, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.schema import CreateSchema, DropSchema

from rules.contract import Contract
from rules.fold import fold
from rules.ledger import Entry
from rules.stage import reached
from storage import contracts
from storage.changes import Changes, derived_columns
from storage.database import create_engine, transaction
from storage.ledger import stream_of
from storage.projector import project_complaint, project_message, project_privacy, project_webhook
from storage.tables import PROJECTIONS, ledger, registry

AT_ONCE = 200
"""Streams projected together."""

ASIDE = "rebuild"
"""The schema of the derived tables; it is gone when the rebuild is done, or has failed."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A row of a projection that is not what the ledger says."""

    table: str
    key: tuple[Any, ...]
    kind: Literal["missing", "extra", "different"]
    columns: tuple[str, ...] = ()
    """Those that differ."""

    def __str__(self) -> str:
        where = f" in {', '.join(self.columns)}" if self.columns else ""
        return f"{self.table} {'/'.join(map(str, self.key))}: {self.kind}{where}"


class UnregisteredError(Exception):
    """A complaint has a ledger but no registration, so nobody knows its contract version."""


async def rebuild(engine: AsyncEngine, *, apply: bool) -> list[Difference]:
    """Every difference between the projections and the ledger; with `apply` each is repaired.

    Runs on a connection of its own, whose statements may take what they need. Records wait until it is done, clocks do
    not. Raises UnregisteredError, PostgresUnreachableError.
    """
    url = engine.url.render_as_string(hide_password=False)
    patient = create_engine(url, connections=1, statement_seconds=None)
    try:
        return await _rebuild(patient, apply=apply)
    finally:
        await patient.dispose()


async def _rebuild(engine: AsyncEngine, *, apply: bool) -> list[Difference]:
    async with transaction(engine) as connection:
        # Nothing is recorded between deriving and comparing; reading goes on.
        names = ", ".join(table.name for table in (ledger, *PROJECTIONS))
        await connection.execute(text(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE"))
        derived = MetaData()
        pairs = [(table, table.to_metadata(derived, schema=ASIDE).alias("derived")) for table in PROJECTIONS]
        await connection.execute(CreateSchema(ASIDE))
        await connection.run_sync(derived.create_all, checkfirst=False)
        await _derive(connection)
        found = [difference for live, right in pairs async for difference in _compare(connection, live, right)]
        if apply and found:
            for live, right in pairs:
                await _repair(connection, live, right)
        await connection.execute(DropSchema(ASIDE, cascade=True))
    return found


async def _derive(connection: AsyncConnection) -> None:
    """Project every stream into the tables aside, complaints before what else there is of them."""
    laws: dict[str, Contract] = {}
    of_registry = func.concat(stream_of(""), registry.c.contract, "/", registry.c.reference)
    query = (
        select(ledger.c.stream, registry.c.version)
        .outerjoin(registry, of_registry == ledger.c.stream)
        .where(ledger.c.seq == 1)
        .order_by(ledger.c.stream)
    )
    streams = (await connection.execute(query)).all()
    for start in range(0, len(streams), AT_ONCE):
        versions = dict(streams[start : start + AT_ONCE])
        changes = Changes()
        for stream, entries in (await _entries(connection, list(versions))).items():
            kind, _, name = stream.partition("/")
            if kind == "complaint":
                version = versions[stream]
                if version is None:
                    raise UnregisteredError(f"Complaint {name} has a ledger but no registration; restore a backup.")
                if version not in laws:
                    laws[version] = (await contracts.load(connection, version)).parsed()
                project_complaint(changes, name, version, reached(fold(entries), laws[version]), entries)
            elif kind == "webhook":
                project_webhook(changes, name, entries)
            elif kind == "message":
                project_message(changes, name, entries)
            else:
                project_privacy(changes, name, entries)
        await connection.execution_options(schema_translate_map={None: ASIDE})
        await changes.apply(connection)
        await connection.execution_options(schema_translate_map=None)


async def _entries(connection: AsyncConnection, streams: list[str]) -> dict[str, list[Entry]]:
    """The entries of these streams, in order."""
    found: dict[str, list[Entry]] = {stream: [] for stream in streams}
    query = select(ledger.c.stream, ledger.c.body).where(ledger.c.stream.in_(streams)).order_by(ledger.c.seq)
    for stream, body in await connection.execute(query):
        found[stream].append(Entry.model_validate(body))
    return found


async def _compare(connection: AsyncConnection, live: Table, right: FromClause) -> AsyncIterator[Difference]:
    """Row by row in Postgres; only rows that differ come here."""
    keys, columns = list(live.primary_key), derived_columns(live)
    same = and_(*(key == right.c[key.name] for key in keys))
    rows = await connection.execute(
        select(*live.c, *right.c)
        .select_from(live.outerjoin(right, same, full=True))
        .where(or_(*(column.is_distinct_from(right.c[column.name]) for column in columns)))
        .order_by(*(func.coalesce(key, right.c[key.name]) for key in keys))
    )
    first = keys[0]
    for row in rows.mappings():
        here, there = row[first] is not None, row[right.c[first.name]] is not None
        key = tuple(row[part] if here else row[right.c[part.name]] for part in keys)
        if here and there:
            yield Difference(live.name, key, "different", _unlike(row, columns, right))
        else:
            yield Difference(live.name, key, "extra" if here else "missing")


def _unlike(row: Any, columns: list[Column[Any]], right: FromClause) -> tuple[str, ...]:
    return tuple(column.name for column in columns if row[column] != row[right.c[column.name]])


async def _repair(connection: AsyncConnection, live: Table, right: FromClause) -> None:
    """Make the live rows those that were derived. What says how a delivery is going stays."""
    same = and_(*(key == right.c[key.name] for key in live.primary_key))
    stored = [column for column in derived_columns(live) if column.computed is None]
    unlike = or_(*(column.is_distinct_from(right.c[column.name]) for column in stored))
    await connection.execute(delete(live).where(~select(right).where(same).exists()))
    await connection.execute(
        update(live).values({column.name: right.c[column.name] for column in stored}).where(same, unlike)
    )
    missing = select(*(right.c[column.name] for column in stored)).where(~select(live).where(same).exists())
    await connection.execute(insert(live).from_select([column.name for column in stored], missing))
