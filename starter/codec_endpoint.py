"""Opens sealed payloads for the Temporal Web UI, as Temporal's codec server protocol says (docs/codec.md).

    POST /codec/decode, /codec/encode    the JSON of temporal.api.common.v1.Payloads, and the same back

Whoever may read what customers said may open it: `may_decode` decides, request by request. A browser is let in from the
Web UI's own origin alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse
from google.protobuf.json_format import MessageToJson, Parse, ParseError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.cors import CORSMiddleware
from temporalio.api.common.v1 import Payload, Payloads

from settings import Settings
from starter.codec_door import Door
from wire.codec import Codec
from wire.packing import unpack

LIMIT = 8 * 1024 * 1024
"""Bytes of one request; Temporal hands out at most 4 MB at once, and base64 makes them a third more."""

MayDecode = Callable[[Request], Awaitable[None]]
"""Raises HTTPException 401 or 403 for whoever may not read what is sealed."""


def codec_endpoint(settings: Settings, namespace: str, may_decode: MayDecode | None = None) -> FastAPI:
    """The endpoint, to be mounted at `/codec`. Seals whether or not the settings ask for it: who calls it, asks.

    Without `may_decode` the token of the settings guards it, and a page at `/codec/` takes the token from a browser.
    """
    codec = Codec(settings.keyring)
    app = FastAPI(openapi_url=None)
    door = Door(settings)
    guarded = [Depends(may_decode or door.may_decode)]
    if may_decode is None:
        app.add_api_route("/", door.show, methods=["GET", "HEAD"])
        app.add_api_route("/", door.open, methods=["POST"])

    async def answered(request: Request, convert: Callable[[list[Payload]], Awaitable[list[Payload]]]) -> Response:
        asked = request.headers.get("x-namespace", namespace)
        if asked != namespace:
            raise HTTPException(403, f"This endpoint serves the namespace {namespace}, not {asked[:100]}.")
        payloads = Parse((await _body(request)).decode(errors="replace"), Payloads())
        converted = await convert(list(payloads.payloads))
        return Response(MessageToJson(Payloads(payloads=converted), indent=None), media_type="application/json")

    @app.post("/decode", dependencies=guarded)
    async def decode(request: Request) -> Response:
        async def readable(payloads: list[Payload]) -> list[Payload]:
            return [unpack(payload) for payload in await codec.decode(payloads)]

        return await answered(request, readable)

    @app.post("/encode", dependencies=guarded)
    async def encode(request: Request) -> Response:
        return await answered(request, codec.encode)

    # In words, not in JSON: the Web UI takes any JSON for opened payloads, whatever the status.
    @app.exception_handler(ParseError)
    async def unreadable(_: Request, __: Exception) -> Response:
        return PlainTextResponse("This is no JSON of temporal.api.common.v1.Payloads.\n", 400)

    @app.exception_handler(StarletteHTTPException)
    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, StarletteHTTPException)  # noqa: S101  whom it is registered for
        return PlainTextResponse(f"{error.detail}\n", error.status_code, error.headers)

    app.add_middleware(
        CORSMiddleware,
        allow_origins=[origin] if (origin := _origin(settings.temporal_ui_url)) else [],
        allow_methods=["POST"],
        allow_headers=["Authorization", "Content-Type", "X-Namespace"],
        allow_credentials=True,
    )
    return app


async def _body(request: Request) -> bytes:
    """What was sent, and no more of it than anybody needs."""
    sent = b""
    async for part in request.stream():
        sent += part
        if len(sent) > LIMIT:
            raise HTTPException(413, f"At most {LIMIT:,} bytes are taken at once.")
    return sent


def _origin(url: str | None) -> str:
    """Scheme, host and port of an address, as a browser names a page's origin."""
    parts = urlsplit(url or "")
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
