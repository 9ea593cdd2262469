"""Every subscriber hears of every entry that concerns it, in order, at least once, whatever fails in between."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from standardwebhooks.webhooks import Webhook as Library
from temporalio.exceptions import ApplicationError

from activities.cloudevents import fresh_secret
from storage import contracts, feed, registry, webhooks
from storage.database import transaction
from storage.rebuild import rebuild
from storage.recording import record
from tests.support.receiver import BREAK, DRIP, HANG
from tests.support.recorded import batch, claim
from tests.support.story import Story, law
from tests.support.wait import eventually
from tests.webhooks.conftest import BY, Exchange, told


class Crash(BaseException):
    """The process dies: nothing after it runs."""


STORY = ["complaint.opened", "clock.warned", "clock.warned", "clock.missed", "clock.done"]


async def test_what_happens_is_told_in_order(exchange: Exchange) -> None:
    """Opening, both warnings, the miss and its late end arrive one by one, as CloudEvents with clause and due."""
    receiver = await exchange.receiver()
    hook = await exchange.subscribe(receiver)
    await exchange.record(told())
    assert (await exchange.dispatch(hook)).sent == 5
    assert [call.json["type"] for call in receiver.calls] == [f"ombud.{kind}" for kind in STORY]
    missed = receiver.calls[3]
    assert missed.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    event = missed.json
    data = event.pop("data")
    assert event.pop("id").startswith("evt_")
    assert event == {
        "specversion": "1.0",
        "source": "/ombud/small",
        "type": "ombud.clock.missed",
        "subject": "small/R-1",
        "time": "2026-03-02T10:15:00+08:00",
        "datacontenttype": "application/json",
    }
    assert data == {
        "contract": "small",
        "reference": "R-1",
        "seq": data["seq"],
        "recorded_at": "2026-03-02T10:15:00.001000+08:00",
        "clock": "first_response#1",
        "obligation": "first_response",
        "clause": "E 2.1.1",
        "due": "2026-03-02T10:15:00+08:00",
        "provisional": False,
        "late_seconds": 0,
        "position": data["position"],
    }
    assert receiver.calls[4].json["data"]["late_seconds"] == 300
    assert (await exchange.dispatch(hook)).sent == 0


async def test_the_library_verifies_the_signature(exchange: Exchange) -> None:
    """Standard Webhooks' own library takes each call with the secret that was shown, and refuses a changed body."""
    receiver = await exchange.receiver()
    hook = await exchange.subscribe(receiver)
    await exchange.record(told())
    await exchange.dispatch(hook)
    library = Library(exchange.secrets[hook.id])
    for call in receiver.calls:
        assert library.verify(call.body, call.headers)["id"] == call.headers["webhook-id"]
    with pytest.raises(Exception, match="No matching signature"):
        library.verify(call.body.replace(b"R-1", b"R-2"), call.headers)


async def test_two_secrets_sign_while_one_is_rotated(exchange: Exchange) -> None:
    """After a rotation old and new secret both verify; once its time is over the old one does not."""
    receiver = await exchange.receiver()
    hook = await exchange.subscribe(receiver)
    old, new = exchange.secrets[hook.id], fresh_secret()
    soon = datetime.now(UTC) + timedelta(hours=1)
    await exchange.change(webhooks.rotate, hook, new, soon)
    await exchange.record(told())
    await exchange.dispatch(hook)
    for secret in (old, new):
        Library(secret).verify(receiver.calls[0].body, receiver.calls[0].headers)
    await exchange.change(webhooks.rotate, hook, fresh_secret(), datetime.now(UTC))
    await exchange.record(told("R-2"))
    await exchange.dispatch(hook)
    for secret in (old, new):
        with pytest.raises(Exception, match="No matching signature"):
            Library(secret).verify(receiver.calls[-1].body, receiver.calls[-1].headers)


