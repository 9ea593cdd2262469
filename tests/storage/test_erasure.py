"""What is erased, what must be kept and what stays: keys, mails, holds and the time that a contract gives."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from rules.values import SYSTEM, Actor
from storage import erasure, holds, registry
from storage.content import ErasedError, Vault
from storage.database import transaction
from storage.erasure import KeptError
from storage.holds import NoComplaintError, NoHoldError
from storage.ledger import message_stream, privacy_stream, stream_of
from storage.privacy_record import reasons
from storage.rebuild import rebuild
from storage.recording import record, record_message
from tests.support.recorded import at_noon, batch, claim, published, said
from tests.support.story import Story, law

OFFICER = Actor(role="handler", person="p.gdpr")
CLOSED = datetime(2026, 3, 2, 3, tzinfo=UTC)
"""11:00 in Shanghai."""


def closed(reference: str = "R-1", *, follows: str | None = None, **contract: Any) -> Story:
    """An enquiry that was answered and accepted within an hour, and whose opening told somebody."""
    told = {"notices": {"open": "handler.manager"}}
    story = Story(law(**(told | contract)))
    story.open("2026-03-02 10:00", reference=reference, complainant={"id": "c-7"}, follows=follows)
    story.tell("answer", "2026-03-02 10:05")
    story.tell("accept", "2026-03-02 11:00")
    return story


async def recorded(connection: AsyncConnection, vault: Vault, *stories: Story) -> None:
    for story in stories:
        version = (await published(connection, story.law.contract)).version
        await registry.register(connection, [claim(story.case.reference)])
        await record(connection, vault, [batch(story, version)])


async def mailed(connection: AsyncConnection, vault: Vault, message: str, *stories: Story) -> None:
    """One mail with a notice of each story."""
    keys = [story.entries[0].notices[0].key for story in stories]
    told = said(1, "claimed", at_noon(2), person="p.wu", channel="email", language="en", notices=keys)
    await record_message(connection, vault, message, [told], {1: "It does not work."})


async def erase(connection: AsyncConnection, vault: Vault, complaint: str = "small/R-1") -> erasure.Erased:
    return await erasure.erase(connection, vault, complaint, OFFICER, "request", at_noon(5), "asked by letter L-9")


async def reads(connection: AsyncConnection, vault: Vault, stream: str) -> bool:
    try:
        return bool(await vault.read(connection, stream))
    except ErasedError:
        return False


async def test_words_go_and_the_record_stays(engine: AsyncEngine, vault: Vault) -> None:
    """After an erasure nobody reads what was said; clocks and outcome stand as before, and who erased it and why."""
    story = closed()
    async with transaction(engine) as connection:
        await recorded(connection, vault, story, closed("R-2"))
        before = (await connection.execute(text("SELECT * FROM clocks ORDER BY complaint, obligation, n"))).all()
        done = await erase(connection, vault)
        assert (done.new, done.open, done.mails) == (True, False, 0)
        assert not await reads(connection, vault, stream_of("small/R-1"))
        assert await reads(connection, vault, stream_of("small/R-2"))
        after = (await connection.execute(text("SELECT * FROM clocks ORDER BY complaint, obligation, n"))).all()
        assert after == before
        entry = (
            await connection.execute(text("SELECT body FROM ledger WHERE stream = 'privacy/small/R-1'"))
        ).scalar_one()
        assert entry["type"] == "erased"
        assert entry["by"] == {"role": "handler", "person": "p.gdpr"}
        assert "L-9" not in str(entry)
        assert await reasons(connection, vault, "small/R-1") == {1: "asked by letter L-9"}
        row = (await connection.execute(text("SELECT * FROM complaints WHERE id = 'small/R-1'"))).one()
        assert (row.erased_at, row.erased_why, row.closed_reason) == (at_noon(5), "request", "accepted")
        again = await erase(connection, vault)
        assert not again.new
        assert await connection.scalar(text("SELECT count(*) FROM ledger WHERE stream LIKE 'privacy/%'")) == 1
    assert await rebuild(engine, apply=False) == []


async def test_a_mail_without_words_stays(engine: AsyncEngine, vault: Vault) -> None:
    """Where the contract keeps words out of mails, the mail as sent is the proof of service (rule 124) and stays."""
    story = closed()
    async with transaction(engine) as connection:
        await recorded(connection, vault, story)
        await mailed(connection, vault, "m1", story)
        assert (await erase(connection, vault)).mails == 0
        assert await reads(connection, vault, message_stream("m1"))


async def test_a_mail_with_words_goes(engine: AsyncEngine, vault: Vault) -> None:
    """Where the contract lets words into mails, every mail about the complaint goes with it, and no other."""
    words: dict[str, Any] = {"privacy": {"content in mail": True}}
    first, second = closed(**words), closed("R-2", **words)
    async with transaction(engine) as connection:
        await recorded(connection, vault, first, second)
        await mailed(connection, vault, "m1", first)
        await mailed(connection, vault, "m2", second)
        assert (await erase(connection, vault)).mails == 1
        assert not await reads(connection, vault, message_stream("m1"))
        assert await reads(connection, vault, message_stream("m2"))


async def test_a_hold_refuses_and_says_until_when(engine: AsyncEngine, vault: Vault) -> None:
    """A hold keeps everything until it ends or is lifted; the longest is named, and its reason is sealed."""
    async with transaction(engine) as connection:
        await recorded(connection, vault, closed())
        until = at_noon(20)
        await holds.set_hold(connection, vault, "small/R-1", OFFICER, "dispute D-1", at_noon(3), at_noon(10))
        await holds.set_hold(connection, vault, "small/R-1", OFFICER, "dispute D-2", at_noon(3), until)
        with pytest.raises(KeptError, match=r"small/R-1 is held until 2026-03-20T12:00:00\+00:00"):
            await erase(connection, vault)
        assert await reads(connection, vault, stream_of("small/R-1"))
        assert "D-2" not in str((await connection.execute(text("SELECT * FROM holds"))).all())
        lifted = await holds.lift(connection, vault, "small/R-1", OFFICER, "settled", at_noon(4))
        assert [hold.until for hold in lifted] == [until, at_noon(10)]
        with pytest.raises(NoHoldError):
            await holds.lift(connection, vault, "small/R-1", OFFICER, "settled", at_noon(4))
        assert (await erase(connection, vault)).new
        assert await holds.listed(connection, at_noon(5)) == []
        assert len(await holds.listed(connection, at_noon(5), every=True)) == 2
    assert await rebuild(engine, apply=False) == []


async def test_a_hold_without_end_stands_until_lifted(engine: AsyncEngine, vault: Vault) -> None:
    """Without `until` a hold stands; one that has ended stands no more, without anybody lifting it."""
    async with transaction(engine) as connection:
        await recorded(connection, vault, closed(), closed("R-2"))
        await holds.set_hold(connection, vault, "small/R-1", OFFICER, "x", at_noon(3))
        await holds.set_hold(connection, vault, "small/R-2", OFFICER, "x", at_noon(3), at_noon(4))
        with pytest.raises(KeptError, match="until it is lifted"):
            await erase(connection, vault)
        assert (await erase(connection, vault, "small/R-2")).new
        with pytest.raises(NoComplaintError):
            await holds.set_hold(connection, vault, "small/none", OFFICER, "x", at_noon(3))


async def test_a_hold_keeps_the_mails_it_shares(engine: AsyncEngine, vault: Vault) -> None:
    """A mail that speaks of a held complaint is evidence, also when another complaint in it asks for erasure."""
    words: dict[str, Any] = {"privacy": {"content in mail": True}}
    first, second = closed(**words), closed("R-2", **words)
    async with transaction(engine) as connection:
        await recorded(connection, vault, first, second)
        await mailed(connection, vault, "m1", first, second)
        await holds.set_hold(connection, vault, "small/R-2", OFFICER, "x", at_noon(3))
        with pytest.raises(KeptError, match="small/R-2 is held until it is lifted, in a mail about small/R-1"):
            await erase(connection, vault)


async def test_what_the_contract_keeps(engine: AsyncEngine, vault: Vault) -> None:
    """`at least` refuses a request until its time is over, and as long as the complaint is open."""
    kept: dict[str, Any] = {"retention": {"at least": "10 days"}}
    still_open = Story(law(notices={"open": "handler.manager"}, **kept)).open("2026-03-02 10:00", reference="R-2")
    async with transaction(engine) as connection:
        await recorded(connection, vault, closed(**kept), still_open)
        with pytest.raises(KeptError, match=r"must be kept until 2026-03-13T00:00:00\+08:00: 10 days from closing"):
            await erase(connection, vault)
        with pytest.raises(KeptError, match="small/R-2 is open, and its contract keeps"):
            await erase(connection, vault, "small/R-2")
        done = await erasure.erase(connection, vault, "small/R-1", OFFICER, "request", at_noon(14))
        assert done.new


async def test_what_is_due(engine: AsyncEngine, vault: Vault) -> None:
    """A sweep finds closed complaints from the end of their time on, in batches, holds named, the erased no more."""
    kept: dict[str, Any] = {"retention": {"content": "30 days"}}
    stories = [closed(f"R-{n}", **kept) for n in range(1, 6)]
    still_open = Story(law(notices={"open": "handler.manager"}, **kept)).open("2026-03-02 10:00", reference="R-9")
    now = datetime(2026, 4, 1, 16, tzinfo=UTC)  # midnight after the 30th day in Shanghai
    async with transaction(engine) as connection:
        await recorded(connection, vault, *stories, still_open)
        await holds.set_hold(connection, vault, "small/R-3", OFFICER, "x", at_noon(3))
        laws = await erasure.laws(connection, now)
        assert await erasure.due(connection, laws, now - timedelta(seconds=1), None, 9) == []
        first = await erasure.due(connection, laws, now, None, 2)
        rest = await erasure.due(connection, laws, now, first[-1].cursor, 9)
        assert [(one.complaint, one.held) for one in (*first, *rest)] == [
            ("small/R-1", ""),
            ("small/R-2", ""),
            ("small/R-3", "until it is lifted"),
            ("small/R-4", ""),
            ("small/R-5", ""),
        ]
        assert {(one.closed_at, one.since) for one in first} == {(CLOSED, now)}
        await erasure.erase(connection, vault, "small/R-1", SYSTEM, "retention", now)
        left = await erasure.due(connection, laws, now, None, 9)
        assert [one.complaint for one in left] == ["small/R-2", "small/R-3", "small/R-4", "small/R-5"]
        assert await erasure.remembered(connection) == ["small/R-1"]
        assert await erasure.forgotten(connection, vault, await erasure.traces(connection, "small/R-1"), SYSTEM, now)
        assert await erasure.remembered(connection) == []
    assert await rebuild(engine, apply=False) == []


async def test_without_a_time_nothing_is_due(engine: AsyncEngine, vault: Vault) -> None:
    """A contract that gives no time keeps everything."""
    async with transaction(engine) as connection:
        await recorded(connection, vault, closed())
        now = datetime(2099, 1, 1, tzinfo=UTC)
        assert await erasure.due(connection, await erasure.laws(connection, now), now, None, 9) == []


async def test_all_of_one_person(engine: AsyncEngine, vault: Vault) -> None:
    """Every complaint of a complainant is found by the id that the backend gave."""
    async with transaction(engine) as connection:
        await recorded(connection, vault, closed(), closed("R-2"))
        assert await erasure.of_complainant(connection, "c-7") == ["small/R-1", "small/R-2"]
        assert await erasure.of_complainant(connection, "c-8") == []


async def test_a_hold_and_an_erasure_at_once(engine: AsyncEngine, vault: Vault) -> None:
    """Of two at once one comes first: either the hold keeps the words, or it finds them erased."""
    async with transaction(engine) as connection:
        await recorded(connection, vault, closed())

    async def held() -> None:
        async with transaction(engine) as connection:
            await holds.set_hold(connection, vault, "small/R-1", OFFICER, "x", at_noon(3))

    async def erased() -> bool:
        async with transaction(engine) as connection:
            try:
                return (await erase(connection, vault)).new
            except KeptError:
                return False

    _, gone = await asyncio.gather(held(), erased())
    async with transaction(engine) as connection:
        assert await reads(connection, vault, stream_of("small/R-1")) is not gone
        kinds = await connection.scalars(
            text("SELECT type FROM ledger WHERE stream = :stream ORDER BY seq"), {"stream": privacy_stream("small/R-1")}
        )
        assert kinds.all() == (["erased", "held"] if gone else ["held"])


async def test_whose_histories_carry_the_words(engine: AsyncEngine, vault: Vault) -> None:
    """A complaint that was opened out of another one stands in that one's history, too; both are forgotten."""
    async with transaction(engine) as connection:
        await recorded(connection, vault, closed(), closed("R-2", follows="R-1"))
        assert (await erasure.traces(connection, "small/R-2")).carriers == ["small/R-2", "small/R-1"]
        assert (await erasure.traces(connection, "small/R-1")).carriers == ["small/R-1"]


