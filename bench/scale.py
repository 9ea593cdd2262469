"""What one open complaint takes, and what a million would: `python -m bench.scale [--complaints 10000]`.

Opens complaints under the shipped maintenance contract with one worker, then looks at every table of Postgres and of
Temporal's own database. The arithmetic for a million is printed with its factors; docs/scale.md says what it means.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.desks import complaint, publish, side_by_side, start
from bench.ground import Ground, ground, workers
from bench.opening import settled
from tests.support.wait import eventually

MILLION = 1_000_000

Sizes = dict[str, int]
"""Bytes by table."""


async def postgres(at: Ground) -> Sizes:
    """Of each table that holds anything, with its indexes and what lies beside it."""
    rows = await at.rows(
        "SELECT c.relname, pg_total_relation_size(c.oid) FROM pg_class c "
        "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY 1"
    )
    return {name: int(size) for name, size in rows}


def temporal(file: Path) -> Sizes:
    """Bytes of the values in each table of the development server's database; pages and indexes come on top."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        found: Sizes = {}
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            columns = [column[1] for column in database.execute(f"PRAGMA table_info({name})")]
            lengths = " + ".join(f"coalesce(length(CAST({column} AS BLOB)), 0)" for column in columns)
            found[name] = database.execute(f"SELECT coalesce(sum({lengths}), 0) FROM {name}").fetchone()[0]
        pages = database.execute("PRAGMA page_count").fetchone()[0]
        found["(the whole file)"] = pages * database.execute("PRAGMA page_size").fetchone()[0]
        return found


async def measure(count: int) -> dict[str, Sizes]:
    """Bytes that each open complaint added, by where and what."""
    async with ground() as at:
        desks = await publish(at, 40)
        async with workers(at) as (worker,):
            await _open(at, desks, "warm", 50)
            before = await postgres(at), temporal(at.folder / "temporal.db"), await settled(worker)
            began = time.time()
            await _open(at, desks, "open", count)
            print(f"{count:,} opened, {count / (time.time() - began):.1f} a second")
            after = await postgres(at), temporal(at.folder / "temporal.db"), await settled(worker)
            history = await at.client.get_workflow_handle(f"complaint/{desks[0]}/open-{0:05}").fetch_history()
    return {
        "Postgres": _each(before[0], after[0], count),
        "Temporal": _each(before[1], after[1], count),
        "worker": {"memory, cached": (after[2] - before[2]) // count},
        "history": {
            f"{len(history.events)} events": sum(event.ByteSize() for event in history.events),
            "of them the contract and the first entries": max(event.ByteSize() for event in history.events),
        },
    }


async def _open(at: Ground, desks: list[str], name: str, count: int) -> None:
    due = datetime.now(UTC) + timedelta(minutes=14)
    asked = [complaint(desks[i % len(desks)], f"{name}-{i:05}", due) for i in range(count)]
    await side_by_side(partial(start, at, one) for one in asked)

    async def all_open() -> bool:
        await asyncio.sleep(0.2)
        return await at.count("SELECT count(*) FROM complaints WHERE reference LIKE :like", like=f"{name}-%") >= count

    await eventually(all_open, 1800)


def _each(before: Sizes, after: Sizes, count: int) -> Sizes:
    return {name: each for name in after if (each := (after[name] - before.get(name, 0)) // count) > 0}


def show(found: dict[str, Sizes]) -> None:
    table = Table("where", "what", "bytes for each", "GB for a million")
    for where, sizes in found.items():
        for name, each in sorted(sizes.items(), key=lambda one: -one[1]):
            table.add_row(where, name, f"{each:,}", f"{each * MILLION / 1e9:,.1f}")
        if where == "Postgres":
            total = sum(sizes.values())
            table.add_row(where, "(all)", f"{total:,}", f"{total * MILLION / 1e9:,.1f}")
    Console().print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--complaints", type=int, default=10_000)
    show(asyncio.run(measure(parser.parse_args().complaints)))
