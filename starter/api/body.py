"""The JSON object in a request, read strictly: what two readers could understand in two ways is refused."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any, NoReturn

from fastapi import Request

from starter.api.guard import LARGEST_BODY
from starter.api.problems import ApiError

DEEPEST = 20
"""Objects and lists within one another; what a complaint takes has 4."""

PATIENCE = 30.0
"""Seconds within which a body must have come."""


async def read_object(request: Request) -> dict[str, Any]:
    """Raises ApiError: 408, 413, 415 or 422."""
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    if kind.strip().lower() != "application/json" or charset not in ("", "utf-8"):
        raise ApiError(415, "not-json", "Send JSON in UTF-8, with the header `Content-Type: application/json`.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise ApiError(415, "encoded", "Send the body as it is, without a Content-Encoding.")
    try:
        text = (await _bytes(request)).decode()
    except UnicodeDecodeError as error:
        raise ApiError(422, "invalid", f"The body is not UTF-8 at byte {error.start}.") from None
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_no_number, parse_int=_integer)
    except ApiError:
        raise
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise ApiError(422, "invalid", f"The body is no JSON: {error}.") from None
    if not isinstance(value, dict):
        raise ApiError(422, "invalid", 'The body must be one JSON object, such as {"text": "…"}; {} when it is empty.')
    _shallow(value)
    return value


async def _bytes(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST_BODY:
                    detail = f"The body is larger than {LARGEST_BODY:,} bytes; name files as evidence."
                    raise ApiError(413, "too-large", detail, {"Connection": "close"})
    except TimeoutError:
        detail = f"The body did not come within {PATIENCE:g} seconds; send it again."
        raise ApiError(408, "too-slow", detail, {"Connection": "close"}) from None
    return bytes(body)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise ApiError(422, "invalid", f"{twice[:100]!r} stands in the same object twice; send it once.")
    return made


def _no_number(name: str) -> NoReturn:
    raise ApiError(422, "invalid", f"{name} is no JSON number.")


def _integer(digits: str) -> int:
    if len(digits) > 100:
        raise ApiError(422, "invalid", f"A number has {len(digits):,} digits; nothing here takes more than 100.")
    return int(digits)


def _shallow(value: Any) -> None:
    """Raises ApiError for what lies too deep; without recursion of its own."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise _too_deep()
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]


def _too_deep() -> ApiError:
    return ApiError(422, "invalid", f"The body nests more than {DEEPEST} objects or lists; send it flatter.")
