"""The talk with the mail server: protected as configured, and every answer sorted into taken, refused or try again."""

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from activities.mailer import Mailer, NotSentError, RefusedForGoodError
from settings import Security, Settings

MAIL = b"Subject: hello\r\n\r\nwords\r\n"
TO = "cy@example.com"


class Server:
    """Answers each command as the test says, and notes what it was told."""

    def __init__(self, **answers: str) -> None:
        self.answers = answers
        self.protected = False
        self.login = ""
        self.taken = 0

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.answers.get("mail", "250 ok")

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.answers.get("rcpt", "250 ok")

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.protected = server.transport is not None and server.transport.get_extra_info("sslcontext") is not None
        answer = self.answers.get("data", "250 2.0.0 queued as 4711")
        self.taken += answer.startswith("250")
        return answer

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        return self.answers.get("quit", "221 bye")

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        self.login = f"{data.login.decode()}:{data.password.decode()}"
        return AuthResult(success=self.login == "ombud:secret", handled=False)


@asynccontextmanager
async def listening(make: Callable[[], asyncio.Protocol], context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server on loopback; its port."""
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def to(port: int, settings: Settings, **changes: Any) -> Mailer:
    """A mailer for the server on this port."""
    return Mailer(settings.model_copy(update={"smtp_port": port, "smtp_host": "127.0.0.1"} | changes))


@pytest.fixture
def settings() -> Settings:
    """Settings without a database: nothing here asks for one."""
    return Settings(
        database_url="postgresql+asyncpg://x:y@127.0.0.1:1/none",
        smtp_host="127.0.0.1",
        smtp_timeout=5,
        mail_from="Ombud <ombud@example.com>",
        signing_key="a key for tests alone, 32 letters",
        master_key="AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    )


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody has signed but itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


def context(certificate: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate)
    return made


@pytest.mark.parametrize(
    ("where", "answer", "for_good"),
    [
        ("rcpt", "550 5.1.1 no such user", True),
        ("rcpt", "450 4.2.1 try later", False),
        ("data", "554 5.7.1 looks like spam", True),
        ("data", "452 4.3.1 disk full", False),
        ("mail", "552 5.3.4 too large", True),
        ("mail", "550 5.7.1 sender unknown", False),
        ("mail", "451 4.3.0 later", False),
    ],
)
async def test_answers_are_sorted(settings: Settings, where: str, answer: str, for_good: bool) -> None:
    """Final is only what concerns this recipient or this message; what concerns our set-up is tried again."""
    server = Server(**{where: answer})
    async with listening(lambda: SMTP(server, hostname="test")) as port:
        with pytest.raises(RefusedForGoodError if for_good else NotSentError, match=answer[:3]):
            await to(port, settings).send(TO, MAIL)
    assert server.taken == 0


async def test_taken_is_the_servers_own_word(settings: Settings) -> None:
    """The reply to the message is handed back as it came; a bad goodbye after it changes nothing."""
    server = Server(quit="421 going down")
    async with listening(lambda: SMTP(server, hostname="test")) as port:
        assert await to(port, settings).send(TO, MAIL) == "250 2.0.0 queued as 4711"


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
async def test_protection_is_used_as_configured(
    settings: Settings, certificate: Path, monkeypatch: pytest.MonkeyPatch, security: Security
) -> None:
    """With starttls or tls the message and the login travel encrypted, to a server whose certificate is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server, tls = Server(), context(certificate)
    login: dict[str, Any] = {"authenticator": server.authenticate, "auth_require_tls": security is Security.STARTTLS}
    upgrade: dict[str, Any] = {"tls_context": tls, "require_starttls": True} if security is Security.STARTTLS else {}
    changes = {"smtp_security": security, "smtp_username": "ombud", "smtp_password": SecretStr("secret")}
    async with listening(
        lambda: SMTP(server, hostname="test", **login, **upgrade), tls if security is Security.TLS else None
    ) as port:
        await to(port, settings, **changes).send(TO, MAIL)
    assert server.protected
    assert server.login == "ombud:secret"


async def test_a_wrong_login_is_tried_again(
    settings: Settings, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login that fails is our fault and not the recipient's: the notice waits until it is corrected."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server = Server()
    changes = {"smtp_security": Security.TLS, "smtp_username": "ombud", "smtp_password": SecretStr("wrong")}
    async with listening(
        lambda: SMTP(server, hostname="test", authenticator=server.authenticate, auth_require_tls=False),
        context(certificate),
    ) as port:
        with pytest.raises(NotSentError, match="535"):
            await to(port, settings, **changes).send(TO, MAIL)
    assert server.taken == 0


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
async def test_a_certificate_nobody_vouches_for_gets_no_mail(
    settings: Settings, certificate: Path, security: Security
) -> None:
    """Without a trusted certificate nothing is sent, and it is never sent unprotected instead."""
    server, tls = Server(), context(certificate)
    upgrade: dict[str, Any] = {"tls_context": tls} if security is Security.STARTTLS else {}
    async with listening(
        lambda: SMTP(server, hostname="test", **upgrade), tls if security is Security.TLS else None
    ) as port:
        with pytest.raises(NotSentError):
            await to(port, settings, smtp_security=security).send(TO, MAIL)
    assert server.taken == 0


async def test_a_server_without_starttls_gets_no_mail(settings: Settings) -> None:
    """When starttls is asked for and not offered, nothing is sent."""
    server = Server()
    async with listening(lambda: SMTP(server, hostname="test")) as port:
        with pytest.raises(NotSentError, match="TLS"):
            await to(port, settings, smtp_security=Security.STARTTLS).send(TO, MAIL)
    assert server.taken == 0


class Mute(asyncio.Protocol):
    """Takes a connection and never says a word."""


async def test_a_server_that_says_nothing_is_tried_again(settings: Settings) -> None:
    """A server that hangs holds a message for its time limit, not for ever."""
    async with listening(Mute) as port:
        with pytest.raises(NotSentError):
            await to(port, settings, smtp_timeout=0.2).send(TO, MAIL)
