"""The group robots of WeCom, DingTalk and Feishu (Lark): what each takes, how it is signed, what it answers.

All three say 200 to everything; whether the message stands in the group is told by a code in the answer.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote_plus

from activities.caller import NotTakenError, Request
from templates.words import one_line

Robot = Literal["wecom", "dingtalk", "feishu"]
ROBOTS: tuple[Robot, ...] = ("wecom", "dingtalk", "feishu")

ROOM: Mapping[str, int] = {"wecom": 4000, "dingtalk": 16_000, "feishu": 16_000}
"""Bytes of text in one message. WeCom takes 4,096, the others 20,000 for the whole body, escapes included."""

JSON = {"Content-Type": "application/json; charset=utf-8"}


def request(robot: Robot, url: str, secret: str, title: str, markdown: str, now: datetime) -> Request:
    """One message to the group; signed where the robot was given a secret (WeCom has none)."""
    body: dict[str, Any]
    match robot:
        case "wecom":
            body = {"msgtype": "markdown", "markdown": {"content": markdown}}
        case "dingtalk":
            body = {"msgtype": "markdown", "markdown": {"title": title, "text": markdown}}
            url += _dingtalk(url, secret, now) if secret else ""
        case "feishu":
            body = _feishu(secret, now) if secret else {}
            body |= {
                "msg_type": "interactive",
                "card": {
                    "config": {"wide_screen_mode": True},
                    "header": {"title": {"tag": "plain_text", "content": title}, "template": "orange"},
                    "elements": [{"tag": "markdown", "content": markdown}],
                },
            }
    return Request(url, json.dumps(body, ensure_ascii=False).encode(), JSON)


def judge(answer: bytes) -> None:
    """Raises NotTakenError unless the robot says that it took the message."""
    try:
        said = json.loads(answer)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise NotTakenError("HTTP 200, but no answer of a group robot: check the address")
    code = next((said[name] for name in ("errcode", "code", "StatusCode") if name in said), None)
    if code != 0:
        words = one_line(str(said.get("errmsg") or said.get("msg") or said.get("StatusMessage") or ""))[:200]
        raise NotTakenError(f"the robot says {code!r}: {words}" if words else f"the robot says {code!r}")


def _dingtalk(url: str, secret: str, now: datetime) -> str:
    """Milliseconds and secret, signed with the secret, as part of the address."""
    timestamp = int(now.timestamp() * 1000)
    signed = hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), hashlib.sha256).digest()
    joint = "&" if "?" in url else "?"
    return f"{joint}timestamp={timestamp}&sign={quote_plus(base64.b64encode(signed))}"


def _feishu(secret: str, now: datetime) -> dict[str, Any]:
    """Nothing, signed with seconds and secret as the key, as part of the body."""
    timestamp = str(int(now.timestamp()))
    signed = hmac.new(f"{timestamp}\n{secret}".encode(), digestmod=hashlib.sha256).digest()
    return {"timestamp": timestamp, "sign": base64.b64encode(signed).decode()}
