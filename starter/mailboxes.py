"""Where mail servers leave their reports: an IMAP folder, a Maildir or an mbox file. Every call may wait for a disk or
a server, so it belongs into a thread.

A mail that was dealt with is marked as seen and stays where it is; one that a person should look at is flagged too.
"""

from __future__ import annotations

import imaplib
import mailbox
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

PATIENCE = 30
"""Seconds for one answer of an IMAP server."""


class MailboxError(Exception):
    """The mailbox cannot be read; the message says why. Never with a password in it."""


class Mailbox(Protocol):
    """A mailbox that is open."""

    def unseen(self) -> list[str]:
        """What names each mail that nobody has dealt with, oldest first."""

    def read(self, name: str) -> bytes:
        """A mail as it came."""

    def done(self, name: str, *, for_people: bool) -> None:
        """Mark a mail as dealt with."""


@contextmanager
def opened(url: str) -> Iterator[Mailbox]:
    """The mailbox that a URL names, open inside the block. Raises MailboxError.

    `imaps://user:password@host/FOLDER`, `imap+starttls://…`, `imap://…` (unprotected), `maildir:/path`, `mbox:/path`.
    """
    parts = urlsplit(url)
    try:
        match parts.scheme:
            case "imaps" | "imap+starttls" | "imap":
                with _imap(parts) as server:
                    yield _Imap(server)
            case "maildir":
                yield _Maildir(_there(parts.path))
            case "mbox":
                with _locked(_there(parts.path)) as box:
                    yield _Mbox(box)
            case other:
                raise MailboxError(
                    f"{other or 'nothing'}: is no kind of mailbox; use imaps, imap+starttls, maildir, mbox"
                )
    except (OSError, imaplib.IMAP4.error, mailbox.Error) as error:
        said = str(error).strip("b'\"") or type(error).__name__
        raise MailboxError(
            f"The mailbox {parts.scheme}:{parts.hostname or parts.path} cannot be read: {said}"
        ) from None


def _there(path: str) -> Path:
    if not (path and (found := Path(unquote(path))).exists()):
        raise MailboxError(f"There is no mailbox {path or '(no path)'}.")
    return found


class _Maildir:
    def __init__(self, path: Path) -> None:
        self._box = mailbox.Maildir(path, factory=None, create=False)

    def unseen(self) -> list[str]:
        return sorted(key for key in self._box.keys() if "S" not in self._box.get_message(key).get_flags())  # noqa: SIM118

    def read(self, name: str) -> bytes:
        return self._box.get_bytes(name)

    def done(self, name: str, *, for_people: bool) -> None:
        mail = self._box.get_message(name)
        mail.set_subdir("cur")
        mail.add_flag("FS" if for_people else "S")
        self._box[name] = mail


@contextmanager
def _locked(path: Path) -> Iterator[mailbox.mbox]:
    box = mailbox.mbox(path, factory=None, create=False)
    box.lock()
    try:
        yield box
    finally:
        box.close()  # writes what changed and lets go of the lock


class _Mbox:
    def __init__(self, box: mailbox.mbox) -> None:
        self._box = box

    def unseen(self) -> list[str]:
        return [str(key) for key in self._box.keys() if "R" not in self._box.get_message(key).get_flags()]  # noqa: SIM118

    def read(self, name: str) -> bytes:
        return self._box.get_bytes(int(name))  # type: ignore[arg-type]  # its keys are numbers

    def done(self, name: str, *, for_people: bool) -> None:
        mail = self._box.get_message(int(name))  # type: ignore[arg-type]
        mail.add_flag("FRO" if for_people else "RO")
        self._box[int(name)] = mail  # type: ignore[index]


@contextmanager
def _imap(parts: SplitResult) -> Iterator[imaplib.IMAP4]:
    host = parts.hostname or ""
    context = ssl.create_default_context()
    server: imaplib.IMAP4
    if parts.scheme == "imaps":
        server = imaplib.IMAP4_SSL(host, parts.port or 993, ssl_context=context, timeout=PATIENCE)
    else:
        server = imaplib.IMAP4(host, parts.port or 143, timeout=PATIENCE)
    try:
        if parts.scheme == "imap+starttls":
            server.starttls(context)
        server.login(unquote(parts.username or ""), unquote(parts.password or ""))
        folder = unquote(parts.path.strip("/")) or "INBOX"
        standing, said = server.select(f'"{folder}"')
        if standing != "OK":
            raise MailboxError(f"The folder {folder} of {host} cannot be opened: {said!r}")
        yield server
    finally:
        with suppress(OSError, imaplib.IMAP4.error):
            server.logout()


class _Imap:
    def __init__(self, server: imaplib.IMAP4) -> None:
        self._server = server

    def unseen(self) -> list[str]:
        return str(self._told("SEARCH", "UNSEEN")[0].decode()).split()

    def read(self, name: str) -> bytes:
        for part in self._told("FETCH", name, "(BODY.PEEK[])"):
            if isinstance(part, tuple):
                return bytes(part[1])
        raise MailboxError(f"The IMAP server does not hand over the mail {name}.")

    def done(self, name: str, *, for_people: bool) -> None:
        self._told("STORE", name, "+FLAGS.SILENT", r"(\Seen \Flagged)" if for_people else r"(\Seen)")

    def _told(self, command: str, *arguments: str) -> list[Any]:
        standing, said = self._server.uid(command, *arguments)
        if standing != "OK":
            raise MailboxError(f"The IMAP server refuses {command}: {said!r}")
        return [part for part in said if part is not None] or [b""]
