"""Row changes are merged in memory and applied in an order in which each finds its row."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.changes import Changes
from storage.database import transaction
from storage.tables import notices
from tests.support.recorded import at_noon


def notice(key: str) -> dict[str, object]:
    of = {
        "complaint": "small/R-1",
        "contract": "small",
        "seq": 1,
        "role": "handler.owner",
        "urgent": False,
        "joined": False,
    }
    return of | {"key": key, "occurred_at": at_noon(2), "planned_at": at_noon(2)}


def delivered(changes: Changes, key: str, message: str) -> None:
    """Claimed, then accepted by way of its message."""
    claimed = {"message": message, "person": "ann", "claimed_at": at_noon(2)}
    changes.change(notices, {"key": key}, claimed)
    changes.change(notices, {"message": message}, {"accepted_at": at_noon(3)})


async def test_what_is_found_by_its_message_was_claimed_before(engine: AsyncEngine) -> None:
    """A new notice and one that stands in Postgres, delivered in one set of changes, are both accepted."""
    async with transaction(engine) as connection:
        before = Changes()
        before.add(notices, notice("old"))
        await before.apply(connection)
        changes = Changes()
        changes.add(notices, notice("new"))
        delivered(changes, "new", "m1")
        delivered(changes, "old", "m2")
        await changes.apply(connection)
        states = (await connection.execute(select(notices.c.key, notices.c.state).order_by(notices.c.key))).all()
    assert [tuple(row) for row in states] == [("new", "accepted"), ("old", "accepted")]


async def test_a_row_left_by_damage_is_not_reset(engine: AsyncEngine) -> None:
    """A notice that is planned anew though its row is there keeps its delivery: nothing is sent twice."""
    async with transaction(engine) as connection:
        for _ in range(2):
            changes = Changes()
            changes.add(notices, notice("n"))
            await changes.apply(connection)
            sent = Changes()
            delivered(sent, "n", "m1")
            await sent.apply(connection)
        again = Changes()
        again.add(notices, notice("n"))
        await again.apply(connection)
        assert await connection.scalar(select(notices.c.state)) == "accepted"


async def test_the_earliest_word_counts_in_any_order(engine: AsyncEngine) -> None:
    """Two streams say when a notice failed; in whatever order, in memory or in Postgres, the earlier time stands."""
    for first, second in ((2, 3), (3, 2)):
        for apart in (False, True):
            async with transaction(engine) as connection:
                await connection.execute(notices.delete())
                changes = Changes()
                changes.add(notices, notice("n"))
                changes.change(notices, {"key": "n"}, {"undeliverable_at": at_noon(first)})
                if apart:
                    await changes.apply(connection)
                    changes = Changes()
                changes.change(notices, {"key": "n"}, {"undeliverable_at": at_noon(second)})
                await changes.apply(connection)
                assert await connection.scalar(select(notices.c.undeliverable_at)) == at_noon(2)
