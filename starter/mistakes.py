"""A mistake of ours inside a request: in the log where it was, and not what was written; and an answer all the same."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send


async def caught(
    app: ASGIApp,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    logger: logging.Logger,
    answer: Callable[[], Awaitable[ASGIApp]],
) -> None:
    """Run an application; a mistake in it is logged, and answered by `answer`.

    Raises ConnectionAbortedError where half an answer had left, which must not look like a whole one.
    """
    begun = False

    async def sending(message: Message) -> None:
        nonlocal begun
        begun = True
        await send(message)

    try:
        await app(scope, receive, sending)
    except ClientDisconnect:
        return
    except Exception as error:  # noqa: BLE001  the last net
        log(logger, error, scope)
        if begun:
            raise ConnectionAbortedError from None
        await (await answer())(scope, receive, send)


def log(logger: logging.Logger, error: Exception, scope: Scope) -> None:
    """Neither the message nor the values of a mistake go to the log: either may hold what a customer wrote."""
    trace = "".join(traceback.format_tb(error.__traceback__))
    logger.error("a mistake of ours: %s in %s\n%s", type(error).__name__, scope.get("method"), trace)
