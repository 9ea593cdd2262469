"""The signed links that mails carry and pages open. Each has one purpose, one subject, one recipient, and expires."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, NamedTuple

from itsdangerous import BadData, SignatureExpired, URLSafeTimedSerializer

Purpose = Literal["acknowledge", "case", "principal", "desk", "status", "survey"]


class _Page(NamedTuple):
    path: str
    """First part of the address, short since it stands in mails."""
    valid_for: timedelta


PAGES: dict[Purpose, _Page] = {
    "acknowledge": _Page("a", timedelta(days=30)),
    "case": _Page("c", timedelta(days=30)),
    "principal": _Page("p", timedelta(days=30)),
    "desk": _Page("d", timedelta(days=7)),
    "status": _Page("s", timedelta(days=180)),
    "survey": _Page("q", timedelta(days=60)),
}
"""Where each purpose leads, and how long its links live."""


class BadLinkError(Exception):
    """The token is incomplete, was changed, or was signed for another purpose or with another key."""


class ExpiredLinkError(BadLinkError):
    """The token was good once; it is older than its purpose allows."""


class Addressed(NamedTuple):
    """What a link stands for."""

    subject: str
    """A message, a complaint (`contract/reference`) or a contract, as the purpose says."""
    person: str
    """The recipient's id in the directory, or the complainant's."""


class Links:
    """Signs and reads the tokens of one purpose."""

    def __init__(self, signing_key: str, base_url: str | None, purpose: Purpose = "acknowledge") -> None:
        self._page = PAGES[purpose]
        self._signer = URLSafeTimedSerializer(signing_key, salt=f"ombud {purpose}")
        self._base = base_url.rstrip("/") if base_url else ""

    def url(self, to: Addressed) -> str:
        """Where the recipient goes; empty without a public address, since a link nobody can open is no help."""
        return f"{self._base}/{self._page.path}/{self.token(to)}" if self._base else ""

    def token(self, to: Addressed) -> str:
        return self._signer.dumps(list(to))

    def read(self, token: str) -> Addressed:
        """What a token stands for. Raises ExpiredLinkError or BadLinkError."""
        try:
            subject, person = self._signer.loads(token, max_age=int(self._page.valid_for.total_seconds()))
        except SignatureExpired as expired:
            raise ExpiredLinkError from expired
        except (BadData, TypeError, ValueError) as bad:
            raise BadLinkError from bad
        return Addressed(str(subject), str(person))
