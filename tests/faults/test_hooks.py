"""The judge of webhooks catches what it is there for, and the receiver goes wrong as its cards say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from activities import cloudevents
from faults.hooks import Hooks as Judge
from faults.receiver import GONE_WRONG, Heard, Hooks, secret_of
from rules.events import TELLS_ABOUT, event_of
from tests.support.story import Story

STORY = Story().open("2026-03-02 10:00")
STORY.live("2026-03-02 10:30")
STORY.tell("answer", "2026-03-02 10:40")
LEDGERS = {"small/R-1": STORY.entries}
EVENTS = [
    event
    for entry in STORY.entries
    if (event := event_of("small/R-1", entry, [e for e in STORY.entries if e.type in TELLS_ABOUT])) is not None
]
CALLS = [
    Heard("small", event.id, cloudevents.body(event, position), taken=True, signed=True)
    for position, event in enumerate(EVENTS, 1)
]


def said(heard: Sequence[Heard]) -> list[str]:
    """What the judge says."""
    return [finding.what for finding in Judge(LEDGERS, heard).findings()]


def again(call: Heard, **changes: object) -> Heard:
    """The same call with other fields."""
    return replace(call, **changes)  # type: ignore[arg-type]


def test_events_as_they_should_be_are_no_finding() -> None:
    """Each once; or some refused first and taken later, or taken twice."""
    assert len(CALLS) > 4
    assert said(CALLS) == []
    refused = [again(call, taken=False) for call in CALLS]
    twice = [one for call, no in zip(CALLS, refused, strict=True) for one in (no, call, call)]
    assert said(twice) == []
    judge = Judge(LEDGERS, twice)
    assert (judge.copies, len(judge.events)) == (len(CALLS), len(EVENTS))


@pytest.mark.parametrize(
    ("heard", "what"),
    [
        (CALLS[:-1], "never arrived"),
        ([*CALLS[:2], *CALLS[3:]], "never arrived"),
        ([*CALLS[:-1], again(CALLS[-1], taken=False)], "never arrived"),
        ([CALLS[1], CALLS[0], *CALLS[2:]], "came before"),
        ([*CALLS, again(CALLS[0], body=CALLS[0].body.replace(b'"position":1', b'"position":99'))], "2 contents"),
        ([*CALLS[:-1], again(CALLS[-1], body=CALLS[0].body)], "something else than the ledger"),
        ([*CALLS[:-1], again(CALLS[-1], body=b"{}")], "something else than the ledger"),
        ([*CALLS, again(CALLS[0], id="evt_0")], "in no ledger"),
        ([*CALLS, again(CALLS[0], contract="other")], "went to the receiver of other"),
        ([*CALLS, again(CALLS[0], signed=False)], "was not signed"),
    ],
)
def test_what_is_wrong_with_events_is_found(heard: list[Heard], what: str) -> None:
    """A lost event, one out of order, a copy that differs, other words, the wrong receiver, no signature."""
    assert any(what in line for line in said(heard))


async def test_the_receiver_keeps_what_it_takes_and_goes_wrong_as_its_cards_say() -> None:
    """Every trouble comes up, each with its answer; and a signature is looked at."""
    server = Hooks(seed=1, calm=0)
    await server.start()
    url = server.address("small")
    now = datetime.now(UTC)
    try:
        for _ in GONE_WRONG:
            request = cloudevents.request(url, [secret_of("small")], EVENTS[0].id, CALLS[0].body, now)
            await _call(url, request.body, dict(request.headers))
        assert server.deck.missing == []
        assert [call.signed for call in server.heard] == [True] * len(GONE_WRONG)
        assert sum(call.taken for call in server.heard) == sum(taken for _, taken in GONE_WRONG.values())
        server.deck.clear_up()
        forged = cloudevents.request(url, [secret_of("other")], EVENTS[0].id, CALLS[0].body, now - timedelta(days=1))
        assert await _call(url, forged.body, dict(forged.headers)) == 200
        assert not server.heard[-1].signed
    finally:
        await server.stop()


async def _call(url: str, body: bytes, headers: dict[str, str]) -> int | None:
    """What is answered within a moment; nothing where it breaks off or hangs."""
    try:
        async with (
            httpx.AsyncClient(timeout=0.5) as client,
            client.stream("POST", url, content=body, headers=headers) as answer,
        ):
            return answer.status_code
    except httpx.HTTPError:
        return None
