"""A rate for each provider: never more mails than it allows, urgent ones first, and nobody held up for ever."""

import asyncio
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from storage import turns
from storage.database import transaction

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


async def ask(
    engine: AsyncEngine, person: str, seconds: float, mails: int = 2, domain: str = "qq.com", *, urgent: bool = False
) -> float:
    """Ask for a turn so many seconds after the start; the seconds it has to wait."""
    now = START + timedelta(seconds=seconds)
    async with transaction(engine) as db:
        wait = await turns.ask(db, person, domain, mails=mails, period=MINUTE, urgent=urgent, now=now)
    return wait.total_seconds()


async def test_what_exceeds_the_rate_waits_until_it_does_not(engine: AsyncEngine) -> None:
    """Two a minute: the third waits until the first is a minute old, the fourth until the second is."""
    assert [await ask(engine, "a", 0), await ask(engine, "b", 10)] == [0, 0]
    assert [await ask(engine, "c", 20), await ask(engine, "d", 20), await ask(engine, "e", 20)] == [40, 50, 100]
    assert await ask(engine, "d", 60) == 10
    assert await ask(engine, "c", 60) == 0
    assert await ask(engine, "d", 70) == 0


async def test_what_is_urgent_comes_first(engine: AsyncEngine) -> None:
    """An urgent mail that comes last takes the next turn, and whoever it was promised to waits one longer."""
    for person in ("a", "b"):
        assert await ask(engine, person, 0) == 0
    assert await ask(engine, "c", 5) == 55
    assert await ask(engine, "d", 6) == 54
    assert await ask(engine, "u", 30, urgent=True) == 30
    assert await ask(engine, "d", 60) == 60
    assert await ask(engine, "c", 60) == 0
    assert await ask(engine, "u", 61) == 0


async def test_who_does_not_come_holds_nobody_up(engine: AsyncEngine) -> None:
    """A turn is kept for a minute; then it goes to whoever asks."""
    for person in ("a", "b"):
        await ask(engine, person, 0)
    assert await ask(engine, "lost", 1, urgent=True) == 59
    assert await ask(engine, "x", 60) == 0
    assert await ask(engine, "y", 60) > 0
    async with transaction(engine) as db:
        assert await turns.waiting(db, START + timedelta(seconds=119)) == {"lost", "y"}
    assert await ask(engine, "y", 121) == 0


async def test_each_provider_has_its_own_rate(engine: AsyncEngine) -> None:
    """What is used up for one domain is free for another."""
    assert await ask(engine, "a", 0, mails=1) == 0
    assert await ask(engine, "b", 0, mails=1) == 60
    assert await ask(engine, "c", 0, mails=1, domain="example.org") == 0


async def test_workers_at_once_share_one_rate(engine: AsyncEngine) -> None:
    """Of many that ask in the same instant on connections of their own, as many get a turn as the rate allows."""
    waits = await asyncio.gather(*(ask(engine, f"p{n}", 0, mails=3) for n in range(9)))
    assert sorted(wait > 0 for wait in waits) == [False] * 3 + [True] * 6


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    mails=st.integers(1, 4),
    asks=st.lists(st.tuples(st.integers(0, 90), st.booleans()), min_size=1, max_size=14),
)
async def test_no_stretch_of_time_holds_more_than_the_rate(
    engine: AsyncEngine, mails: int, asks: list[tuple[int, bool]]
) -> None:
    """Whoever asks when, and comes back when told to: everybody sends, and never more than the rate in any minute."""
    async with transaction(engine) as db:
        await db.execute(text("TRUNCATE mail_slots, mail_turns"))
    agenda: list[tuple[float, str, bool]] = []
    for number, (begins, urgent) in enumerate(asks):
        heappush(agenda, (float(begins), f"p{number}", urgent))
    sent: list[float] = []
    for _ in range(400):
        if not agenda:
            break
        second, person, urgent = heappop(agenda)
        if wait := await ask(engine, person, second, mails, urgent=urgent):
            heappush(agenda, (second + wait, person, urgent))
        else:
            sent.append(second)
    assert len(sent) == len(asks)
    assert all(later - earlier >= 60 for earlier, later in zip(sent, sent[mails:], strict=False))
