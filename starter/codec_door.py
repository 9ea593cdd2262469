"""Who may have sealed payloads opened, while there is no other guard: programs by a token, browsers by a cookie.

The Web UI of a development server knows no users and sends no token. So a person gives the token once, on a page of
this server, and its cookie goes along with what the Web UI asks.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from datetime import UTC, timedelta
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse
from itsdangerous import BadData, URLSafeTimedSerializer
from pydantic import SecretStr

from rules.contract import Language
from settings import Settings
from templates.rendering import Renderer

COOKIE = "ombud_codec"
OPEN_FOR = timedelta(hours=12)
FORM_LIMIT = 4096
"""Bytes; the form has one field."""

POLICY = "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"


class Door:
    """Opens to whoever knows the token of the settings; without one it stays shut."""

    def __init__(self, settings: Settings) -> None:
        self._token: SecretStr | None = settings.codec_token
        self._signer = URLSafeTimedSerializer(settings.signing_key.get_secret_value(), salt="codec")
        self._base = f"{settings.base_url.rstrip('/')}/codec" if settings.base_url else ""
        self._secure = self._base.startswith("https://")
        self._renderer = Renderer()

    async def may_decode(self, request: Request) -> None:
        """Raises HTTPException 401, or 403 where no token is set."""
        if self._token is None:
            raise HTTPException(403, "This endpoint is shut: OMBUD_CODEC_TOKEN is not set.")
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._is(given.strip()):
            return
        if not self._remembered(request.cookies.get(COOKIE, "")):
            raise HTTPException(401, "Send the token of OMBUD_CODEC_TOKEN.", {"WWW-Authenticate": "Bearer"})

    async def show(self, request: Request) -> HTMLResponse:
        """The form, or that it is open in this browser already."""
        return self._page(request, opened=self._remembered(request.cookies.get(COOKIE, "")))

    async def open(self, request: Request) -> HTMLResponse:
        """Takes the token and gives the cookie for it."""
        sent = b""
        async for part in request.stream():
            sent += part
            if len(sent) > FORM_LIMIT:
                raise HTTPException(413, "The form sends one line only.")
        if not self._is(parse_qs(sent.decode(errors="replace")).get("token", [""])[0].strip()):
            return self._page(request, wrong=True, status=401)
        page = self._page(request, opened=True)
        page.set_cookie(
            COOKIE,
            self._signer.dumps(self._mark()),
            max_age=int(OPEN_FOR.total_seconds()),
            path="/codec",
            secure=self._secure,
            httponly=True,
            samesite="strict",
        )
        return page

    def _is(self, given: str) -> bool:
        known = self._token.get_secret_value() if self._token else ""
        return bool(known) and hmac.compare_digest(given.encode(), known.encode())

    def _remembered(self, cookie: str) -> bool:
        """Whether the cookie was given for the token that is set now."""
        try:
            mark = self._signer.loads(cookie, max_age=int(OPEN_FOR.total_seconds()))
        except BadData:
            return False
        return self._token is not None and hmac.compare_digest(str(mark), self._mark())

    def _mark(self) -> str:
        """Changes with the token, and tells nothing of it."""
        known = self._token.get_secret_value() if self._token else ""
        return hmac.digest(known.encode(), b"ombud codec cookie", "sha256").hex()

    def _page(self, request: Request, *, opened: bool = False, wrong: bool = False, status: int = 200) -> HTMLResponse:
        chinese = request.headers.get("accept-language", "").lower().startswith("zh")
        language: Language = "zh-CN" if chinese else "en"
        nonce = base64.b64encode(secrets.token_bytes(16)).decode()
        endpoint = self._base or str(request.url.replace(query="")).rstrip("/")
        says = {"opened": opened, "wrong": wrong, "endpoint": endpoint, "nonce": nonce}
        page = self._renderer.page("codec.html", language, ZoneInfo(str(UTC)), **says)
        return HTMLResponse(page, status, {"Content-Security-Policy": f"{POLICY}; style-src 'nonce-{nonce}'"})
