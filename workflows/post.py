"""Delivers what waits for one person over one channel, and ends when nothing waits any more."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.interface import DELIVER, LOOK, POKE, POST, Delivered, mails_queue
    from wire.labels import Label

RETRY = RetryPolicy(initial_interval=timedelta(seconds=5), maximum_interval=timedelta(minutes=10))
"""Without end, at a growing distance: a dead mail server delays notices and loses none (invariant 15)."""

UNHEARD = timedelta(seconds=20)
"""After so long without a sign of life from a worker its round goes to another one."""


@workflow.defn(name=POST)
class Post:
    """One a person and channel, so that whatever waits for the same recipient travels together (invariant 12)."""

    def __init__(self) -> None:
        self._poked = False
        self._urgent = False

    @workflow.run
    async def run(self, person: Any = None, *surplus: Any) -> None:
        """`person` is the recipient's id in the directory."""
        if not isinstance(person, str) or surplus:
            raise ApplicationError("A Post is started with the id of one person.", non_retryable=True)
        gathered = False
        while True:
            self._poked = self._urgent = False
            delivered = await self._deliver(person, gathered)
            gathered = False
            if delivered.hold_seconds and delivered.waiting:
                gathered = await self._gather(person, delivered)
            elif delivered.hold_seconds and not delivered.waiting:
                await self._rest(delivered.hold_seconds)
            elif not delivered.waiting and not self._poked:
                return
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(person)

    @workflow.signal(name=POKE, description="Something may wait for this person; true when it is urgent.")
    def poke(self, urgent: Any = False, *_surplus: Any) -> None:
        """Any argument but true counts as not urgent."""
        self._poked = True
        self._urgent = self._urgent or urgent is True

    async def _deliver(self, person: str, gathered: bool) -> Delivered:
        """One round of delivery. Something urgent does not wait for the next try to come round."""
        round_ = workflow.start_activity(
            DELIVER,
            args=[person, True] if gathered else [person],
            result_type=Delivered,
            task_queue=mails_queue(workflow.info().task_queue),
            start_to_close_timeout=timedelta(minutes=2),
            heartbeat_timeout=UNHEARD,
            retry_policy=RETRY,
            # A try that is under way ends by itself; only the wait for the next one is cut short.
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=Label("deliver by mail"),
        )
        await workflow.wait_condition(lambda: round_.done() or self._urgent)
        if not round_.done():
            round_.cancel()
        try:
            delivered: Delivered = await round_
        except ActivityError:
            if not self._urgent:
                raise
            return Delivered(waiting=1)
        return delivered

    async def _rest(self, seconds: float) -> None:
        """Waits for this person's next shift, for which something waits; any poke may mean that it begins earlier."""
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._poked,
                timeout=timedelta(seconds=seconds),
                timeout_summary=Label("wait for the next shift"),
            )

    async def _gather(self, person: str, held: Delivered) -> bool:
        """Lets what is not urgent gather for one mail, or waits for the turn of its provider; whether it has gathered.

        Who records more for this person pokes only when it is urgent, or when no more is to come.
        """
        while held.hold_seconds:
            wakes, woken = held.wakes, True
            try:
                await workflow.wait_condition(
                    lambda: self._urgent or (wakes and self._poked),  # noqa: B023  it stands still meanwhile
                    timeout=timedelta(seconds=held.hold_seconds),
                    timeout_summary=Label("gather for one mail"),
                )
            except TimeoutError:
                woken = False
            if self._urgent or not held.quiet_seconds:
                return False
            self._poked = False
            held = await self._look(person, held, woken)
        return True

    async def _look(self, person: str, held: Delivered, woken: bool) -> Delivered:
        """Whether what gathers is to gather on. Where that cannot be seen now it leaves, once it can."""
        try:
            looked: Delivered = await workflow.execute_local_activity(
                LOOK,
                args=[person, held.waiting, held.quiet_seconds, woken],
                result_type=Delivered,
                start_to_close_timeout=timedelta(seconds=3),
                retry_policy=RetryPolicy(maximum_attempts=1),
                summary=Label("look whether more comes"),
            )
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            return Delivered()
        return looked
