"""No webhook goes to a private address, over plain HTTP, or elsewhere than to the address that was judged."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from activities.caller import MOST_BYTES, Caller, NotTakenError, Request
from activities.guard import ForbiddenAddressError, Guard
from tests.support.receiver import Receiver

PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2001:0:7f00:1::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_no_address_that_is_not_public(address: str) -> None:
    """Private, loopback, link-local, multicast, reserved: also as IPv6, mapped, translated or tunnelled."""
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(ForbiddenAddressError, match="not a public address"):
        Guard().check_url(f"https://{host}/hooks")


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_a_public_address_may_be_called(address: str) -> None:
    """Public ones pass, mapped and translated ones too."""
    Guard().check(ipaddress.ip_address(address), "example.com")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.com/", "without TLS"),
        ("ftp://example.com/", "not an address"),
        ("https:///hooks", "not an address"),
        ("//example.com", "not an address"),
        ("https://user:secret@example.com/", "user name or password"),
        ("https://@example.com/", "user name or password"),
        ("https://example.com/#part", "behind #"),
        ("https://example.com:99999/", "not an address"),
        ("https://example.com:0/", "not an address"),
        ("https://exa mple.com/", "white space"),
        ("https://example.com/\nHost: x", "white space"),
        ("https://例子.com/", "ASCII"),
        ("https://example.com/" + "x" * 2000, "2,000"),
    ],
)
def test_an_odd_address_is_refused(url: str, why: str) -> None:
    """Everything but a plain https address is refused, with the reason and without repeating a password."""
    with pytest.raises(ForbiddenAddressError, match=why) as refused:
        Guard().check_url(url)
    assert "secret" not in str(refused.value)


def test_what_is_allowed_is_allowed_and_nothing_else() -> None:
    """A listed host or network may be private and plain, a mapped address as the one it means; others may not."""
    guard = Guard("desk.internal, 10.1.0.0/16,127.0.0.1")
    guard.check_url("http://desk.internal/x")
    guard.check_url("http://127.0.0.1:8000/x")
    guard.check_url("https://[::ffff:10.1.2.3]/x")
    guard.check(ipaddress.ip_address("192.168.0.1"), "desk.internal")
    for url in ("http://10.2.0.1/", "http://[::1]/", "http://example.com/", "https://[::ffff:10.2.0.1]/"):
        with pytest.raises(ForbiddenAddressError):
            guard.check_url(url)


class Names:
    """A name server under the test's control: each name has its answers, one after the other; the last one stays."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = {name.replace("_", "."): found for name, found in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        found = self.answers[host]
        now = found.pop(0) if len(found) > 1 else found[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in now]


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a name server in place."""

    def put(**answers: list[list[str]]) -> Names:
        names = Names(**answers)
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", names)
        return names

    return put


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A server on loopback."""
    made = Receiver()
    await made.start()
    yield made
    await made.stop()


def request(url: str) -> Request:
    return Request(url, b"{}", {"Content-Type": "application/json"})


async def test_a_name_is_judged_by_what_it_resolves_to(receiver: Receiver, resolve: Any) -> None:
    """A public name that points into the private network is not called."""
    resolve(backend_test=[["127.0.0.1"]])
    with pytest.raises(NotTakenError, match=r"backend.test is 127\.0\.0\.1, which is not a public address"):
        await Caller(Guard()).post(request(f"https://backend.test:{receiver.port}/"))
    assert receiver.calls == []


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1"])
async def test_an_old_spelling_is_judged_as_what_it_means(host: str) -> None:
    """IPv4 in one number, in hex, or shortened is a name to us; the resolver says which address it is."""
    with pytest.raises(ForbiddenAddressError, match=r"is 127\.0\.0\.1, which is not a public address"):
        await Guard().resolve(host, 443)


async def test_the_judged_address_is_the_called_one(receiver: Receiver, resolve: Any) -> None:
    """DNS rebinding: the name is asked for once, and the connection goes to that answer, under the name's Host."""
    names = resolve(backend_test=[["127.0.0.1"], ["10.0.0.1"]])
    await Caller(Guard("backend.test")).post(request(f"http://backend.test:{receiver.port}/a?b=c"))
    assert names.asked == ["backend.test"]
    (call,) = receiver.calls
    assert (call.target, call.headers["host"]) == ("/a?b=c", f"backend.test:{receiver.port}")


async def test_of_several_addresses_those_that_passed_are_called(tmp_path: Path, resolve: Any) -> None:
    """Private addresses of a name are left out, and after one where nobody answers the next is called."""
    resolve(backend_test=[["10.0.0.1", "127.0.0.9", "127.0.0.1"]])
    found = await Guard("127.0.0.0/8").resolve("backend.test", 443)
    assert [str(address) for address in found] == ["127.0.0.9", "127.0.0.1"]
    server, trust = certificate(tmp_path, "backend.test")
    receiver = Receiver(tls=server)
    await receiver.start()
    await Caller(Guard("127.0.0.0/8"), trust=trust).post(request(f"https://backend.test:{receiver.port}/"))
    assert len(receiver.calls) == 1
    await receiver.stop()


async def test_plain_http_needs_leave_for_the_address(receiver: Receiver, resolve: Any) -> None:
    """A literal that is allowed may be called without TLS, a name only if it is listed itself."""
    resolve(backend_test=[["127.0.0.1"]])
    await Caller(Guard("127.0.0.0/8")).post(request(receiver.url))
    with pytest.raises(NotTakenError, match="without TLS"):
        await Caller(Guard("127.0.0.0/8")).post(request(f"http://backend.test:{receiver.port}/"))


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server of this name needs, and what trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cafile=file)


async def test_tls_asks_the_judged_address_for_the_name(tmp_path: Path, resolve: Any) -> None:
    """The certificate must be one of the name, though the connection goes to an address; another name's is refused."""
    resolve(backend_test=[["127.0.0.1"]], other_test=[["127.0.0.1"]])
    server, trust = certificate(tmp_path, "backend.test")
    receiver = Receiver(tls=server)
    await receiver.start()
    caller = Caller(Guard("127.0.0.0/8"), trust=trust)
    await caller.post(request(f"https://backend.test:{receiver.port}/"))
    with pytest.raises(NotTakenError, match="no valid certificate"):
        await caller.post(request(f"https://other.test:{receiver.port}/"))
    with pytest.raises(NotTakenError, match="no valid certificate"):
        await Caller(Guard("127.0.0.0/8")).post(request(f"https://backend.test:{receiver.port}/"))
    assert len(receiver.calls) == 1
    await receiver.stop()


async def test_an_answer_is_read_in_bounds(receiver: Receiver) -> None:
    """However much a server says, a little is read."""
    receiver.said = b"x" * (MOST_BYTES * 10)
    said = await Caller(Guard("127.0.0.0/8")).post(request(receiver.url), read=True)
    assert len(said) == MOST_BYTES


async def test_no_proxy_of_the_environment_is_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would resolve the name itself, and could be led anywhere."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    await Caller(Guard("127.0.0.0/8")).post(request(receiver.url))
    assert len(receiver.calls) == 1


async def test_no_log_holds_the_address(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    """httpx would log each address in full; a group robot's is all that it takes to write to the group."""
    caplog.set_level(logging.DEBUG)
    await Caller(Guard("127.0.0.0/8")).post(request(receiver.url))
    receiver.default = 500
    with pytest.raises(NotTakenError) as failed:
        await Caller(Guard("127.0.0.0/8")).post(request(receiver.url))
    assert "planted-token-1" not in caplog.text + str(failed.value) + repr(request(receiver.url))
