"""The judge of receivers that leave catches what it is there for, and the receiver leaves when it is told to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from activities import cloudevents
from faults.farewells import Farewells, Subscription
from faults.feed import Feed
from faults.leaving import AT_LEAST, GONE, Asked
from faults.receiver import Hooks, secret_of
from rules.events import EVENTS
from rules.ledger import Entry
from rules.values import SYSTEM, Actor
from tests.support.story import Story, at

NAME, COMPLAINT = "small", "small/R-1"
STORY = Story().open("2026-03-02 10:00")
STORY.live("2026-03-02 10:30")
STORY.tell("answer", "2026-03-02 10:40")
FEED = Feed({COMPLAINT: STORY.entries}, {(COMPLAINT, entry.seq): 10 * entry.seq for entry in STORY.entries})
DUE = FEED.of(NAME, EVENTS, quiet=True)
NOON, SECOND = at("2026-03-02 12:00").astimezone(UTC), timedelta(seconds=1)


def asked(number: int, seconds: float, answer: int = 200) -> Asked:
    """One call with the event of this number, so many seconds after noon."""
    event = DUE[number]
    body = cloudevents.body(event, FEED.position(event))
    return Asked(NAME, event.id, body, signed=True, answer=answer, at=NOON + timedelta(seconds=seconds))


def entry(seq: int, type_: str, seconds: float, **fields: object) -> Entry:
    """One of the ledger of a subscription."""
    when = NOON + timedelta(seconds=seconds)
    told = {"seq": seq, "type": type_, "by": SYSTEM, "occurred_at": when, "recorded_at": when} | fields
    return Entry.model_validate(told)


SUBSCRIBED = entry(1, "subscribed", -60, by=Actor(role="operations"))
PAUSED = entry(2, "paused", 3.1, data={"why": "gone"})
LEFT = Subscription(
    path=f"{NAME}/leaving",
    state="paused",
    paused_why="gone",
    position=FEED.position(DUE[2]) + 1,
    entries=[SUBSCRIBED, PAUSED],
    committed_at=[NOON - 60 * SECOND, NOON + 3.2 * SECOND],
    stuck="its receiver says 410 Gone",
)
STAYS = Subscription(NAME, "active", None, 999, [SUBSCRIBED], [NOON - 60 * SECOND], None)
CALLS = [asked(0, 0), asked(1, 1), asked(2, 2), asked(3, 3, GONE)]


def judge(
    calls: Sequence[Asked], own: Subscription = LEFT, other: Subscription = STAYS, outages: Sequence[float] = ()
) -> Farewells:
    """Of one receiver that leaves, and another that does not."""
    killed = [NOON + timedelta(seconds=seconds) for seconds in outages]
    return Farewells(FEED, [NAME], calls, [own, other], killed)


def found(*args: Sequence[Asked], **more: Subscription | Sequence[float]) -> list[str]:
    """What the judge says."""
    return [finding.what for finding in judge(*args, **more).findings()]  # type: ignore[arg-type]


def test_a_receiver_that_leaves_as_it_should_is_no_finding() -> None:
    """Three events, of which one came twice, and the 410 to the fourth; or to the third once more, whose 200 nobody
    heard. With an outage behind the 410, the same call may come again."""
    assert len(DUE) > 4
    assert found(CALLS) == []
    judged = judge([*CALLS[:2], *CALLS[1:]])
    assert list(judged.findings()) == []
    assert (judged.gone, judged.again, judged.copies) == (1, 0, [DUE[1].id])
    before = LEFT._replace(position=FEED.position(DUE[2]) - 1)
    assert found([*CALLS[:3], asked(2, 3, GONE)], own=before) == []
    late = LEFT._replace(committed_at=[LEFT.committed_at[0], NOON + 24 * SECOND])
    for outage in (2, 3.5, 22):
        judged = judge([*CALLS, asked(3, 23, GONE)], late, outages=[outage])
        assert list(judged.findings()) == []
        assert (judged.gone, judged.again) == (1, 1)


@pytest.mark.parametrize(
    ("calls", "what"),
    [
        ([*CALLS[:1], *CALLS[2:]], "came before the event"),
        ([CALLS[1], CALLS[0], *CALLS[2:]], "came before the event"),
        ([*CALLS[:3], asked(4, 3, GONE)], "not to what was next"),
        ([*CALLS[:3], asked(1, 3, GONE)], "not to what was next"),
        ([*CALLS, asked(4, 4, GONE)], "not to what was next"),
        ([*CALLS, asked(3, 4, GONE)], "nothing had failed since its 410"),
        ([*CALLS, asked(3, 60, GONE)], "asked after its subscription was paused"),
        (CALLS[:3], "never said 410"),
        ([*CALLS[:2], replace(CALLS[2], signed=False), CALLS[3]], "was not signed"),
        ([*CALLS[:2], replace(CALLS[2], body=CALLS[1].body), CALLS[3]], "something else than the ledger"),
        ([*CALLS[:3], replace(CALLS[3], body=b"{}")], "something else than the ledger"),
        ([*CALLS[:3], replace(CALLS[2], id="evt_0"), CALLS[3]], "stands in no ledger"),
    ],
)
def test_what_is_wrong_with_its_calls_is_found(calls: list[Asked], what: str) -> None:
    """A gap, another order, more behind the 410, the same again for no reason or once it was paused, no 410, no
    signature, other words."""
    assert any(what in line for line in found(calls))


def test_only_an_outage_between_two_410_explains_the_second() -> None:
    """One long before, or behind it, does not."""
    for outage in (-13, 5):
        assert any("nothing had failed" in line for line in found([*CALLS, asked(3, 4, GONE)], outages=[outage]))


@pytest.mark.parametrize(
    ("own", "what"),
    [
        (LEFT._replace(state="active", paused_why=None, entries=[SUBSCRIBED]), "is active"),
        (LEFT._replace(paused_why="asked for"), "and not paused as gone"),
        (LEFT._replace(entries=[SUBSCRIBED, PAUSED, PAUSED], committed_at=[NOON] * 3), "on record"),
        (
            LEFT._replace(entries=[SUBSCRIBED, entry(2, "paused", 3.1, data={"why": "tired"})]),
            "was paused by ombud with",
        ),
        (LEFT._replace(entries=[SUBSCRIBED, PAUSED.model_copy(update={"by": Actor(role="x")})]), "was paused by x"),
        (LEFT._replace(entries=[SUBSCRIBED, entry(2, "paused", 2.9, data={"why": "gone"})]), "before it said 410"),
        (LEFT._replace(stuck=None), "among what is stuck"),
        (LEFT._replace(stuck="nobody has sent it yet"), "among what is stuck"),
        (LEFT._replace(position=FEED.position(DUE[3])), "has come to"),
        (LEFT._replace(position=FEED.position(DUE[2]) - 1), "has come to"),
        (LEFT._replace(path="other/leaving"), "has 0 subscriptions"),
    ],
)
def test_a_subscription_that_does_not_stand_as_it_must_is_found(own: Subscription, what: str) -> None:
    """Not paused, for another reason, twice, by somebody else, too early, unseen, or at another place."""
    assert any(what in line for line in found(CALLS, own=own))


@pytest.mark.parametrize(
    "other",
    [STAYS._replace(state="paused"), STAYS._replace(entries=[SUBSCRIBED, PAUSED]), STAYS._replace(stuck="HTTP 503")],
)
def test_another_subscription_that_was_disturbed_is_found(other: Subscription) -> None:
    """It is paused, something was done to it, or it waits."""
    assert any("was to go on" in line for line in found(CALLS, other=other))


def test_the_order_of_the_feed_is_looked_at() -> None:
    """An event without a place, and one that stands before an earlier one of its ledger."""
    assert list(FEED.findings()) == []
    places = dict(FEED.positions)
    first, last = DUE[0].seq, DUE[-1].seq
    without = Feed(FEED.ledgers, {place: n for place, n in places.items() if place[1] != last})
    assert [one.what for one in without.findings()] == [f"the event of entry {last} has no place in the feed"]
    swapped = places | {(COMPLAINT, first): places[COMPLAINT, last], (COMPLAINT, last): places[COMPLAINT, first]}
    assert any("before earlier ones" in one.what for one in Feed(FEED.ledgers, swapped).findings())


async def test_a_receiver_leaves_when_it_is_told_to_and_for_good() -> None:
    """Not before it took some events, one at a time, and never if it is called back before anybody asked."""
    server = Hooks(leaving=["small", "other"])
    leavers = server.leavers
    await server.start()
    try:
        leavers.leave()
        assert [await _call(server, "small") for _ in range(AT_LEAST)] == [200] * AT_LEAST
        assert leavers.stay()
        assert await _call(server, "small") == 200
        leavers.leave()
        assert [await _call(server, "other") for _ in range(AT_LEAST)] == [200] * AT_LEAST
        assert [await _call(server, "small") for _ in range(2)] == [GONE] * 2
        assert not leavers.stay()
        assert await _call(server, "other") == 200
        assert leavers.missing == ["other"]
        assert all(one.signed for one in leavers.asked)
        assert server.heard == []
    finally:
        await server.stop()


async def test_without_a_storm_a_receiver_leaves_after_so_many() -> None:
    """In a calm run nobody tells it to."""
    server = Hooks(leaving=["small"], leave_after=5)
    await server.start()
    try:
        assert [await _call(server, "small") for _ in range(7)] == [200] * 5 + [GONE] * 2
        assert server.leavers.missing == []
    finally:
        await server.stop()


async def _call(server: Hooks, contract: str) -> int:
    """What is answered to an event."""
    url, event = server.leaving_address(contract), DUE[0]
    body = cloudevents.body(event, FEED.position(event))
    request = cloudevents.request(url, [secret_of(contract)], event.id, body, datetime.now(UTC))
    async with httpx.AsyncClient(timeout=5) as client:
        return (await client.post(url, content=request.body, headers=dict(request.headers))).status_code
