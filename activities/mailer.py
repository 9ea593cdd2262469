"""Mail: how a message is put together, and how it reaches the mail server.

What becomes of it is one of three: the server took it (its 250, with its reply), this recipient or this message is
refused for good, or it could not be sent now and is worth another try.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime
from email.headerregistry import Address, Group
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, parseaddr

import aiosmtplib

from settings import Security, Settings
from templates.rendering import Rendered
from templates.words import one_line

PATIENCE = 100
"""Seconds for one whole talk with the server; less than the activity that waits for it may take."""

GOODBYE = 5
"""Seconds for the server's answer to QUIT."""

TOO_LARGE = 552

TOLD_OF = ("SUCCESS", "FAILURE", "DELAY")
"""What a mail server is asked to tell us of (RFC 3461); without asking, of failures alone, if of anything."""


class RefusedForGoodError(Exception):
    """The server will never take this message for this recipient; the message is its reply."""


class NotSentError(Exception):
    """The message could not be sent now; the message says why."""


def compose(
    *, message_id: str, to: tuple[str, str], written_at: datetime, language: str, words: Rendered, sender: str
) -> bytes:
    """One mail as it goes over the wire, always the same bytes for the same input.

    `to` is name and address, `sender` as in `Ombud <ombud@example.com>`. Names and subject lose their line breaks, so
    nothing in them can become a header.
    """
    from_name, from_address = parseaddr(sender)
    mail = EmailMessage(policy=SMTP_POLICY.clone(cte_type="7bit", utf8=not to[1].isascii()))
    mail["Message-ID"] = f"<{message_id}@{from_address.rpartition('@')[2]}>"
    mail["Date"] = format_datetime(written_at)
    mail["From"] = Address(one_line(from_name), addr_spec=from_address)
    mail["To"] = _recipient(*to)
    mail["Subject"] = one_line(words.subject)
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(words.text)
    if words.html:
        mail.add_alternative(words.html, subtype="html")
        mail.set_boundary(message_id)
    mail["Content-Language"] = language  # behind the content, which takes such headers for its own
    return mail.as_bytes()


def _recipient(name: str, address: str) -> Address | Group:
    """An address that cannot stand in a header is left out: the mail server is asked all the same, and says no."""
    try:
        return Address(one_line(name), addr_spec=address)
    except Exception:  # noqa: BLE001  the header parser fails in many ways, none of them documented
        return Group(one_line(name))


class Mailer:
    """Sends finished messages through the server that the settings name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sender = settings.bounce_address or parseaddr(settings.mail_from)[1]

    async def send(self, address: str, mail: bytes, *, envelope: str = "") -> str:
        """The server's reply once it has taken the message.

        Where the server can (RFC 3461), it is asked to tell what became of the message, naming it by `envelope`.
        Raises RefusedForGoodError and NotSentError. When the connection breaks after the message and before the
        answer, nobody can know whether it was taken: it is sent again, and its Message-ID tells the two are one.
        """
        server = self._server()
        options = [] if address.isascii() else ["smtputf8"]
        wishes: list[str] = []
        try:
            async with asyncio.timeout(PATIENCE):
                await _connect(server)
                if envelope and server.supports_extension("dsn"):
                    options += ["RET=HDRS", f"ENVID={envelope}"]
                    wishes = [f"NOTIFY={','.join(TOLD_OF)}"]
                _, reply = await server.sendmail(
                    self._sender, [address], mail, mail_options=options, rcpt_options=wishes
                )
            with suppress(aiosmtplib.SMTPException, OSError):  # taken is taken, however the goodbye goes
                await server.quit(timeout=GOODBYE)
            return f"250 {one_line(reply)}"
        except aiosmtplib.SMTPRecipientsRefused as refused:
            code, reply = refused.recipients[0].code, refused.recipients[0].message
            raise _refusal(code, reply, permanent=code >= 500) from refused
        except aiosmtplib.SMTPSenderRefused as refused:
            raise _refusal(refused.code, refused.message, permanent=refused.code == TOO_LARGE) from refused
        except aiosmtplib.SMTPDataError as refused:
            raise _refusal(refused.code, refused.message, permanent=refused.code >= 500) from refused
        except aiosmtplib.SMTPResponseException as refused:  # greeting, EHLO, STARTTLS, login: nothing to do with whom
            raise _refusal(refused.code, refused.message, permanent=False) from refused
        except TimeoutError as slow:
            raise NotSentError(f"the mail server did not answer in time: {one_line(str(slow))}") from slow
        except (aiosmtplib.SMTPException, OSError) as failed:
            raise NotSentError(f"the mail server cannot be used: {one_line(str(failed))}") from failed
        except ValueError as wrong:
            raise RefusedForGoodError(f"not a mail address: {one_line(str(wrong))}") from wrong
        finally:
            server.close()

    async def greet(self) -> str:
        """What the server offers after connection, TLS and login as a mail would have them; no mail is sent.

        Raises NotSentError.
        """
        server = self._server()
        try:
            async with asyncio.timeout(PATIENCE):
                await _connect(server)
        except aiosmtplib.SMTPResponseException as refused:
            raise _refusal(refused.code, refused.message, permanent=False) from refused
        except (TimeoutError, aiosmtplib.SMTPException, OSError, ValueError) as failed:
            raise NotSentError(f"the mail server cannot be used: {one_line(str(failed))}") from failed
        else:
            with suppress(aiosmtplib.SMTPException, OSError):
                await server.quit(timeout=GOODBYE)
            return " ".join(sorted(server.esmtp_extensions))
        finally:
            server.close()

    def _server(self) -> aiosmtplib.SMTP:
        settings = self._settings
        return aiosmtplib.SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            use_tls=settings.smtp_security is Security.TLS,
            start_tls=settings.smtp_security is Security.STARTTLS,
            username=settings.smtp_username,
            password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
            timeout=settings.smtp_timeout,
        )


async def _connect(server: aiosmtplib.SMTP) -> None:
    """Connect, protect and log in; then it is known what the server offers, unless it knows no EHLO."""
    await server.connect()
    if server.is_ehlo_or_helo_needed:
        with suppress(aiosmtplib.SMTPHeloError):  # the message then goes by HELO, without any wish
            await server.ehlo()


def _refusal(code: int, reply: str, *, permanent: bool) -> RefusedForGoodError | NotSentError:
    said = f"{code} {one_line(reply)}"
    return RefusedForGoodError(said) if permanent else NotSentError(f"the mail server said: {said}")
