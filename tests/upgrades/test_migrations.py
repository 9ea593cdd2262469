"""Migrations go forward on a database that is filled and in use, and hold nobody up."""

from __future__ import annotations

import asyncio
import textwrap
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from temporalio.testing import WorkflowEnvironment

from settings import Settings
from storage import migrate
from storage.database import create_engine, transaction
from storage.migrate import TablesHeldError, upgrade
from storage.rebuild import rebuild
from tests.support.postgres import Databases
from tests.support.releases import RELEASES
from tests.support.system import System, running
from tests.support.wait import eventually

FILLED = 3000
"""Rows in each table."""

REVISIONS = [
    script.revision for script in reversed(list(ScriptDirectory.from_config(migrate._config()).walk_revisions()))
]
FIRST_RELEASE = (RELEASES[0] / "migration").read_text(encoding="utf-8").strip()
"""Where the first release stands: before it no worker had to be spared."""

TAKEN_AWAY: dict[str, str] = {}
"""Migrations that may take something away, each with why nobody uses it any more: the release that stopped using it."""

NEXT = """
import sqlalchemy as sa
from alembic import op

from storage.migrations import online

revision, down_revision = "next", {head!r}


def upgrade():
    {body}
"""

GOOD = """
op.add_column("complaints", sa.Column("mood", sa.Text(), comment="x"))
op.add_column("clocks", sa.Column("weight", sa.Integer(), server_default="1", nullable=False))
op.execute("ALTER TABLE clocks ADD CONSTRAINT heavy CHECK (weight > 0) NOT VALID")
op.create_table("moods", sa.Column("id", sa.Text(), primary_key=True), sa.Column("n", sa.Integer()))
op.create_index("moods_n_idx", "moods", ["n"])
online.create_index("ledger_next_idx", "ledger", ["occurred_at", "type"])
"""
BAD = {
    "op.create_index('ledger_next_idx', 'ledger', ['occurred_at'])": "ledger: an index that writers wait for",
    "op.add_column('clocks', sa.Column('x', sa.Text(), sa.Computed('obligation', True)))": "clocks: rewritten",
    "op.alter_column('ledger', 'seq', type_=sa.BigInteger())": "ledger: rewritten",
    "op.drop_column('complaints', 'owner')": "complaints: owner is gone",
    "op.alter_column('complaints', 'owner', new_column_name='holder')": "complaints: owner is gone",
    "op.alter_column('complaints', 'owner', nullable=False)": "complaints: owner must not be empty any more",
}


@pytest.fixture
def next_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts one more migration behind those there are."""

    def put(body: str) -> None:
        indented = textwrap.indent(textwrap.dedent(body).strip(), "    ").strip()
        (tmp_path / "next.py").write_text(NEXT.format(head=REVISIONS[-1], body=indented), encoding="utf-8")
        config = migrate._config()
        own = Path(migrate.__file__).parent / "migrations" / "versions"
        config.set_main_option("version_locations", f"{own}:{tmp_path}")
        monkeypatch.setattr(migrate, "_config", lambda: config)

    return put


async def to(url: str, revision: str, seen: Callable[..., None] | None = None) -> None:
    """Migrate as far as a revision; `seen` is asked within each migration's transaction."""

    def run(connection: Connection) -> None:
        config = migrate._config()
        config.attributes |= {"connection": connection, "on_version_apply": seen}
        command.upgrade(config, revision)

    engine = create_engine(url, connections=1, statement_seconds=None)
    async with engine.connect() as connection:
        await connection.run_sync(run)
        await connection.commit()
    await engine.dispose()


