"""The process that sends to one subscription: it loses no poke, tries at once when asked to, and ends when idle."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.interface import DISPATCH, POKE, WEBHOOK, Dispatched, webhook_id, webhooks_queue
from tests.support.wait import eventually
from workflows.runner import in_one_batch
from workflows.webhook import Webhook

FAR_OFF = timedelta(hours=3)


class Rounds:
    """Stands for the sending: answers each round with the next of its answers, or waits for the test to allow it."""

    def __init__(self, *answers: Dispatched | Callable[[], Dispatched]) -> None:
        self.answers = list(answers)
        self.begun = 0
        self.go_on = asyncio.Event()
        self.go_on.set()

    @activity.defn(name=DISPATCH)
    async def dispatch(self, webhook: str) -> Dispatched:
        assert webhook == "abcd1234"
        self.begun += 1
        answer = self.answers.pop(0) if self.answers else Dispatched()
        await self.go_on.wait()
        return answer() if callable(answer) else answer


Poke = Callable[..., Any]


@asynccontextmanager
async def sending(client: Client, rounds: Rounds) -> AsyncIterator[Poke]:
    """Workers as Ombud has them, and a way to poke as whoever records does."""
    queue = f"webhook-{uuid4()}"

    async def poke(*args: Any, webhook: Any = "abcd1234") -> WorkflowHandle[Any, Any]:
        return await client.start_workflow(
            WEBHOOK,
            webhook,
            id=f"{webhook_id('abcd1234')}/{queue}",
            task_queue=queue,
            start_signal=POKE,
            start_signal_args=args,
        )

    async with (
        in_one_batch(Worker(client, task_queue=queue, workflows=[Webhook])),
        Worker(client, task_queue=webhooks_queue(queue), activities=[rounds.dispatch]),
    ):
        yield poke


@pytest.fixture
def client(temporal_env: WorkflowEnvironment) -> Client:
    """A client of the real Temporal server."""
    return temporal_env.client


async def test_it_sends_while_something_waits_and_ends(client: Client) -> None:
    """Rounds go on until one says that nothing waits."""
    rounds = Rounds(Dispatched(sent=3, waiting=True), Dispatched(sent=1, waiting=True), Dispatched())
    async with sending(client, rounds) as poke:
        await (await poke(False)).result()
    assert rounds.begun == 3


async def test_a_poke_during_a_round_starts_another(client: Client) -> None:
    """What is recorded while a call is on its way is not forgotten when the workflow is about to end."""
    rounds = Rounds()
    rounds.go_on.clear()
    async with sending(client, rounds) as poke:
        handle = await poke(False)
        await eventually(lambda: rounds.begun == 1)
        await poke(False)
        rounds.go_on.set()
        await handle.result()
    assert rounds.begun == 2


async def test_a_hold_gathers_and_ends_at_its_time(client: Client) -> None:
    """A group robot's hold is waited for; pokes meanwhile do not cut it short."""
    rounds = Rounds(Dispatched(sent=1, waiting=True, hold_seconds=0.3), Dispatched(sent=1))
    async with sending(client, rounds) as poke:
        handle = await poke(False)
        await eventually(lambda: rounds.begun == 1)
        await poke(False)
        await handle.result()
    assert rounds.begun == 2


async def test_whoever_mended_something_is_tried_at_once(client: Client) -> None:
    """The distance between tries has grown; a poke with true ends the wait, one without does not."""

    def down() -> Dispatched:
        raise ApplicationError("HTTP 500", next_retry_delay=FAR_OFF)

    rounds = Rounds(down, Dispatched(sent=1))
    async with sending(client, rounds) as poke:
        handle = await poke(False)
        await eventually(lambda: _waits_for_its_next_try(handle))
        await poke(False)
        assert rounds.begun == 1
        await poke(True)
        await handle.result()
    assert rounds.begun == 2


@pytest.mark.parametrize("args", [(), ("yes",), ({"a": 1}, 2), (None, None)])
async def test_odd_pokes_are_pokes(client: Client, args: tuple[Any, ...]) -> None:
    """A poke with arguments nobody expects sends all the same and wedges nothing."""
    rounds = Rounds()
    async with sending(client, rounds) as poke:
        await (await poke(*args)).result()
    assert rounds.begun == 1


@pytest.mark.parametrize("webhook", [{"id": 4}, 7, None])
async def test_a_start_with_no_subscription_fails_clearly(client: Client, webhook: Any) -> None:
    """A start with anything but an id ends at once and says why."""
    rounds = Rounds()
    async with sending(client, rounds) as poke:
        with pytest.raises(WorkflowFailureError) as failed:
            await (await poke(webhook=webhook)).result()
    assert "id of one subscription" in str(failed.value.cause)


async def _waits_for_its_next_try(handle: WorkflowHandle[Any, Any]) -> bool:
    pending = (await handle.describe()).raw_description.pending_activities
    return any(one.attempt > 1 for one in pending)
