"""The real worker with named points in it: `python -m faults.worker`. Everything else is worker.py's."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from functools import partial

from temporalio.worker import Worker

import worker
from activities import parcels, scribe
from activities.mailer import Mailer
from activities.post import PostOffice
from activities.webhooks import Dispatcher
from faults.points import PATIENCE, after, before
from storage import circulars, erasure, recording, registry


def install() -> None:
    """Put the points of the worker into what it calls."""
    if seconds := os.environ.get(PATIENCE):
        patience = timedelta(seconds=float(seconds))
        hasty = partial(Worker, sticky_queue_schedule_to_start_timeout=patience)
        worker.Worker = hasty  # type: ignore[attr-defined,assignment]
    registry.register = after("registering", registry.register)
    recording.record = after("decided", recording.record)
    scribe.poke = before("recorded", scribe.poke)  # type: ignore[attr-defined]
    PostOffice._send = before("claimed", PostOffice._send)  # type: ignore[method-assign]  # noqa: SLF001
    Mailer.send = after("taken", Mailer.send)  # type: ignore[method-assign]
    scribe.poke_webhook = before("announced", scribe.poke_webhook)  # type: ignore[attr-defined]
    parcels.deliver = after("delivered", parcels.deliver)
    Dispatcher._pause = before("gone", Dispatcher._pause)  # type: ignore[method-assign]  # noqa: SLF001
    circulars.answered = before("gathered", circulars.answered)
    erasure.forgotten = before("forgetting", erasure.forgotten)
    PostOffice._record = after("settled", PostOffice._record)  # type: ignore[method-assign]  # noqa: SLF001


if __name__ == "__main__":
    install()
    worker.end(asyncio.run(worker.main()))
