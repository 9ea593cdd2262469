"""Forms that may carry a small file."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from starter.pages.ground import TEXT_LIMIT, PageError, form_of

FILE_LIMIT = 1024 * 1024
"""Bytes of a file: a letter as PDF, or a photo of one."""

_MEDIA = re.compile(r"[a-z]+/[a-z0-9.+-]{1,80}")


@dataclass(frozen=True, slots=True)
class Sent:
    """A file as it was sent."""

    data: bytes
    media_type: str


async def form_with_file(request: Request, name: str) -> tuple[dict[str, list[str]], Sent | None]:
    """The fields of a form, and its file of this name if one was chosen. Raises PageError."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await form_of(request, TEXT_LIMIT), None
    body = await _body(request)

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    parser = MultiPartParser(request.headers, stream(), max_files=1, max_fields=50)
    parser.spool_max_size = 2 * FILE_LIMIT  # in memory: what is signed touches no disk unsealed
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError):
        raise PageError("bad_form", 400) from None
    fields: dict[str, list[str]] = {}
    sent: Sent | None = None
    try:
        for key, value in form.multi_items():
            if not isinstance(value, UploadFile):
                fields.setdefault(key, []).append(value)
            elif key == name and value.filename and (data := await value.read()):
                sent = Sent(data, _media(value.content_type))
    finally:
        await form.close()
    if sent is not None and len(sent.data) > FILE_LIMIT:
        raise PageError("file_too_large", 413)
    return fields, sent


def _media(given: str | None) -> str:
    """What the sender's browser takes it for; nobody here shows it, so nobody here relies on it."""
    kind = (given or "").partition(";")[0].strip().lower()
    return kind if _MEDIA.fullmatch(kind) else "application/octet-stream"


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FILE_LIMIT + TEXT_LIMIT:
            raise PageError("file_too_large", 413)
    return bytes(body)
