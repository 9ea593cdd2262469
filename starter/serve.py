"""The HTTP server: the API, the pages that mails link to, the codec endpoint, a sign of life. `ombud serve`."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
import uvloop
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from jinja2 import TemplateError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.exceptions import HTTPException
from starlette.routing import Mount, Router
from starlette.types import Message, Receive, Scope, Send

from settings import Settings, SettingsError, load_settings
from starter.api.app import api
from starter.client import Ombud
from starter.codec_endpoint import codec_endpoint
from starter.metrics import Metrics
from starter.pages import PageError, Pages
from storage.database import PostgresUnreachableError, SchemaMissingError, create_engine, transaction
from telemetry import logs, tracing
from wire.client import TemporalUnreachableError, connect_temporal

LOGGER = logging.getLogger("ombud.pages")

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",  # the address of a page is a secret of its recipient
    "Strict-Transport-Security": "max-age=31536000",  # heeded only where a proxy speaks TLS
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}
"""On every answer, unless a page says something of its own."""
_LINES = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]


def application(engine: AsyncEngine, ombud: Ombud, settings: Settings) -> WithHeaders:
    """Everything that Ombud serves over HTTP."""
    for_people = _pages(engine, ombud, settings)
    for_programs = api(engine, ombud, settings)
    for app in (for_people, for_programs):
        tracing.requests_of(app)
    # Side by side and not within one another: a program need not pass through what stands before people.
    return WithHeaders(Router([Mount("/v1", for_programs)], redirect_slashes=False, default=for_people))


def _pages(engine: AsyncEngine, ombud: Ombud, settings: Settings) -> FastAPI:
    """The pages, what watches over the server, and what opens sealed payloads for the Web UI."""
    pages = Pages(engine, ombud, settings)
    app = FastAPI(title="Ombud", openapi_url=None, redirect_slashes=False, middleware=[pages.net])
    app.include_router(pages.routes)
    app.include_router(Metrics(engine, settings).routes)
    app.add_exception_handler(PageError, pages.problem)
    app.add_exception_handler(HTTPException, pages.no_page)

    @app.exception_handler(TemplateError)
    async def broken(_: Request, error: Exception) -> PlainTextResponse:
        """Nothing was changed: a page is rendered before or after what it tells of, never instead."""
        LOGGER.error("a template is broken: %s", error)
        return PlainTextResponse("This page cannot be shown: its template is broken. Tell operations.\n", 500)

    @app.api_route("/healthz", methods=["GET", "HEAD"])
    async def healthz() -> PlainTextResponse:
        """Whether pages can be shown: 200, or 503 with the reason."""
        try:
            async with transaction(engine) as db:
                await db.execute(text("SELECT 1"))
        except (PostgresUnreachableError, SchemaMissingError):
            return PlainTextResponse("Postgres does not answer\n", 503)
        return PlainTextResponse("ok\n")

    if settings.codec_token is not None:
        app.mount("/codec", codec_endpoint(settings, ombud.temporal.namespace))
    return app


class WithHeaders:
    """ASGI middleware: the headers of every answer."""

    def __init__(self, app: Router) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(line for line in _LINES if line[0] not in said)]
            await send(message)

        await self.app(scope, receive, sending)


class PortError(Exception):
    """The port cannot be listened on; the message says which, and how to choose another."""


class Server(uvicorn.Server):
    """Ends on SIGTERM and Ctrl-C as something that was asked to, where uvicorn would end as something killed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Finish what is being answered, then stop."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.handle_exit, number, None)
        yield


def main() -> int:
    """Serve until SIGTERM or Ctrl-C; the exit code."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(load_settings()))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    except (PortError, TemporalUnreachableError) as error:
        print(error, file=sys.stderr)
        return 3
    return 0


async def _serve(settings: Settings) -> None:
    logs.configure(settings)
    tracing.start("ombud-serve")
    client = await connect_temporal()
    engine = create_engine(settings.database_url)
    ombud = Ombud(client, engine, task_queue=settings.task_queue)
    # No access log: the address of a page is a secret of its recipient.
    config = uvicorn.Config(
        application(engine, ombud, settings),
        access_log=False,
        http="h11",  # the strict one: httptools lets line ends and old forms of a request through
        server_header=False,
        log_level="warning",
        log_config=None,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
    )
    try:
        with _listening(settings) as listener:
            await Server(config).serve(sockets=[listener])
    finally:
        await engine.dispose()


def _listening(settings: Settings) -> socket.socket:
    try:
        return socket.create_server((settings.http_host, settings.http_port))
    except (OSError, OverflowError) as error:
        raise PortError(
            f"Port {settings.http_port} of {settings.http_host} cannot be listened on: {error}\n"
            "End what holds it, or choose another: OMBUD_HTTP_PORT, OMBUD_HTTP_HOST."
        ) from error
