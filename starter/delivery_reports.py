"""What a mail server tells later of a message it accepted: delivered, bounced, delayed, relayed. Bytes in, value out.

Reports by the standard (RFC 3464) are read as they are; the odd ones of servers that do not follow it by flufl.bounce,
which knows their ways, and which tells of failures alone.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Literal, NamedTuple

from flufl.bounce import all_failures

from templates.words import one_line

logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)  # it logs the same trouble with a traceback

Became = Literal["delivered", "bounced", "delayed", "relayed"]
"""`relayed`: handed to a server that tells nothing of what becomes of it there; also where a list expanded it."""

ACTIONS: dict[str, Became] = {
    "delivered": "delivered",
    "failed": "bounced",
    "delayed": "delayed",
    "relayed": "relayed",
    "expanded": "relayed",
}
ORDER: tuple[Became, ...] = ("delivered", "bounced", "relayed", "delayed")
"""Of several recipients behind one address the first of these that any had: one who has it is enough."""

_ID = re.compile(r"(?<![0-9a-f])([0-9a-f]{40})(?=@)")
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?!\S)", re.ASCII)
_ADDRESS = re.compile(r"[^\s<>()\[\]:;,\"']+@[^\s<>()\[\]:;,\"']+")
LONGEST_REASON = 500
MOST_IDS = 100
"""A report is about one message; whatever names more than so many is something else."""


class Report(NamedTuple):
    """One report about one message."""

    id: str
    """The same for the same report, however often it is read."""
    became: Became
    messages: tuple[str, ...]
    """Which message it may be about, the surest first."""
    status: str
    """The enhanced status code (RFC 3463), as `5.1.1`; empty where the server gave none."""
    said: str
    """The server's words, without any address in them."""
    at: datetime | None
    """When the report was written, by its own account."""


def read_report(raw: bytes) -> Report | None:
    """The report in a mail; nothing for any other mail, such as an answer or a note of absence."""
    mail = message_from_bytes(raw)
    groups = list(_groups(mail))
    if groups:
        found = _by_the_standard(groups)
    elif any(part.get_content_type() == "message/delivery-status" for part in mail.walk()):
        return None
    else:
        found = _odd(mail)
    if found is None:
        return None
    became, status, said = found
    own = str(mail.get("Message-ID", "")).strip() or raw
    return Report(
        id=hashlib.sha256(own.encode() if isinstance(own, str) else own).hexdigest(),
        became=became,
        messages=tuple(dict.fromkeys(_candidates(mail, groups, raw)))[:MOST_IDS],
        status=status,
        said=_ADDRESS.sub("…", one_line(said))[:LONGEST_REASON],
        at=_written(mail),
    )


def _groups(mail: Message) -> Iterator[Message]:
    """The fields of the message and of each recipient (RFC 3464, 2.1)."""
    for part in mail.walk():
        if part.get_content_type() == "message/delivery-status" and part.is_multipart():
            yield from (group for group in part.get_payload() if isinstance(group, Message))


def _by_the_standard(groups: list[Message]) -> tuple[Became, str, str] | None:
    told = [(became, group) for group in groups if (became := _became(group)) is not None]
    if not told:
        return None
    became, group = min(told, key=lambda one: ORDER.index(one[0]))
    status = _STATUS.match(str(group.get("Status", "")).strip())
    said = str(group.get("Diagnostic-Code", "")).partition(";")[2].strip()
    return became, status[0] if status else "", said


def _became(group: Message) -> Became | None:
    action = str(group.get("Action", "")).split()  # a comment may follow
    return ACTIONS.get(action[0].lower()) if action else None


def _odd(mail: Message) -> tuple[Became, str, str] | None:
    if str(mail.get_content_type()) == "multipart/report":
        return None  # a report of another kind, such as of having been read
    try:
        for_now, for_good = all_failures(mail)
    except Exception:  # noqa: BLE001  its detectors trip over headers that are missing or broken
        return None
    if for_good:
        return "bounced", "", "the mail came back, in a form of the server's own"
    return ("delayed", "", "the server still tries, it says in a form of its own") if for_now else None


def _candidates(mail: Message, groups: list[Message], raw: bytes) -> Iterator[str]:
    """Where the id of the message may stand: the envelope, the message sent back, the headers, anywhere."""
    for group in groups:
        if re.fullmatch(r"[0-9a-f]{40}", envelope := str(group.get("Original-Envelope-Id", "")).strip()):
            yield envelope
    for part in mail.walk():
        if part is not mail:
            yield from _ID.findall(str(part.get("Message-ID", "")))
    yield from _ID.findall(f"{mail.get('In-Reply-To', '')} {mail.get('References', '')}")
    yield from _ID.findall(raw.decode("ascii", "replace"))


def _written(mail: Message) -> datetime | None:
    with suppress(ValueError, TypeError):
        at = parsedate_to_datetime(str(mail.get("Date", "")))
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    return None
