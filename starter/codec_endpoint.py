"""Opens sealed payloads for the Temporal Web UI, as Temporal's codec server protocol says (docs/codec.md).

    POST /codec/decode, /codec/encode    the JSON of temporal.api.common.v1.Payloads, and the same back

Whoever may read what customers said may open it: `may_decode` decides, request by request. A browser is let in from the
Web UI's own origin alone.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from google.protobuf.json_format import MessageToJson, Parse, ParseError
from starlette.middleware.cors import CORSMiddleware
from temporalio.api.common.v1 import Payload, Payloads

from payload_codec import Codec
from settings import Settings

LIMIT = 8 * 1024 * 1024
"""Bytes of one request; Temporal hands out at most 4 MB at once, and base64 makes them a third more."""

MayDecode = Callable[[Request], Awaitable[None]]
"""Raises HTTPException 401 or 403 for whoever may not read what is sealed."""


def shared_token(settings: Settings) -> MayDecode:
    """Lets in whoever sends the token of the settings as `Authorization: Bearer …`."""

    async def may_decode(request: Request) -> None:
        if settings.codec_token is None:
            raise HTTPException(403, "This endpoint is shut: OMBUD_CODEC_TOKEN is not set.")
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        known = settings.codec_token.get_secret_value().encode()
        if kind.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), known):
            raise HTTPException(401, "Send the token of OMBUD_CODEC_TOKEN.", {"WWW-Authenticate": "Bearer"})

    return may_decode


def codec_endpoint(settings: Settings, namespace: str, may_decode: MayDecode | None = None) -> FastAPI:
    """The endpoint, to be mounted at `/codec`. Seals whether or not the settings ask for it: who calls it, asks."""
    codec = Codec(settings.keyring)
    app = FastAPI(openapi_url=None, dependencies=[Depends(may_decode or shared_token(settings))])

    async def answered(request: Request, convert: Callable[[list[Payload]], Awaitable[list[Payload]]]) -> Response:
        asked = request.headers.get("x-namespace", namespace)
        if asked != namespace:
            raise HTTPException(403, f"This endpoint serves the namespace {namespace}, not {asked[:100]}.")
        payloads = Parse((await _body(request)).decode(errors="replace"), Payloads())
        converted = await convert(list(payloads.payloads))
        return Response(MessageToJson(Payloads(payloads=converted), indent=None), media_type="application/json")

    @app.post("/decode")
    async def decode(request: Request) -> Response:
        return await answered(request, codec.decode)

    @app.post("/encode")
    async def encode(request: Request) -> Response:
        return await answered(request, codec.encode)

    @app.exception_handler(ParseError)
    async def unreadable(_: Request, __: Exception) -> Response:
        return Response("This is no JSON of temporal.api.common.v1.Payloads.\n", 400, media_type="text/plain")

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
