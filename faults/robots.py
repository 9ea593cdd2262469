"""Nasty group robots: each reads its messages and checks their signatures as the real one does, and answers as its deck
of cards says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from faults.deck import Deck
from faults.laws import NAMES
from tests.support.receiver import BREAK, HANG, Call

ROBOTS = dict(zip(NAMES, ("wecom", "dingtalk", "feishu", "wecom"), strict=True))
"""Which robot stands in the group of each contract."""

PATH = "robot"
"""What the address of a robot ends with, behind its contract."""

TAKEN = {
    "wecom": b'{"errcode":0,"errmsg":"ok"}',
    "dingtalk": b'{"errcode":0,"errmsg":"ok"}',
    "feishu": b'{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}',
}
TOO_OFTEN = {
    "wecom": b'{"errcode":45009,"errmsg":"api freq out of limit"}',
    "dingtalk": b'{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}',
    "feishu": b'{"code":11232,"msg":"frequency limited","data":{}}',
}
"""What each says, with 200, where it has had enough for this minute."""
PAGE = b"<!doctype html><title>Login</title><p>Please log in to the network of this building."

GONE_WRONG: dict[str, tuple[int | str, bool]] = {
    "has had enough (a code in a 200)": (200, False),
    "answers with a page (200)": (200, False),
    "fails (502)": (502, False),
    "hangs before it takes": (HANG, False),
    "hangs after it took": (HANG, True),
    "drops before it takes": (BREAK, False),
    "drops after it took": (BREAK, True),
}
"""What goes wrong in one call: what is answered, and whether the message stands in the group all the same."""

LIMITS = {"wecom": 4096, "dingtalk": 20_000, "feishu": 20_000}
"""Bytes: of WeCom's text, of the others' whole body."""
CLOCKS_APART = timedelta(hours=1)
"""How old a signature may be."""


@dataclass(frozen=True)
class Said:
    """One message, as the robot has it."""

    contract: str
    """Whose group it came to."""
    format: str
    title: str
    """WeCom has none."""
    text: str
    taken: bool
    signed: bool
    """Whether it may speak in this group."""
    fits: bool
    """Whether the real robot would take so much."""
    at: datetime


class Robots:
    """The robots of all contracts, each with a secret of its own. `calm` calls go well between two that do not; without
    a seed every call goes well."""

    def __init__(self, seed: int | None, calm: int) -> None:
        self.deck = Deck(seed, GONE_WRONG, calm)
        self.said: list[Said] = []
        """Every message, in order, whatever it was answered."""

    def choose(self, contract: str, call: Call) -> int | str | tuple[int, bytes]:
        """Let it stand in the group or not, and answer."""
        card = self.deck.draw(contract)
        answer, taken = GONE_WRONG.get(card, (200, True))
        self.deck.happened.update([card] if card else [])
        self.said.append(heard(contract, call, datetime.now(UTC), taken=taken))
        if answer != 200:
            return answer
        kind = ROBOTS[contract]
        return 200, TAKEN[kind] if taken else PAGE if "page" in card else TOO_OFTEN[kind]


def address(server: str, contract: str) -> str:
    """Where the robot of a contract listens."""
    token = {"wecom": "?key=storm", "dingtalk": "?access_token=storm", "feishu": ""}
    return f"{server}/{contract}/{PATH}{token[ROBOTS[contract]]}"


def secret_of(contract: str) -> str:
    """What calls of the robot of a contract are signed with; WeCom has none."""
    if ROBOTS[contract] == "wecom":
        return ""
    return "SEC" + hashlib.sha256(f"the group of {contract}".encode()).hexdigest()


def heard(contract: str, call: Call, now: datetime, *, taken: bool) -> Said:
    """A call as the robot of this contract reads it; without words where no such robot could."""
    kind = ROBOTS[contract]
    try:
        title, text = _read(kind, call.json)
        signed = _signed(kind, contract, call, now)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        title, text, signed = "", "", False
    size = len(text.encode() if kind == "wecom" else call.body)
    return Said(contract, kind, title, text, taken, signed, size <= LIMITS[kind], now)


def _read(kind: str, body: Any) -> tuple[str, str]:
    """Title and text. Raises KeyError, TypeError, IndexError, ValueError for what this robot cannot show."""
    match kind, body.get("msgtype", body.get("msg_type")):
        case "wecom", "markdown":
            return "", str(body["markdown"]["content"])
        case "dingtalk", "markdown":
            return str(body["markdown"]["title"]), str(body["markdown"]["text"])
        case "feishu", "interactive":
            (element,) = body["card"]["elements"]
            return str(body["card"]["header"]["title"]["content"]), str(element["content"])
    raise ValueError(f"no message of {kind}")


def _signed(kind: str, contract: str, call: Call, now: datetime) -> bool:
    """Whether it is signed with the secret of this group. Raises KeyError, ValueError."""
    secret = secret_of(contract)
    match kind:
        case "dingtalk":
            query = parse_qs(urlsplit(call.target).query)
            dated, sign, seconds = query["timestamp"][0], query["sign"][0], int(query["timestamp"][0]) / 1000
            made = hmac.new(secret.encode(), f"{dated}\n{secret}".encode(), hashlib.sha256).digest()
        case "feishu":
            body = json.loads(call.body)
            dated, sign, seconds = body["timestamp"], body["sign"], int(body["timestamp"])
            made = hmac.new(f"{dated}\n{secret}".encode(), b"", hashlib.sha256).digest()
        case _:
            return True
    fresh = abs(now - datetime.fromtimestamp(seconds, UTC)) <= CLOCKS_APART
    return fresh and hmac.compare_digest(base64.b64encode(made).decode(), str(sign))
