"""The HTTP server: the pages that mails link to, and a sign of life. `ombud serve`."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from jinja2 import TemplateError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from settings import Settings, SettingsError, load_settings
from starter.client import Ombud
from starter.pages import PageError, Pages
from storage.database import PostgresUnreachableError, SchemaMissingError, create_engine, transaction
from temporal_client import TemporalUnreachableError, connect_temporal

LOGGER = logging.getLogger("ombud.pages")

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # the address of a page is a secret of its recipient
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}
"""On every answer, unless a page says something of its own."""


def application(engine: AsyncEngine, ombud: Ombud, settings: Settings) -> FastAPI:
    """Everything that Ombud serves over HTTP."""
    app = FastAPI(title="Ombud", openapi_url=None)
    pages = Pages(engine, ombud, settings)
    app.include_router(pages.routes)
    app.add_exception_handler(PageError, pages.problem)

    @app.exception_handler(TemplateError)
    async def broken(_: Request, error: Exception) -> PlainTextResponse:
        """Nothing was changed: a page is rendered before or after what it tells of, never instead."""
        LOGGER.error("a template is broken: %s", error)
        return PlainTextResponse("This page cannot be shown: its template is broken. Tell operations.\n", 500)

    @app.middleware("http")
    async def guarded(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await go_on(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    @app.api_route("/healthz", methods=["GET", "HEAD"])
    async def healthz() -> PlainTextResponse:
        """Whether pages can be shown: 200, or 503 with the reason."""
        try:
            async with transaction(engine) as db:
                await db.execute(text("SELECT 1"))
        except (PostgresUnreachableError, SchemaMissingError):
            return PlainTextResponse("Postgres does not answer\n", 503)
        return PlainTextResponse("ok\n")

    return app


def main() -> int:
    """Serve until SIGTERM or Ctrl-C; the exit code."""
    try:
        return asyncio.run(_serve(load_settings()))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    except TemporalUnreachableError as error:
        print(error, file=sys.stderr)
        return 3


async def _serve(settings: Settings) -> int:
    client = await connect_temporal()
    engine = create_engine(settings.database_url)
    try:
        ombud = Ombud(client, engine, task_queue=settings.task_queue)
        server = uvicorn.Server(_config(application(engine, ombud, settings), settings))
        await server.serve()
    finally:
        await engine.dispose()
    return 0 if server.started else 1


def _config(app: Any, settings: Settings) -> uvicorn.Config:
    """No access log: the address of a page is a secret of its recipient."""
    return uvicorn.Config(
        app,
        host=settings.http_host,
        port=settings.http_port,
        access_log=False,
        server_header=False,
        log_level="warning",
    )