async def test_a_run_that_begins_is_remembered(engine: AsyncEngine, vault: Vault) -> None:
    """Of an erased, closed complaint it is on record that Temporal holds words again; of any other nothing is."""
    told = {"notices": {"open": "handler.manager"}}
    still_open = Story(law(**told)).open("2026-03-02 10:00", reference="R-2")
    async with transaction(engine) as connection:
        await recorded(connection, vault, closed(), still_open, closed("R-3"))
        for complaint in ("small/R-1", "small/R-2"):
            await erase(connection, vault, complaint)
        gone = await erasure.traces(connection, "small/R-1")
        assert await erasure.forgotten(connection, vault, gone, SYSTEM, at_noon(6))
        for complaint in ("small/R-1", "small/R-2", "small/R-3", "small/never"):
            await erasure.remember(connection, vault, complaint, at_noon(7))
        streams = await connection.scalars(text("SELECT stream FROM ledger WHERE type = 'remembered'"))
        assert streams.all() == [privacy_stream("small/R-1")]
        assert await erasure.remembered(connection) == ["small/R-1"]
    assert await rebuild(engine, apply=False) == []


async def test_a_run_that_begins_while_others_are_forgotten(engine: AsyncEngine, vault: Vault) -> None:
    """It is none of those that Temporal was told to delete: the complaint is on record as forgotten when it is, too."""
    async with transaction(engine) as connection:
        await recorded(connection, vault, closed())
        await erase(connection, vault)
        gone = await erasure.traces(connection, "small/R-1")
        await erasure.remember(connection, vault, "small/R-1", at_noon(6))
        assert not await erasure.forgotten(connection, vault, gone, SYSTEM, at_noon(6))
        assert await erasure.remembered(connection) == ["small/R-1"]
        gone = await erasure.traces(connection, "small/R-1")
        await holds.set_hold(connection, vault, "small/R-1", OFFICER, "dispute", at_noon(6))
        assert await erasure.forgotten(connection, vault, gone, SYSTEM, at_noon(7))
        assert await erasure.remembered(connection) == []
    assert await rebuild(engine, apply=False) == []
