"""Where a webhook may go: to public addresses over https, and to those that the settings allow besides.

An address is judged where a connection is made, not where a name is written: a name can point anywhere, and somewhere
else a moment later (DNS rebinding). So the name is resolved once, each of its addresses is judged, and the connection
goes to exactly one of those that passed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LONGEST_URL = 2000

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")


class ForbiddenAddressError(Exception):
    """A webhook must not go there; the message says why, without the path or the query, which may be secret."""


class Guard:
    """Judges addresses. `allowed` lists hosts and networks that may be private and spoken to without TLS."""

    def __init__(self, allowed: str = "") -> None:
        self._hosts: set[str] = set()
        self._networks: list[Network] = []
        for item in filter(None, (part.strip() for part in allowed.split(","))):
            try:
                self._networks.append(ipaddress.ip_network(item))
            except ValueError:
                self._hosts.add(item.lower().rstrip("."))

    def check_url(self, url: str) -> SplitResult:
        """The parts of an address as far as they can be judged without resolving it. Raises ForbiddenAddressError."""
        if len(url) > LONGEST_URL or any(ch.isspace() or not ch.isprintable() for ch in url):
            raise ForbiddenAddressError(f"not an address: it has white space or more than {LONGEST_URL:,} characters")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ForbiddenAddressError(f"not an address: {error}") from None
        host = parts.hostname or ""
        if parts.scheme not in ("https", "http") or not host or port == 0:
            raise ForbiddenAddressError("not an address: write one such as https://example.com/hooks")
        if not host.isascii():
            raise ForbiddenAddressError(f"{host} is not plain ASCII: write the name as DNS has it (xn--…)")
        if parts.username is not None or parts.password is not None:
            raise ForbiddenAddressError("a user name or password stands in the address: leave it out")
        if parts.fragment:
            raise ForbiddenAddressError("the address has a part behind #, which no server would see: leave it out")
        literal = _literal(host)
        if parts.scheme == "http" and not self._allowed_host(host) and not (literal and self._allowed(literal)):
            raise ForbiddenAddressError(f"{host} would be spoken to without TLS: use https, {_OR_ALLOW}")
        if literal:
            self.check(literal, host)
        return parts

    def check(self, address: Address, host: str) -> None:
        """Raises ForbiddenAddressError unless a connection to this address of the host may be made."""
        if self._allowed_host(host) or self._allowed(address):
            return
        if any(not _public(each) for each in _meant(address)):
            raise ForbiddenAddressError(f"{host} is {address}, which is not a public address: correct it, {_OR_ALLOW}")

    async def resolve(self, host: str, port: int) -> list[Address]:
        """The addresses of a host that may be connected to. Raises ForbiddenAddressError if none may, and OSError."""
        if literal := _literal(host):
            found: list[Address] = [literal]
        else:
            answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys(ipaddress.ip_address(str(answer[4][0])) for answer in answers))
        passed: list[Address] = []
        refused: ForbiddenAddressError | None = None
        for address in found:
            try:
                self.check(address, host)
            except ForbiddenAddressError as error:
                refused = error
            else:
                passed.append(address)
        if not passed:
            raise refused or ForbiddenAddressError(f"{host} has no address")
        return passed

    def plain_http(self, host: str, address: Address) -> bool:
        """Whether this address of the host may be spoken to without TLS."""
        return self._allowed_host(host) or self._allowed(address)

    def _allowed_host(self, host: str) -> bool:
        return host.lower().rstrip(".") in self._hosts

    def _allowed(self, address: Address) -> bool:
        return all(
            any(each.version == network.version and each in network for network in self._networks)
            for each in _innermost(address)
        )


_OR_ALLOW = "or list the host or its network in OMBUD_WEBHOOK_ALLOW"


def _literal(host: str) -> Address | None:
    """The address that a host is when it is no name. Old spellings of IPv4 (`0x7f.1`) are names to the resolver."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _meant(address: Address) -> Iterator[Address]:
    """The address, and every IPv4 address that is reached by way of it."""
    yield address
    yield from _inside(address)


def _innermost(address: Address) -> list[Address]:
    """Whom a connection reaches: the IPv4 addresses inside, else the address itself."""
    return list(_inside(address)) or [address]


def _inside(address: Address) -> Iterator[Address]:
    if isinstance(address, ipaddress.IPv4Address):
        return
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


def _public(address: Address) -> bool:
    """An address that is anybody's to reach. A mapped or translated one is as public as the IPv4 address in it."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped or address in _NAT64:
            return True
        if address.is_site_local:
            return False
    special = (
        address.is_private,
        address.is_loopback,
        address.is_link_local,
        address.is_multicast,
        address.is_reserved,
        address.is_unspecified,
    )
    return address.is_global and not any(special)