async def test_a_crash_after_2xx_repeats_it_under_the_same_id(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dying between the receiver's 2xx and our commit sends the same id and bytes again, and leaves nothing out."""
    receiver = await exchange.receiver()
    hook = await exchange.subscribe(receiver)
    await exchange.record(told())

    async def die(*_: Any, **__: Any) -> None:
        raise Crash

    with monkeypatch.context() as crashing:
        crashing.setattr(webhooks, "moved", die)
        with pytest.raises(Crash):
            await exchange.dispatch(hook)
    assert len(receiver.calls) == 1
    await exchange.dispatch(hook)
    first, again, *rest = receiver.calls
    assert (first.body, first.headers["webhook-id"]) == (again.body, again.headers["webhook-id"])
    assert [call.json["type"] for call in (again, *rest)] == [f"ombud.{kind}" for kind in STORY]


async def test_a_failure_is_tried_again_and_holds_what_comes_behind(exchange: Exchange) -> None:
    """A 500 stands with the subscription; the next round begins with the same event, so order is kept."""
    receiver = await exchange.receiver()
    hook = await exchange.subscribe(receiver)
    await exchange.record(told())
    receiver.answer(500)
    with pytest.raises(ApplicationError, match="HTTP 500"):
        await exchange.dispatch(hook)
    failing = await exchange.found(hook)
    assert (failing.attempts, failing.last_error) == (1, "HTTP 500")
    assert failing.failing_since is not None
    assert (await exchange.dispatch(hook)).sent == 5
    assert receiver.calls[0].body == receiver.calls[1].body
    well = await exchange.found(hook)
    assert (well.attempts, well.last_error, well.failing_since) == (0, None, None)


async def test_whoever_takes_something_is_asked_again_soon(exchange: Exchange) -> None:
    """A failure behind events that were taken ends the round without an error: the distance between tries is new."""
    receiver = await exchange.receiver()
    hook = await exchange.subscribe(receiver)
    await exchange.record(told())
    receiver.answer(200, 200, 503)
    done = await exchange.dispatch(hook)
    assert (done.sent, done.waiting) == (2, True)
    assert (await exchange.found(hook)).last_error == "HTTP 503"


async def test_a_receiver_may_say_when_to_come_again(exchange: Exchange) -> None:
    """`Retry-After` becomes the distance to the next try."""
    receiver = await exchange.receiver()
    hook = await exchange.subscribe(receiver)
    await exchange.record(told())
    receiver.answer(429)
    with pytest.raises(ApplicationError) as busy:
        await exchange.dispatch(hook)
    assert busy.value.next_retry_delay == timedelta(seconds=77)


async def test_gone_pauses_on_record(exchange: Exchange) -> None:
    """410 pauses the subscription, with an entry of the ledger; what happened meanwhile is sent once it is resumed."""
    receiver = await exchange.receiver()
    hook = await exchange.subscribe(receiver)
    await exchange.record(told())
    receiver.answer(410)
    await exchange.dispatch(hook)
    await exchange.dispatch(hook)
    assert len(receiver.calls) == 1
    paused = await exchange.found(hook)
    assert (paused.state, paused.paused_why) == ("paused", "gone")
    entries = await exchange.rows(
        "SELECT type, body FROM ledger WHERE stream = :s ORDER BY seq", s=f"webhook/{hook.id}"
    )
    assert [entry["type"] for entry in entries] == ["subscribed", "paused"]
    assert entries[1]["body"]["by"] == {"role": "ombud"}
    await exchange.change(webhooks.resume, hook)
    assert (await exchange.dispatch(hook)).sent == 5


@pytest.mark.parametrize("fault", [HANG, BREAK, 301, 302, 307, 404])
async def test_what_is_no_2xx_is_not_taken(exchange: Exchange, fault: int | str) -> None:
    """A receiver that hangs, breaks off, redirects or refuses has not taken the event; redirects are not followed."""
    receiver = await exchange.receiver()
    hook = await exchange.subscribe(receiver)
    await exchange.record(told())
    receiver.answer(fault)
    with pytest.raises(ApplicationError):
        await exchange.dispatch(hook, exchange.dispatcher(patience=0.3))
    assert len(receiver.calls) == 1
    assert (await exchange.found(hook)).position == hook.position


async def test_a_dripping_answer_keeps_nobody(exchange: Exchange) -> None:
    """2xx is enough: what a receiver says besides, for ever, is not waited for."""
    receiver = await exchange.receiver(default=DRIP)
    hook = await exchange.subscribe(receiver)
    await exchange.record(told())
    assert (await exchange.dispatch(hook)).sent == 5


async def test_a_subscription_hears_only_what_it_asked_for(exchange: Exchange) -> None:
    """Types and contract are kept to, what is of no concern is passed over, and nothing before it was made is told."""
    before, one, other, all_ = [await exchange.receiver() for _ in range(4)]
    await exchange.record(told("R-0"))
    hooks = [
        await exchange.subscribe(one, events=["clock.missed"]),
        await exchange.subscribe(other, contract="another"),
        await exchange.subscribe(all_, contract="small"),
    ]
    await exchange.record(told("R-1"))
    for hook in hooks:
        await exchange.dispatch(hook)
    assert [call.json["type"] for call in one.calls] == ["ombud.clock.missed"]
    assert (other.calls, len(all_.calls), before.calls) == ([], 5, [])
    assert {call.json["subject"] for call in all_.calls} == {"small/R-1"}
    (last,) = await exchange.rows("SELECT max(position) AS p FROM ledger_feed")
    assert {(await exchange.found(hook)).position for hook in hooks} == {last["p"]}


async def test_everything_arrives_however_much_it_is(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant 21: pages of few entries, most of no concern, and rounds of no time leave nothing out."""
    monkeypatch.setattr("storage.feed.PAGE", 3)
    receiver = await exchange.receiver()
    hook = await exchange.subscribe(receiver, events=["clock.missed", "clock.warned"])
    await exchange.record(*(told(f"R-{n}") for n in range(4)))
    rounds = 0
    while (await exchange.dispatch(hook, exchange.dispatcher(round_=timedelta(seconds=0.05)))).waiting:
        rounds += 1
        assert rounds < 500
    assert len(receiver.calls) == len({call.headers["webhook-id"] for call in receiver.calls}) == 12


async def test_an_entry_that_commits_late_is_not_passed(exchange: Exchange) -> None:
    """A transaction that began before others and commits after they were sent is sent then: none slips behind."""
    receiver = await exchange.receiver()
    hook = await exchange.subscribe(receiver, events=["complaint.opened"])
    noted, go_on = asyncio.Event(), asyncio.Event()

    async def put(db: AsyncConnection, reference: str) -> None:
        version = await contracts.in_force(db, "small", datetime.now(UTC))
        assert version is not None
        await registry.register(db, [claim(reference)])
        await record(db, exchange.vault, [batch(told(reference), version.version)])

    async def slow() -> None:
        async with transaction(exchange.engine) as db:
            await put(db, "R-slow")
            noted.set()
            await go_on.wait()

    task = asyncio.create_task(slow())
    await noted.wait()
    async with transaction(exchange.engine) as db:
        await put(db, "R-quick")
    await exchange.dispatch(hook)
    assert [call.json["subject"] for call in receiver.calls] == ["small/R-quick"]
    go_on.set()
    await task
    await exchange.dispatch(hook)
    assert [call.json["subject"] for call in receiver.calls] == ["small/R-quick", "small/R-slow"]


async def test_positions_follow_each_complaint_whoever_numbers(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers that number at once while others record give each entry one position, in the order of its complaint,
    however few one statement takes."""
    monkeypatch.setattr(feed, "CHUNK", 3)

    async def number() -> None:
        for _ in range(10):
            async with transaction(exchange.engine) as db:
                await feed.head(db)

    stories = [told(f"R-{n}") for n in range(8)]
    await asyncio.gather(*(exchange.record(story) for story in stories), number(), number(), number())
    await number()
    rows = await exchange.rows("SELECT stream, seq, position FROM ledger_feed ORDER BY position")
    assert [row["position"] for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) == sum(len(story.entries) for story in stories)
    seen: dict[str, int] = {}
    for row in rows:
        assert row["seq"] == seen.get(row["stream"], 0) + 1
        seen[row["stream"]] = row["seq"]


async def test_one_numbers_at_a_time(exchange: Exchange) -> None:
    """Whoever numbers while another does waits for its commit, and goes on from the last position."""

    async def number() -> int:
        async with transaction(exchange.engine) as db:
            return await feed.head(db)

    await exchange.record(told("R-1"))
    async with transaction(exchange.engine) as db:
        first = await feed.head(db)
        await exchange.record(told("R-2"))
        other = asyncio.create_task(number())
        waits = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        await eventually(lambda: exchange.rows(waits))
        assert not other.done()
    assert await other == 2 * first
    rows = await exchange.rows("SELECT position FROM ledger_feed WHERE stream LIKE '%R-2' ORDER BY seq")
    assert [row["position"] for row in rows] == list(range(first + 1, 2 * first + 1))


async def test_a_replay_sends_the_same_again(exchange: Exchange) -> None:
    """From a position on every event is sent again, byte for byte and id for id, and the replay stands on record."""
    receiver = await exchange.receiver()
    hook = await exchange.subscribe(receiver)
    await exchange.record(told())
    await exchange.dispatch(hook)
    first = list(receiver.calls)
    await exchange.change(webhooks.replay, hook, first[2].json["data"]["position"])
    await exchange.dispatch(hook)
    again = receiver.calls[len(first) :]
    assert [call.body for call in again] == [call.body for call in first[2:]]
    assert [call.headers["webhook-id"] for call in again] == [call.headers["webhook-id"] for call in first[2:]]
    (entry,) = await exchange.rows("SELECT body FROM ledger WHERE type = 'replayed'")
    assert entry["body"]["data"]["from"] == first[2].json["data"]["position"]
    assert entry["body"]["by"]["person"] == BY.person


async def test_a_replay_during_a_round_wins(exchange: Exchange) -> None:
    """The round that was under way does not put the cursor back behind the replay."""
    receiver = await exchange.receiver()
    hook = await exchange.subscribe(receiver)
    await exchange.record(told("R-1"))
    await exchange.dispatch(hook)
    await exchange.record(told("R-2"))
    taken = len(receiver.calls)
    dispatcher = exchange.dispatcher()
    deliver = dispatcher._caller.post

    async def meanwhile(*args: Any, **more: Any) -> bytes:
        answer = await deliver(*args, **more)
        if len(receiver.calls) == taken + 1:
            await exchange.change(webhooks.replay, hook, 1)
        return answer

    dispatcher._caller.post = meanwhile  # type: ignore[method-assign]
    assert (await exchange.dispatch(hook, dispatcher)).waiting
    await exchange.dispatch(hook, dispatcher)
    ids = [call.headers["webhook-id"] for call in receiver.calls]
    assert ids[taken + 1 :] == [*ids[:taken], *ids[taken + 1 + taken :]]
    assert len(set(ids)) == 10


async def test_a_replay_does_not_leave_out_by_mistake(exchange: Exchange) -> None:
    """A position that was not come to yet is refused unless it is meant: a poisoned event can be passed on purpose."""
    receiver = await exchange.receiver()
    hook = await exchange.subscribe(receiver)
    await exchange.record(told())
    with pytest.raises(webhooks.NotNowError, match="--skip"):
        await exchange.change(webhooks.replay, hook, 3)
    with pytest.raises(webhooks.NotNowError, match="has no position 99"):
        await exchange.change(webhooks.replay, hook, 99)
    await exchange.change(webhooks.replay, hook, 3, skip=True)
    await exchange.dispatch(hook)
    assert receiver.calls[0].json["data"]["position"] >= 3


async def test_a_rebuild_sends_nothing_again(exchange: Exchange) -> None:
    """A rebuild repairs what a subscription says of itself and leaves alone how far it is."""
    receiver = await exchange.receiver()
    hook = await exchange.subscribe(receiver)
    await exchange.record(told())
    await exchange.dispatch(hook)
    before = await exchange.found(hook)
    async with exchange.engine.begin() as db:
        await db.execute(text("UPDATE webhooks SET format = 'wecom', origin = 'x'"))
    differences = [str(found) for found in await rebuild(exchange.engine, apply=True)]
    assert differences == [f"webhooks {hook.id}: different in format, origin"]
    assert await exchange.found(hook) == before
    assert (await exchange.dispatch(hook)).sent == 0
    assert await rebuild(exchange.engine, apply=False) == []


async def test_a_removed_subscription_is_silent_and_its_secrets_are_gone(exchange: Exchange) -> None:
    """Nothing is sent any more, and nobody can read its address or secret again."""
    receiver = await exchange.receiver()
    hook = await exchange.subscribe(receiver)
    await exchange.record(told())
    await exchange.change(webhooks.unsubscribe, hook)
    assert (await exchange.dispatch(hook)).sent == 0
    assert receiver.calls == []
    (key,) = await exchange.rows("SELECT wraps FROM content_keys WHERE stream = :s", s=f"webhook/{hook.id}")
    assert key["wraps"] is None


async def test_no_table_holds_address_or_secret(exchange: Exchange) -> None:
    """Whoever holds the database alone, or reads a log of it, finds neither token nor secret."""
    receiver = await exchange.receiver()
    hook = await exchange.subscribe(receiver)
    await exchange.record(told())
    receiver.answer(500)
    with pytest.raises(ApplicationError):
        await exchange.dispatch(hook)
    secret = exchange.secrets[hook.id].removeprefix("whsec_")
    for table in await exchange.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
        for row in await exchange.rows(f"SELECT t::text AS row FROM {table['tablename']} t"):
            assert "planted-token-1" not in row["row"]
            assert secret not in row["row"]


async def test_an_old_case_is_marked(exchange: Exchange) -> None:
    """Backends hear of a case brought in for the record too, and that it is history."""
    receiver = await exchange.receiver()
    hook = await exchange.subscribe(receiver)
    old = Story(law())
    old.open("2026-03-02 10:00", recorded="2026-03-20 10:00", history=True)
    await exchange.record(old)
    await exchange.dispatch(hook)
    assert receiver.calls
    assert all(call.json["data"]["history"] for call in receiver.calls)
