"""Who asks, and how often they may. Counted in this process: of several servers each counts for itself."""

from __future__ import annotations

import math
import time
from ipaddress import IPv6Address, ip_address

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from starlette.types import Scope

from settings import Settings


def origin(scope: Scope) -> str:
    """Who asks, for counting: the address; of IPv6 the network of it, since one household has 2⁶⁴ of them."""
    host = scope["client"][0] if scope.get("client") else ""
    try:
        address = ip_address(host)
    except ValueError:
        return str(host)
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> 64 << 64)}/64"


class Limits:
    """The rates of the settings. Each question answers with the seconds to wait, or 0 for go on."""

    def __init__(self, settings: Settings) -> None:
        self._token = parse(settings.rate_token)
        self._address = parse(settings.rate_address)
        self._failures = parse(settings.rate_failures)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def address(self, address: str) -> int:
        """One more request from an address."""
        return await self._hit(self._address, "address", address)

    async def token(self, token: str) -> int:
        """One more request under a token."""
        return await self._hit(self._token, "token", token)

    async def failed(self, address: str) -> int:
        """One more attempt from an address without a valid token, or with a link that opens nothing."""
        return await self._hit(self._failures, "failures", address)

    async def _hit(self, limit: RateLimitItem, *of: str) -> int:
        return 0 if await self._limiter.hit(limit, *of) else await self._wait(limit, *of)

    async def _wait(self, limit: RateLimitItem, *of: str) -> int:
        reset = (await self._limiter.get_window_stats(limit, *of)).reset_time
        return max(1, math.ceil(reset - time.time()))
