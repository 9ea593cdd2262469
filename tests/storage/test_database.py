"""An outage is one clear message, and what a record costs is known."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import event, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine

from deploy.ports import free_port
from rules.ledger import Entry
from storage import database
from storage.content import Vault
from storage.database import PostgresUnreachableError, SchemaMissingError, ask, create_engine, questions, transaction
from storage.recording import record
from tests.support.postgres import Databases
from tests.support.recorded import batch, on_record
from tests.support.story import Story


async def told(engine: AsyncEngine, statement: str) -> Any:
    """The first value, in a transaction."""
    async with transaction(engine) as connection:
        return await connection.scalar(text(statement))


async def questioned(engine: AsyncEngine, statement: str) -> Any:
    """The first value, in a transaction of the statement's own."""
    async with questions(engine) as connection:
        return await connection.scalar(text(statement))


async def asked(engine: AsyncEngine, statement: str) -> Any:
    """The first value, of one statement that is asked in one go."""
    rows = await ask(engine, text(statement), {})
    return rows[0][0]


WAYS = pytest.mark.parametrize("way", [told, questioned, asked])


@WAYS
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"port": 0}, "Connect call failed"),
        ({"host": "nowhere.invalid"}, "nowhere.invalid"),
        ({"password": "wrong"}, "password"),
        ({"database": "none_such"}, "none_such"),
    ],
    ids=["nobody listens", "unknown host", "wrong password", "no such database"],
)
async def test_an_outage_is_one_clear_message(postgres_url: str, change: dict[str, Any], said: str, way: Any) -> None:
    """Whatever keeps Postgres away, the message says where it was looked for, what happened and what to set."""
    change = {"port": free_port()} if "port" in change else change
    engine = create_engine(make_url(postgres_url).set(**change).render_as_string(hide_password=False))
    with pytest.raises(PostgresUnreachableError) as error:
        await way(engine, "SELECT 1")
    assert said in str(error.value)
    assert "OMBUD_DATABASE_URL" in str(error.value)
    assert "wrong" not in str(error.value), "the password is not told"
    await engine.dispose()


@WAYS
async def test_a_lost_connection_is_an_outage_and_heals(engine: AsyncEngine, way: Any) -> None:
    """A server that ends the connection in a transaction is an outage; the next transaction finds it again."""
    with pytest.raises(PostgresUnreachableError):
        await way(engine, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert await way(engine, "SELECT 1") == 1


@WAYS
async def test_connections_lost_at_rest_are_replaced(
    engine: AsyncEngine, postgres_url: str, way: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Postgres restarted while nobody asked it anything: the next one who asks notices nothing."""
    monkeypatch.setattr(database, "TRUSTED_SECONDS", 0)
    async with transaction(engine) as one, transaction(engine) as two:
        held = [await connection.scalar(text("SELECT pg_backend_pid()")) for connection in (one, two)]
    other = create_engine(postgres_url)
    async with transaction(other) as connection:
        for pid in held:
            await connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
    await other.dispose()
    found = await asyncio.gather(*(way(engine, "SELECT pg_backend_pid()") for _ in held))
    assert len(set(found)) == len(held)
    assert not set(found) & set(held)


@WAYS
async def test_missing_tables_are_named(databases: Databases, way: Any) -> None:
    """A database that was never migrated is told apart from an outage, with the command that helps."""
    engine = create_engine(await databases.empty())
    with pytest.raises(SchemaMissingError, match="ombud migrate"):
        await way(engine, "SELECT * FROM ledger")
    await engine.dispose()


@WAYS
async def test_a_fault_of_ours_is_not_called_an_outage(engine: AsyncEngine, way: Any) -> None:
    """An error in a statement is not hidden behind a message about an outage."""
    with pytest.raises(Exception, match="division by zero"):
        await way(engine, "SELECT 1/0")


async def test_the_callers_errors_stay_what_they_are(engine: AsyncEngine) -> None:
    """An error of the caller inside a transaction undoes it and is not called an outage."""

    async def stumble() -> None:
        async with transaction(engine) as connection:
            await connection.execute(text("INSERT INTO people VALUES ('ann', 'Ann', 'a@example.com', 'en', 'UTC')"))
            raise FileNotFoundError

    with pytest.raises(FileNotFoundError):
        await stumble()
    async with transaction(engine) as connection:
        assert await connection.scalar(text("SELECT count(*) FROM people")) == 0


@WAYS
async def test_a_statement_that_hangs_is_an_outage(postgres_url: str, way: Any) -> None:
    """A server that does not answer in time counts as away, and the connection is not used again in that state."""
    engine = create_engine(postgres_url, connections=1, statement_seconds=0.2)
    with pytest.raises(PostgresUnreachableError):
        await way(engine, "SELECT pg_sleep(60)")
    assert await way(engine, "SELECT 1") == 1
    await engine.dispose()


@WAYS
async def test_who_goes_away_meanwhile_leaves_the_connection_usable(postgres_url: str, way: Any) -> None:
    """Whoever asked is cancelled while Postgres works: the only connection serves the next one, with its own answer."""
    engine = create_engine(postgres_url, connections=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await way(engine, "SELECT 1 FROM pg_sleep(60)")
    async with asyncio.timeout(10):
        assert await way(engine, "SELECT 2") == 2
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    await engine.dispose()


async def test_what_is_asked_in_one_go_is_on_record_at_once(engine: AsyncEngine) -> None:
    """A statement asked alone is a transaction of its own, and leaves none open behind it."""
    await ask(engine, text("INSERT INTO people VALUES ('ann', 'Ann', 'a@example.com', 'en', 'UTC') RETURNING id"), {})
    assert await told(engine, "SELECT count(*) FROM people") == 1
    assert (
        await told(
            engine,
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND state LIKE 'idle in transaction%'",
        )
        == 0
    )


async def test_statements_of_a_record(engine: AsyncEngine, vault: Vault) -> None:
    """A command with a text that meets a clock costs five statements, a bare one two; opening costs six at most."""
    story = Story().open("2026-03-02 10:00", level="2")
    opening = list(story.entries)
    version = await on_record(engine, vault, Story().open("2026-03-02 10:00", reference="R-0"))
    responding = story.tell("respond", "2026-03-02 10:05")
    assigning = story.tell("assign", "2026-03-02 10:06", person="ann")
    counts: Counter[str] = Counter()

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def count(_: object, __: object, statement: str, *___: object) -> None:
        counts[statement.partition(" ")[0]] += 1

    async def cost(entries: list[Entry]) -> int:
        counts.clear()
        async with transaction(engine) as connection:
            await record(connection, vault, [batch(story, version, entries)])
        return counts.total()

    assert await cost(opening) <= 6
    assert await cost(responding) == 5
    assert await cost(assigning) == 2
    assert await cost(assigning) == 2


async def test_connections_are_bounded(postgres_url: str) -> None:
    """More work than connections waits its turn and is done: nobody is refused."""
    engine = create_engine(postgres_url, connections=2)
    mine = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")

    async def work() -> int:
        async with transaction(engine) as connection:
            return await connection.scalar(mine) or 0

    assert max(await asyncio.gather(*(work() for _ in range(20)))) <= 2
    await engine.dispose()