async def fill(url: str) -> int:
    """Rows into every table there is, whatever its columns; how many tables that were."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    columns: dict[str, list[asyncpg.Record]] = {}
    for row in await connection.fetch(_COLUMNS):
        columns.setdefault(row["table_name"], []).append(row)
    for table in sorted(columns, key=lambda name: (name not in {"people", "contract_versions"}, name)):
        named = ", ".join(f'"{row["column_name"]}"' for row in columns[table])
        values = ", ".join(_value(table, row["column_name"], row["data_type"]) for row in columns[table])
        await connection.execute(f"INSERT INTO {table} ({named}) SELECT {values} FROM generate_series(1, {FILLED}) i")
    await connection.close()
    return len(columns)


_COLUMNS = """
SELECT table_name, column_name, data_type FROM information_schema.columns JOIN information_schema.tables
USING (table_schema, table_name)
WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND table_name <> 'alembic_version'
AND is_generated = 'NEVER' AND (is_nullable = 'NO' OR column_name IN ('wrapped', 'nonce', 'master_key_id'))
AND identity_generation IS NULL ORDER BY ordinal_position
"""


def _value(table: str, column: str, kind: str) -> str:
    if column == "stream":
        return "'complaint/c/x' || i"
    if kind == "jsonb":
        return "'{}'::jsonb" if table != "ledger" else """'{"type": "noted"}'::jsonb"""
    return {
        "text": "'x' || i",
        "json": "'{}'::json",
        "integer": "1",
        "smallint": "1",
        "bigint": "i",
        "boolean": "false",
        "bytea": "'\\x00'::bytea",
        "uuid": "gen_random_uuid()",
        "numeric": "1",
        "ARRAY": "'{}'",
    }.get(kind, "now()")


async def test_every_migration_goes_forward_on_filled_tables(databases: Databases) -> None:
    """From the first tables, thousands of rows in each, through every migration to those of this version."""
    url = await databases.empty()
    await to(url, REVISIONS[0])
    assert await fill(url) > 10
    await asyncio.to_thread(upgrade, url)
    engine = create_engine(url)
    async with transaction(engine) as connection:
        assert (await migrate.standing(connection))[0] == REVISIONS[-1]
        for table in ("ledger", "complaints", "clocks", "notices", "content_keys"):
            assert await connection.scalar(text(f"SELECT count(*) FROM {table}")) == FILLED
    await engine.dispose()


class Held:
    """What a migration does to the tables that were there before it, seen from within its transaction."""

    def __init__(self) -> None:
        self.found: dict[str, list[str]] = {}
        self._before: dict[str, Any] = {}
        self._columns: dict[tuple[str, str], bool] = {}

    def look(self, connection: Connection) -> None:
        """How the tables are now."""
        self._before = {row[0]: row[1] for row in connection.execute(text(_FILES))}
        self._columns = {(row[0], row[1]): row[2] for row in connection.execute(text(_NULLABLE))}

    def seen(self, *, ctx: Any, step: Any, **_: Any) -> None:
        connection = ctx.connection
        before, columns = self._before, self._columns
        waits = {row[0] for row in connection.execute(text(_SHARED)) if row[0] in before}
        self.look(connection)
        found = [f"{name}: an index that writers wait for" for name in sorted(waits)]
        found += [
            f"{name}: rewritten" for name in before if name in self._before and self._before[name] != before[name]
        ]
        for (table, column), empty in columns.items():
            if (table, column) not in self._columns:
                found.append(f"{table}: {column} is gone")
            elif empty and not self._columns[table, column]:
                found.append(f"{table}: {column} must not be empty any more")
        self.found[step.up_revision_id] = found


_FILES = """
SELECT relname, relfilenode FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
AND relname <> 'alembic_version'
"""
_NULLABLE = """
SELECT table_name, column_name, is_nullable = 'YES' FROM information_schema.columns WHERE table_schema = 'public'
"""
_SHARED = """
SELECT DISTINCT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
WHERE l.pid = pg_backend_pid() AND l.mode = 'ShareLock' AND c.relkind = 'r'
"""


async def judged(url: str) -> dict[str, list[str]]:
    """What each migration to come does that a running system would notice."""
    held = Held()
    engine = create_engine(url, connections=1)
    async with transaction(engine) as connection:
        await connection.run_sync(held.look)
    await engine.dispose()
    await to(url, "head", held.seen)
    return held.found


async def test_no_migration_since_the_first_release_holds_anybody_up(databases: Databases) -> None:
    """No table is rewritten, no index built while writers wait, nothing taken away that another release still uses."""
    url = await databases.empty()
    await to(url, FIRST_RELEASE)
    found = await judged(url)
    assert {name: said for name, said in found.items() if said and name not in TAKEN_AWAY} == {}


async def test_a_good_migration_is_found_good(postgres_url: str, next_migration: Callable[[str], None]) -> None:
    """What docs/upgrades.md advises passes: a column, a check that is not validated, a table, an index built online."""
    next_migration(GOOD)
    assert await judged(postgres_url) == {"next": []}


@pytest.mark.parametrize(("body", "said"), BAD.items())
async def test_a_migration_that_holds_people_up_is_caught(
    postgres_url: str, next_migration: Callable[[str], None], body: str, said: str
) -> None:
    """Each way to hold everybody up, or to break the release that still runs, is seen for what it is."""
    drop = "op.execute('DROP VIEW IF EXISTS desk, record_table, supervision CASCADE')\n"
    next_migration(drop + body)
    found = (await judged(postgres_url))["next"]
    assert said in found, found


async def test_a_migration_lets_others_go_first(
    postgres_url: str, next_migration: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While somebody reads a table for long, writers get through; the migration is done once the table is free."""
    next_migration(GOOD)
    reader, writer = [await asyncpg.connect(postgres_url.replace("+asyncpg", "")) for _ in range(2)]
    reading = reader.transaction()
    await reading.start()
    await reader.fetch("SELECT * FROM complaints")
    migrating = asyncio.create_task(asyncio.to_thread(upgrade, postgres_url))
    await eventually(lambda: writer.fetch("SELECT 1 FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"))
    for _ in range(3):  # each would wait for ever behind a migration that waits for ever
        await writer.execute("UPDATE complaints SET stage = stage", timeout=30)
    assert not migrating.done()
    await reading.rollback()
    await migrating
    assert await writer.fetchval("SELECT version_num FROM alembic_version") == "next"
    for connection in (reader, writer):
        await connection.close()


