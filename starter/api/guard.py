"""What stands before every request: bounds on rate and size, and the last net for our own mistakes."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from starter import mistakes
from starter.api.problems import respond, slower
from starter.limits import Limits, origin

LOGGER = logging.getLogger("ombud.api")

LONGEST_ADDRESS = 4_096
"""Bytes of path and query together."""

LARGEST_BODY = 2_000_000
"""Bytes; the largest input a complaint takes has some 1.5 million."""


class Guard:
    """ASGI middleware around the API."""

    def __init__(self, app: ASGIApp, limits: Limits, throttled: Callable[[int, str, str], Awaitable[None]]) -> None:
        self._app = app
        self._limits = limits
        self._throttled = throttled

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            await (await self._stopped(scope) or self._app)(scope, receive, send)

        await mistakes.caught(guarded, scope, receive, send, logger=LOGGER, answer=_broken)

    async def _stopped(self, scope: Scope) -> ASGIApp | None:
        """The answer to what is not even looked at."""
        if wait := await self._limits.address(origin(scope)):
            await self._throttled(wait, "any", origin(scope))
            return respond(*slower(wait))
        if len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST_ADDRESS:
            return respond(
                414, "address-too-long", f"The address is longer than {LONGEST_ADDRESS:,} bytes; shorten it."
            )
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or int(length[:20]) > LARGEST_BODY:
            return too_large()
        return None


async def _broken() -> ASGIApp:
    detail = "A mistake of Ombud's own; it is in its log. Send it again, and tell operations if it stays."
    return respond(500, "internal", detail)


def too_large() -> ASGIApp:
    detail = f"The body is larger than {LARGEST_BODY:,} bytes; name files as evidence instead of sending them."
    return respond(413, "too-large", detail, {"Connection": "close"})
