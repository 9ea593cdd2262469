"""Row changes of the projections: gathered and merged in memory, then applied with few statements.

A table whose column says how changes merge (`tables.MERGE`) has it said once, for rows in memory and for rows in
Postgres alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, Update, bindparam, func, update
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import EARLIEST, MERGE, OBJECT, PROJECTIONS, SUM

Row = dict[str, Any]
Key = tuple[tuple[str, Any], ...]
"""Column and value of each part of what a row is found by."""
Shape = tuple[tuple[str, ...], tuple[str, ...]]
"""The columns a row is found by, and the columns that change."""


class Changes:
    """New rows and changes to rows, at most one of either for each key. What comes later outranks what came before."""

    def __init__(self) -> None:
        self._new: dict[Table, dict[Key, Row]] = {table: {} for table in PROJECTIONS}
        self._changed: dict[Table, dict[Key, Row]] = {table: {} for table in PROJECTIONS}

    def add(self, table: Table, row: Row) -> None:
        """A row that begins."""
        self._new[table][tuple((part.name, row[part.name]) for part in table.primary_key)] = row

    def change(self, table: Table, where: Mapping[str, Any], row: Row) -> None:
        """A change of every row with these values, be it in Postgres or among those added here."""
        key = tuple(where.items())
        target = self._new[table].get(key)
        if target is None:
            target = self._changed[table].setdefault(key, {})
        for name, value in row.items():
            target[name] = _merged(table.c[name], target.get(name), value)

    async def apply(self, connection: AsyncConnection) -> None:
        """Write it all: one statement for the new rows of a table, one for each set of columns that changes."""
        for table, rows in self._new.items():
            if rows:
                # A row that is there already was left by damage; it stays for a rebuild to judge, no notice sent twice.
                await connection.execute(_insert(table), [_whole(table, row) for row in rows.values()])
        for table, changed in self._changed.items():
            for (where, names), parameters in _by_shape(table, changed):
                await connection.execute(_update(table, where, names), parameters)


# To build a statement costs as much as to carry it out, and there are few.
@cache
def _insert(table: Table) -> Insert:
    return insert(table).on_conflict_do_nothing()


@cache
def _update(table: Table, where: tuple[str, ...], names: tuple[str, ...]) -> Update:
    found_by = (table.c[name] == bindparam(f"where_{name}") for name in where)
    return update(table).where(*found_by).values({name: _merging(table.c[name]) for name in names})


def derived_columns(table: Table) -> list[Column[Any]]:
    """The columns of a projection that its ledger determines."""
    return [column for column in table.c if not column.info.get("working")]


def _derived(table: Table) -> list[Column[Any]]:
    return [column for column in derived_columns(table) if column.computed is None]


def _whole(table: Table, row: Row) -> Row:
    empty = {OBJECT: {}, SUM: 0}
    return {c.name: row[c.name] if c.name in row else empty.get(c.info.get(MERGE, "")) for c in _derived(table)}


def _merged(column: Column[Any], before: Any, value: Any) -> Any:
    if before is None or value is None:
        return value
    match column.info.get(MERGE):
        case "object":
            return before | value
        case "sum":
            return before + value
        case "earliest":
            return min(before, value)
    return value


def _merging(column: Column[Any]) -> ColumnElement[Any]:
    value = bindparam(f"new_{column.name}", type_=column.type)
    how = column.info.get(MERGE)
    if how == OBJECT:
        return column.op("||")(value)
    if how == SUM:
        return column + value
    return func.least(column, value) if how == EARLIEST else value


def _by_shape(table: Table, changed: Mapping[Key, Row]) -> list[tuple[Shape, list[Row]]]:
    """The changes as parameters, those that one statement can carry out together. Changes by primary key come first:
    what is found by its message must have been claimed by it.
    """
    shapes: dict[Shape, list[Row]] = {}
    for key, row in changed.items():
        shape = tuple(name for name, _ in key), tuple(sorted(row))
        parameters = {f"where_{name}": value for name, value in key} | {f"new_{name}": row[name] for name in row}
        shapes.setdefault(shape, []).append(parameters)
    by_key = tuple(part.name for part in table.primary_key)
    return sorted(shapes.items(), key=lambda found: found[0][0] != by_key)
