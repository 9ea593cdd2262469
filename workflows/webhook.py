"""Sends one subscription what was recorded since it last heard, in order, and ends when it has heard all of it."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.interface import DISPATCH, POKE, WEBHOOK, Dispatched, webhooks_queue
    from wire.labels import Label
    from workflows.post import RETRY, UNHEARD


@workflow.defn(name=WEBHOOK)
class Webhook:
    """One a subscription, so that a receiver that is down holds up nobody else."""

    def __init__(self) -> None:
        self._poked = False
        self._at_once = False

    @workflow.run
    async def run(self, webhook: Any = None, *surplus: Any) -> None:
        """`webhook` is the id of the subscription."""
        if not isinstance(webhook, str) or surplus:
            raise ApplicationError("A Webhook is started with the id of one subscription.", non_retryable=True)
        while True:
            self._poked = self._at_once = False
            done = await self._dispatch(webhook)
            if done.hold_seconds:
                await self._hold(done.hold_seconds)
            elif not done.waiting and not self._poked:
                return
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(webhook)

    @workflow.signal(name=POKE, description="Something may have been recorded; true to try at once.")
    def poke(self, at_once: Any = False, *_surplus: Any) -> None:
        """Any argument but true lets a wait for the next try go on."""
        self._poked = True
        self._at_once = self._at_once or at_once is True

    async def _dispatch(self, webhook: str) -> Dispatched:
        """One round, tried without end. Somebody who has mended something does not wait for the next try."""
        round_ = workflow.start_activity(
            DISPATCH,
            webhook,
            result_type=Dispatched,
            task_queue=webhooks_queue(workflow.info().task_queue),
            start_to_close_timeout=timedelta(minutes=2),
            heartbeat_timeout=UNHEARD,
            retry_policy=RETRY,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=Label("send events"),
        )
        await workflow.wait_condition(lambda: round_.done() or self._at_once)
        if not round_.done():
            round_.cancel()
        try:
            done: Dispatched = await round_
        except ActivityError:
            if not self._at_once:
                raise
            return Dispatched(waiting=True)
        return done

    async def _hold(self, seconds: float) -> None:
        """Lets events gather for one message of a group robot."""
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._at_once,
                timeout=timedelta(seconds=seconds),
                timeout_summary=Label("gather for one message"),
            )
