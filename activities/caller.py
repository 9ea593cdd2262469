"""One call over HTTP to somebody else's server, which may be slow, hostile or gone.

What becomes of it is one of three: the server took it, it is gone for good (410), or it has to be asked again. Nothing
that may be secret (path, query, headers, the server's own words) gets into a message or a log.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult

import httpx

from activities.guard import Address, ForbiddenAddressError, Guard

PATIENCE = 15.0
"""Seconds for one whole call; less than a round may take."""

MOST_BYTES = 65_536
"""Of an answer. What comes behind it is not read."""

LONGEST_PAUSE = 3600
"""Seconds; a server that asks for more patience is asked again after so long."""

for _name in ("httpx", "httpcore"):
    # They would log whole addresses, and a group robot's address is all that it takes to write to the group.
    logging.getLogger(_name).setLevel(logging.WARNING)


class NotTakenError(Exception):
    """It was not taken now; the message says why. `after` is when the server wants to be asked again, in seconds."""

    def __init__(self, why: str, after: int | None = None) -> None:
        super().__init__(why)
        self.after = after


class GoneError(Exception):
    """The server says that nobody will ever listen there again."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent by POST. Its address may be a secret."""

    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


class Caller:
    """Calls, without proxies, cookies, redirects or anything else that a server could ask for."""

    def __init__(self, guard: Guard, *, patience: float = PATIENCE, trust: ssl.SSLContext | None = None) -> None:
        self._guard = guard
        self._patience = patience
        self._trust = trust or httpx.create_ssl_context()

    async def post(self, request: Request, *, read: bool = False) -> bytes:
        """Returns once the server has said 2xx, with the beginning of what it says besides if that is to be read.

        Raises NotTakenError, GoneError.
        """
        try:
            async with asyncio.timeout(self._patience):
                return await self._post(request, read=read)
        except TimeoutError:
            raise NotTakenError(f"no whole answer within {self._patience:g} seconds") from None
        except ForbiddenAddressError as error:
            raise NotTakenError(str(error)) from None
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
            raise NotTakenError(f"the call failed: {_named(error)}") from None

    async def _post(self, request: Request, *, read: bool) -> bytes:
        parts = self._guard.check_url(request.url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        failed: Exception = httpx.ConnectError("nobody answers")
        for address in await self._guard.resolve(host, port):
            if parts.scheme == "http" and not self._guard.plain_http(host, address):
                raise ForbiddenAddressError(f"{host} is {address}, which may be spoken to over https only")
            try:
                return await self._at(address, parts, port, request, read=read)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failed = error  # nothing was sent, so the next address may be tried
        raise failed

    async def _at(self, address: Address, parts: SplitResult, port: int, request: Request, *, read: bool) -> bytes:
        """Speaks to exactly this address; TLS asks it for a certificate of the name."""
        literal = f"[{address}]" if address.version == 6 else str(address)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {
            "Host": parts.netloc,
            "User-Agent": "Ombud",
            "Accept-Encoding": "identity",
            "Connection": "close",
            **request.headers,
        }
        client = httpx.AsyncClient(verify=self._trust, trust_env=False, timeout=self._patience, follow_redirects=False)
        async with (
            client,
            client.stream(
                "POST",
                f"{parts.scheme}://{literal}:{port}{path}",
                content=request.body,
                headers=headers,
                extensions={"sni_hostname": parts.hostname or ""},
            ) as answer,
        ):
            _judge(answer)
            return await _beginning(answer) if read else b""


def _judge(answer: httpx.Response) -> None:
    """Raises unless it says 2xx."""
    code = answer.status_code
    if code == httpx.codes.GONE:
        raise GoneError("410 Gone")
    if 300 <= code < 400:
        raise NotTakenError(f"HTTP {code}: redirects are not followed; subscribe the address it leads to")
    if not 200 <= code < 300:
        raise NotTakenError(f"HTTP {code}", _after(answer.headers.get("retry-after", "")))


async def _beginning(answer: httpx.Response) -> bytes:
    said = b""
    async for chunk in answer.aiter_raw():
        said += chunk
        if len(said) >= MOST_BYTES:
            break
    return said[:MOST_BYTES]


def _after(said: str) -> int | None:
    """`Retry-After` in seconds, where it is a number; a date is left to the usual distances."""
    return min(int(said), LONGEST_PAUSE) if said.isascii() and said.isdigit() and len(said) < 10 else None


def _named(error: Exception) -> str:
    """The kind of failure, in words without addresses."""
    kinds: dict[type[Exception], str] = {
        httpx.ConnectTimeout: "no connection in time",
        httpx.ConnectError: "no connection, or no valid certificate",
        httpx.RemoteProtocolError: "it broke off, or does not speak HTTP",
        httpx.ReadError: "it broke off",
        httpx.WriteError: "it broke off",
    }
    return next((said for kind, said in kinds.items() if isinstance(error, kind)), type(error).__name__)
