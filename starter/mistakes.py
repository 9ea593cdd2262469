"""A mistake of ours inside a request: in the log where it was, and not what was written."""

from __future__ import annotations

import logging
import traceback

from starlette.types import Scope


def log(logger: logging.Logger, error: Exception, scope: Scope) -> None:
    """Neither the message nor the values of a mistake go to the log: either may hold what a customer wrote."""
    trace = "".join(traceback.format_tb(error.__traceback__))
    logger.error("a mistake of ours: %s in %s\n%s", type(error).__name__, scope.get("method"), trace)