async def test_tables_that_are_never_free_are_said(
    postgres_url: str, next_migration: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its patience it ends with what to do; nothing of the migration is left behind, and it can be run again."""
    next_migration(GOOD)
    monkeypatch.setattr(migrate, "PATIENCE", 0)
    reader = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
    async with reader.transaction():
        await reader.fetch("SELECT * FROM complaints")
        with pytest.raises(TablesHeldError, match="pg_stat_activity"):
            await asyncio.to_thread(upgrade, postgres_url)
        columns = "SELECT 1 FROM information_schema.columns WHERE column_name IN ('mood', 'weight')"
        assert await reader.fetch(columns) == []
    await asyncio.to_thread(upgrade, postgres_url)
    await reader.close()


@pytest.fixture
async def filled(temporal_env: WorkflowEnvironment, settings: Settings) -> AsyncIterator[System]:
    """A running system in whose tables thousands of closed complaints lie, copies of one that was lived."""
    own = settings.model_copy(update={"task_queue": f"ombud-{uuid.uuid4().hex[:12]}"})
    async with running(temporal_env.client, own) as system:
        handle = await system.open("maintenance-service", "FIRST", category="usage", level="1")
        await handle.execute_update("answer", {"text": "Yes."})
        await handle.execute_update("accept", {})
        await handle.result()
        for statement in _COPIES:
            await system.rows(f"{statement} RETURNING 1", n=FILLED)
        yield system


_COPIES = (
    """
    INSERT INTO registry SELECT (jsonb_populate_record(r, jsonb_build_object('reference', 'COPY-' || i))).*
    FROM registry r CROSS JOIN generate_series(1, CAST(:n AS int)) i WHERE r.reference = 'FIRST'
    """,
    """
    INSERT INTO ledger SELECT (jsonb_populate_record(
        l, jsonb_build_object('stream', 'complaint/maintenance-service/COPY-' || i)
    )).*
    FROM ledger l CROSS JOIN generate_series(1, CAST(:n AS int)) i
    WHERE l.stream = 'complaint/maintenance-service/FIRST' ORDER BY i, seq
    """,
)


@asynccontextmanager
async def people_at_work(system: System) -> AsyncIterator[list[str]]:
    """Complaints are opened, told things and answered all the while; anything that fails is raised at the end."""
    done: list[str] = []
    over = asyncio.Event()

    async def work(who: int) -> None:
        n = 0
        while not over.is_set():
            n += 1
            handle = await system.open("maintenance-service", f"LIVE-{who}-{n}", category="usage", level="1")
            await handle.execute_update("note", {"text": "Looking."})
            await handle.execute_update("answer", {"text": "Yes."})
            await handle.execute_update("accept", {})
            result = await handle.result()
            assert result["closed"] == "accepted"
            done.append(handle.id)

    tasks = [asyncio.create_task(work(who)) for who in range(4)]
    try:
        yield done
    finally:
        over.set()
        await asyncio.gather(*tasks)


async def test_a_migration_runs_while_people_work(filled: System, next_migration: Callable[[str], None]) -> None:
    """Openings and commands before, during and after it: none fails, nothing is lost, the tables are the new ones."""
    next_migration(GOOD)
    async with people_at_work(filled) as done:
        await eventually(lambda: len(done) >= 4)
        await asyncio.to_thread(upgrade, filled.settings.database_url)
        after = len(done)
        await eventually(lambda: len(done) >= after + 8)
    (stands,) = await filled.rows("SELECT version_num FROM alembic_version")
    assert stands["version_num"] == "next"
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ledger_next_idx'::regclass"
    assert await filled.rows(valid) == [{"indisvalid": True}]
    query = (
        "SELECT 'complaint/' || id AS id FROM complaints WHERE reference LIKE 'LIVE-%' AND closed_reason = 'accepted'"
    )
    await eventually(lambda: _ids(filled, query, set(done)))
    live = [one for one in await rebuild(filled.engine, apply=False) if "COPY-" not in str(one)]
    assert live == []


async def _ids(system: System, query: str, wanted: set[str]) -> bool:
    return {row["id"] for row in await system.rows(query)} == wanted
