"""An event as a backend gets it: CloudEvents 1.0 in structured JSON, signed as Standard Webhooks says."""

from __future__ import annotations

import json
import secrets
from base64 import b64decode, b64encode
from binascii import Error as NoBase64Error
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from standardwebhooks.webhooks import Webhook

from activities.caller import Request
from rules.events import Event

PREFIX = "whsec_"
SECRET_BYTES = 32

TEST = "ombud.webhook.test"


def fresh_secret() -> str:
    """A new secret as Standard Webhooks writes them."""
    return PREFIX + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def check_secret(secret: str) -> None:
    """Raises ValueError for one that Standard Webhooks would not take: 24 to 64 bytes in base64 behind `whsec_`."""
    try:
        size = len(b64decode(secret.removeprefix(PREFIX), validate=True))
    except NoBase64Error:
        size = 0
    if not secret.startswith(PREFIX) or not 24 <= size <= 64:
        raise ValueError("a secret is whsec_ and 24 to 64 random bytes in base64; leave it out and one is made")


def body(event: Event, position: int) -> bytes:
    """The event; always the same bytes for the same entry. `position` is where a replay that begins with it begins."""
    data = event.data | {"position": position}
    return _structured(event.id, f"ombud.{event.type}", event.contract, event.complaint, event.at, data)


def trial(contract: str, now: datetime) -> tuple[str, bytes]:
    """Id and body of an event that says only that it is a test."""
    id_ = f"evt_test_{secrets.token_hex(12)}"
    return id_, _structured(id_, TEST, contract, "test", now, {"test": True})


def request(url: str, signing: Sequence[str], id_: str, body: bytes, now: datetime) -> Request:
    """The call that carries it, with a signature for each secret that is valid now."""
    moment = now.astimezone(UTC)
    signatures = (Webhook(secret).sign(id_, moment, body.decode()) for secret in signing)
    headers = {
        "Content-Type": "application/cloudevents+json; charset=utf-8",
        "webhook-id": id_,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
    return Request(url, body, headers)


def _structured(id_: str, type_: str, contract: str, subject: str, time: datetime, data: Mapping[str, Any]) -> bytes:
    event = {
        "specversion": "1.0",
        "id": id_,
        "source": f"/ombud/{contract}",
        "type": type_,
        "subject": subject,
        "time": time.isoformat(),
        "datacontenttype": "application/json",
        "data": dict(data),
    }
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
