"""The signed links that mails carry and pages open. A link names one message and the person it was sent to."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from itsdangerous import BadData, SignatureExpired, URLSafeTimedSerializer

VALID_FOR = timedelta(days=30)


class BadLinkError(Exception):
    """The token is incomplete, was changed, or was signed for another purpose or with another key."""


class ExpiredLinkError(BadLinkError):
    """The token was good once; it is older than `VALID_FOR`."""


class Addressed(NamedTuple):
    """What a link stands for."""

    message: str
    person: str


class Links:
    """Signs and reads the tokens of one purpose."""

    def __init__(self, signing_key: str, base_url: str | None, purpose: str = "acknowledge") -> None:
        self._signer = URLSafeTimedSerializer(signing_key, salt=f"ombud {purpose}")
        self._base = base_url.rstrip("/") if base_url else ""

    def url(self, to: Addressed) -> str:
        """Where the recipient answers; empty without a public address, since a link nobody can open is no help."""
        return f"{self._base}/a/{self.token(to)}" if self._base else ""

    def token(self, to: Addressed) -> str:
        return self._signer.dumps(list(to))

    def read(self, token: str) -> Addressed:
        """What a token stands for. Raises ExpiredLinkError or BadLinkError."""
        try:
            message, person = self._signer.loads(token, max_age=int(VALID_FOR.total_seconds()))
        except SignatureExpired as expired:
            raise ExpiredLinkError from expired
        except (BadData, TypeError, ValueError) as bad:
            raise BadLinkError from bad
        return Addressed(str(message), str(person))
