"""Temporal's many ways to fail, as errors that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from temporalio.client import RPCTimeoutOrCancelledError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from starter.errors import Invalid, NotFound, NoWorker, Refused, Unreachable

SEALED = "Set OMBUD_MASTER_KEY to the key that the worker seals with, to read what it says (docs/codec.md)."

_NO_WORDS = "Encoded failure"
"""What stands in place of the words of a failure that is sealed."""


@contextmanager
def temporal_errors(task_queue: str, patience: float) -> Iterator[None]:
    """Raises errors of `starter.errors` in place of Temporal's; `patience` seconds were granted for an answer."""
    try:
        yield
    except WorkflowUpdateFailedError as error:
        _refused(error.cause)
    except (RPCTimeoutOrCancelledError, TimeoutError):
        raise NoWorker(
            f"No answer within {patience:g} seconds; no worker seems to run on the task queue {task_queue!r} (or "
            "Postgres is away while the complaint is being registered). Send it again under the same key, which takes "
            "it once; or use `send` (command line: --durable), which waits for a worker."
        ) from None
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise NotFound(error.message) from None
        raise Unreachable(f"Temporal does not do it: {error.message}") from None


def _refused(cause: BaseException) -> NoReturn:
    if isinstance(cause, ApplicationError):
        if cause.message == _NO_WORDS:
            raise Refused(f"It is refused, and the reason is sealed. {SEALED}") from None
        if cause.type == "Invalid":
            raise Invalid(cause.message) from None
        raise Refused(cause.message, str(cause.details[0]) if cause.details else "") from None
    raise Refused(str(cause)) from None
