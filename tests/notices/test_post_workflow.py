"""The workflow that delivers to one person: it loses no poke, holds nothing urgent back, and ends when idle."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.interface import DELIVER, LOOK, POKE, POST, Delivered, mails_queue, post_id
from tests.support.wait import eventually
from workflows.post import Post
from workflows.runner import in_one_batch

FAR_OFF = timedelta(hours=3)


class Rounds:
    """Stands for the delivery: answers each round with the next of its answers, or waits for the test to allow it."""

    def __init__(self, *answers: Delivered | Callable[[], Delivered]) -> None:
        self.answers = list(answers)
        self.looks: list[Delivered] = []
        self.seen: list[tuple[int, float, bool]] = []
        self.begun = 0
        self.gathered: list[bool] = []
        self.go_on = asyncio.Event()
        self.go_on.set()

    @activity.defn(name=DELIVER)
    async def deliver(self, person: str, gathered: bool = False) -> Delivered:
        assert person == "li.wei"
        self.begun += 1
        self.gathered.append(gathered)
        answer = self.answers.pop(0) if self.answers else Delivered()
        await self.go_on.wait()
        return answer() if callable(answer) else answer

    @activity.defn(name=LOOK)
    async def look(self, person: str, seen: int, quiet_seconds: float, woken: bool) -> Delivered:
        assert person == "li.wei"
        self.seen.append((seen, quiet_seconds, woken))
        if not self.looks:
            raise ApplicationError("Postgres does not answer")
        return self.looks.pop(0)


@asynccontextmanager
async def posting(client: Client, rounds: Rounds) -> AsyncIterator[Callable[..., Any]]:
    """A worker for Post and a way to poke it as whoever records notices does."""
    queue = f"post-{uuid4()}"

    async def poke(*args: Any, person: Any = "li.wei") -> WorkflowHandle[Any, Any]:
        return await client.start_workflow(
            POST, person, id=f"{post_id('li.wei')}/{queue}", task_queue=queue, start_signal=POKE, start_signal_args=args
        )

    async with (
        in_one_batch(Worker(client, task_queue=queue, workflows=[Post], activities=[rounds.look])),
        Worker(client, task_queue=mails_queue(queue), activities=[rounds.deliver]),
    ):
        yield poke


@pytest.fixture
def client(temporal_env: WorkflowEnvironment) -> Client:
    """A client of the real Temporal server."""
    return temporal_env.client


async def test_it_delivers_once_and_ends(client: Client) -> None:
    """One poke is one round of delivery, after which the workflow is over."""
    rounds = Rounds(Delivered(sent=1))
    async with posting(client, rounds) as poke:
        handle = await poke(False)
        await handle.result()
    assert rounds.begun == 1


async def test_a_poke_during_delivery_starts_another_round(client: Client) -> None:
    """What is recorded while a mail is on its way is not forgotten when the workflow is about to end."""
    rounds = Rounds()
    rounds.go_on.clear()
    async with posting(client, rounds) as poke:
        handle = await poke(False)
        await eventually(lambda: rounds.begun == 1)
        await poke(False)
        rounds.go_on.set()
        await handle.result()
    assert rounds.begun == 2


async def test_it_goes_on_while_something_waits(client: Client) -> None:
    """More than one mail's worth of notices leaves without anybody poking again."""
    rounds = Rounds(Delivered(sent=1, waiting=3), Delivered(sent=1, waiting=1), Delivered(sent=1))
    async with posting(client, rounds) as poke:
        await (await poke(False)).result()
    assert rounds.begun == 3


async def test_an_urgent_poke_ends_the_gathering(client: Client) -> None:
    """What is urgent leaves at once, though a mail left just now and the rest still gathers."""
    rounds = Rounds(Delivered(waiting=1, hold_seconds=FAR_OFF.total_seconds()), Delivered(sent=1))
    async with posting(client, rounds) as poke:
        handle = await poke(False)
        await eventually(lambda: rounds.begun == 1)
        await poke(False)
        await poke(True)
        await handle.result()
    assert rounds.begun == 2


async def test_what_gathers_leaves_once_nothing_more_comes(client: Client) -> None:
    """Nobody waits for company that does not come: after a quiet while a look sees it, and the next round hears that
    what waits has gathered."""
    rounds = Rounds(Delivered(waiting=1, hold_seconds=0.1, quiet_seconds=0.1), Delivered(sent=1))
    rounds.looks = [Delivered(waiting=1)]
    async with posting(client, rounds) as poke:
        await (await poke(False)).result()
    assert rounds.seen == [(1, 0.1, False)]
    assert rounds.gathered == [False, True]


async def test_what_comes_meanwhile_lets_it_gather_on(client: Client) -> None:
    """A look that sees more than the one before it waits again, as long as it says, and looks again."""
    rounds = Rounds(Delivered(waiting=1, hold_seconds=0.1, quiet_seconds=0.1), Delivered(sent=3))
    rounds.looks = [Delivered(waiting=3, hold_seconds=0.2, quiet_seconds=0.2), Delivered(waiting=3)]
    async with posting(client, rounds) as poke:
        await (await poke(False)).result()
    assert rounds.seen == [(1, 0.1, False), (3, 0.2, False)]
    assert rounds.gathered == [False, True]


