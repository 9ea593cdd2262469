"""What pages fall into: a mistake of ours, or an address or method that no page has, is still a page for people."""

from __future__ import annotations

import logging
from http import HTTPStatus

from fastapi import Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from starter import mistakes
from starter.api.problems import no_route
from starter.pages.accesses import page_of
from starter.pages.ground import Ground, PageError

LOGGER = logging.getLogger("ombud.pages")


class Net:
    """ASGI middleware around the pages: what nobody caught becomes a page."""

    def __init__(self, app: ASGIApp, ground: Ground) -> None:
        self._app = app
        self._ground = ground

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def page() -> Response:
            return await self._ground.problem(Request(scope), PageError("broken", 500))

        await mistakes.caught(self._app, scope, receive, send, logger=LOGGER, answer=page)


async def no_page(ground: Ground, request: Request, error: Exception) -> Response:
    """What the framework itself refuses: for people a page, for programs a problem document."""
    assert isinstance(error, HTTPException)  # noqa: S101  registered for nothing else
    if page_of(request) is None and "text/html" not in request.headers.get("accept", ""):
        return await no_route(request, error)
    known = error.status_code == HTTPStatus.NOT_FOUND
    page = await ground.problem(request, PageError("bad" if known else "bad_form", error.status_code))
    page.headers.update(error.headers or {})
    return page
