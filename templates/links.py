"""The signed links that mails carry and pages open. Each has one purpose, one subject, one recipient, and expires."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from itsdangerous import BadData, SignatureExpired, TimestampSigner, URLSafeTimedSerializer

Purpose = Literal["acknowledge", "case", "principal", "desk", "status", "survey", "standard"]


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
    "standard": _Page("standard", timedelta(days=180)),
}
"""Where each purpose leads, and how long its links live."""


ANYBODY = "customer"
"""Stands in a link for a complainant whom the backend has given no id."""


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


class _Dated(TimestampSigner):
    """Signs as of a given moment, in seconds since 1970, in place of now."""

    def __init__(self, *given: Any, issued: int | None = None, **more: Any) -> None:
        super().__init__(*given, **more)
        self._issued = issued

    def get_timestamp(self) -> int:
        return super().get_timestamp() if self._issued is None else self._issued


def web_ui(address: str | None, namespace: str, workflow: str) -> str:
    """Where Temporal's Web UI shows a workflow; empty where there is none."""
    return f"{address.rstrip('/')}/namespaces/{namespace}/workflows/{quote(workflow, safe='')}" if address else ""


class Links:
    """Signs and reads the tokens of one purpose."""

    def __init__(self, signing_key: str, base_url: str | None, purpose: Purpose = "acknowledge") -> None:
        self._page = PAGES[purpose]
        self._key, self._salt = signing_key, f"ombud {purpose}"
        self._signer = self._signing()
        self._base = base_url.rstrip("/") if base_url else ""

    def url(self, to: Addressed) -> str:
        """Where the recipient goes; empty without a public address, since a link nobody can open is no help."""
        return f"{self._base}/{self._page.path}/{self.token(to)}" if self._base else ""

    def token(self, to: Addressed) -> str:
        return self._signer.dumps(list(to))

    def onward(self, to: Addressed, until: datetime) -> str:
        """A token for the link of one page to another: it ends with the link of the page that it stands on."""
        ends = min(until, datetime.now(UTC) + self._page.valid_for)
        return self._signing(int((ends - self._page.valid_for).timestamp())).dumps(list(to))

    def read(self, token: str) -> Addressed:
        """What a token stands for. Raises ExpiredLinkError or BadLinkError."""
        return self.opened(token)[0]

    def opened(self, token: str) -> tuple[Addressed, datetime]:
        """What a token stands for, and when it expires. Raises ExpiredLinkError or BadLinkError."""
        try:
            (subject, person), issued = self._signer.loads(
                token, max_age=int(self._page.valid_for.total_seconds()), return_timestamp=True
            )
        except SignatureExpired as expired:
            raise ExpiredLinkError from expired
        except (BadData, TypeError, ValueError) as bad:
            raise BadLinkError from bad
        return Addressed(str(subject), str(person)), issued + self._page.valid_for

    def signed_for(self, token: str) -> Addressed | None:
        """What a token was made for, expired or not; nothing for one that was not signed here for this purpose."""
        try:
            subject, person = self._signer.loads(token)
        except (BadData, TypeError, ValueError):
            return None
        return Addressed(str(subject), str(person))

    def _signing(self, issued: int | None = None) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self._key, salt=self._salt, signer=_Dated, signer_kwargs={"issued": issued})