async def test_a_look_that_fails_holds_nothing_up(client: Client) -> None:
    """While Postgres is away nobody can see whether more comes: the delivery is asked, which waits for Postgres."""
    rounds = Rounds(Delivered(waiting=1, hold_seconds=0.1, quiet_seconds=0.1), Delivered(sent=1))
    async with posting(client, rounds) as poke:
        await (await poke(False)).result()
    assert rounds.gathered == [False, True]


async def test_the_last_of_a_herd_ends_the_gathering(client: Client) -> None:
    """Where what gathers may leave once no more is to come, a poke lets the Post look at once, however long it was to
    wait; the look decides."""
    long = FAR_OFF.total_seconds()
    rounds = Rounds(Delivered(waiting=1, hold_seconds=long, quiet_seconds=1, wakes=True), Delivered(sent=5))
    rounds.looks = [Delivered(waiting=3, hold_seconds=long, quiet_seconds=1, wakes=True), Delivered(waiting=5)]
    async with posting(client, rounds) as poke:
        handle = await poke(False)
        for number in (1, 2):
            await eventually(lambda: _timers(handle, number))  # noqa: B023  asked at once
            await poke(False)
        await handle.result()
    assert rounds.seen == [(1, 1, True), (3, 1, True)]
    assert rounds.gathered == [False, True]


async def test_a_poke_that_is_not_urgent_ends_no_gathering(client: Client) -> None:
    """What is told to gather gathers on, whoever pokes: one timer, one look."""
    rounds = Rounds(Delivered(waiting=1, hold_seconds=1, quiet_seconds=1), Delivered(sent=1))
    rounds.looks = [Delivered(waiting=1)]
    async with posting(client, rounds) as poke:
        handle = await poke(False)
        await eventually(lambda: _timers(handle, 1))
        await poke(False)
        await handle.result()
        assert await _timers(handle, 1)
    assert rounds.gathered == [False, True]


async def test_a_provider_that_takes_no_more_is_waited_for(client: Client) -> None:
    """Where a turn is waited for, quiet changes nothing: one wait as long as it takes, then the next round asks."""
    rounds = Rounds(Delivered(waiting=1, hold_seconds=0.2), Delivered(sent=1))
    async with posting(client, rounds) as poke:
        await (await poke(False)).result()
    assert rounds.gathered == [False, False]


async def test_an_urgent_poke_does_not_wait_for_the_next_try(client: Client) -> None:
    """After an outage of the mail server the distance between tries has grown; what is urgent is tried at once."""

    def server_is_down() -> Delivered:
        raise ApplicationError("the mail server is down", next_retry_delay=FAR_OFF)

    rounds = Rounds(server_is_down, Delivered(sent=1))
    async with posting(client, rounds) as poke:
        handle = await poke(False)
        await eventually(lambda: rounds.begun == 1)
        await eventually(lambda: _waits_for_its_next_try(handle))
        await poke(True)
        await handle.result()
    assert rounds.begun == 2


async def test_an_urgent_poke_does_not_send_twice_at_once(client: Client) -> None:
    """A try that is under way is not doubled by an urgent poke, and fails without ending the workflow."""

    def fails() -> Delivered:
        raise ApplicationError("the mail server is down")

    rounds = Rounds(fails, Delivered(sent=1))
    rounds.go_on.clear()
    async with posting(client, rounds) as poke:
        handle = await poke(False)
        await eventually(lambda: rounds.begun == 1)
        await poke(True)
        await eventually(lambda: _asked_to_stop(handle))
        assert rounds.begun == 1
        rounds.go_on.set()
        await handle.result()
    assert rounds.begun == 2


@pytest.mark.parametrize("args", [(), ("yes",), ({"a": 1}, 2), (None, None, None)])
async def test_odd_pokes_are_pokes(client: Client, args: tuple[Any, ...]) -> None:
    """A poke with arguments nobody expects delivers all the same and wedges nothing."""
    rounds = Rounds()
    async with posting(client, rounds) as poke:
        await (await poke(*args)).result()
    assert rounds.begun == 1


@pytest.mark.parametrize("person", [{"id": 4}, 7, None])
async def test_a_start_with_no_person_fails_clearly(client: Client, person: Any) -> None:
    """A start with anything but a person's id ends at once and says why, instead of failing its task for ever."""
    rounds = Rounds()
    async with posting(client, rounds) as poke:
        with pytest.raises(WorkflowFailureError) as failed:
            await (await poke(person=person)).result()
    assert "id of one person" in str(failed.value.cause)


async def _waits_for_its_next_try(handle: WorkflowHandle[Any, Any]) -> bool:
    pending = (await handle.describe()).raw_description.pending_activities
    return any(activity_.attempt > 1 for activity_ in pending)


async def _asked_to_stop(handle: WorkflowHandle[Any, Any]) -> bool:
    asked = EventType.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED
    return any([event.event_type == asked async for event in handle.fetch_history_events()])


async def _timers(handle: WorkflowHandle[Any, Any], count: int) -> bool:
    history = await handle.fetch_history()
    return sum(event.event_type == EventType.EVENT_TYPE_TIMER_STARTED for event in history.events) == count
