"""The codec endpoint as the Web UI calls it, and everybody it must keep out."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException, Request
from google.protobuf.json_format import MessageToDict

from activities.interface import Registered
from settings import Settings
from starter.codec_endpoint import LIMIT, codec_endpoint
from storage.keys import Keyring
from wire.client import sealing
from wire.codec import Codec

TOKEN = "a token for tests alone, 32 letters"
UI = "http://127.0.0.1:8233"
Caller = Callable[..., Any]


@pytest.fixture
def opened(settings: Settings) -> Settings:
    """Settings with the endpoint open to whoever has the token."""
    more = {"codec_token": TOKEN, "temporal_ui_url": f"{UI}/", "payload_codec": True}
    return Settings.model_validate(settings.model_dump() | more)


@pytest.fixture
async def caller(opened: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A browser on the Web UI whose user has the token."""
    app = codec_endpoint(opened, "default")
    headers = {"Authorization": f"Bearer {TOKEN}", "X-Namespace": "default", "Origin": UI}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://ombud", headers=headers
    ) as browser:
        yield browser


def visiting(settings: Settings) -> httpx.AsyncClient:
    """A browser before the endpoint where a server mounts it."""
    server = FastAPI()
    server.mount("/codec", codec_endpoint(settings, "default"))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=server), base_url="http://ombud/codec")


async def sealed(settings: Settings) -> dict[str, Any]:
    """What the Web UI finds in a history, one sealed payload and a plain one, as JSON."""
    payloads = await sealing(settings.keyring, seals=True).encode([{"text": "It leaks."}])
    plain = await sealing(settings.keyring, seals=False).encode([{"outcome": "upheld"}])
    return {"payloads": [MessageToDict(payload) for payload in (*payloads, *plain)]}


async def test_it_unpacks(caller: httpx.AsyncClient, opened: Settings) -> None:
    """What is packed and sealed, such as the contract in a history, is shown as the JSON that it is."""
    contract = {"name": "maintenance", "words": "x" * 9000}
    value = Registered(standing="new", contract=contract)
    payloads = await sealing(opened.keyring, seals=True).encode([value])
    answer = await caller.post("/decode", json={"payloads": [MessageToDict(payload) for payload in payloads]})
    (shown,) = answer.json()["payloads"]
    assert json.loads(base64.b64decode(shown["data"]))["contract"] == contract


async def test_it_opens_for_the_web_ui(caller: httpx.AsyncClient, opened: Settings) -> None:
    """Sealed payloads come back readable, plain ones as they were, and the UI's own origin may read the answer."""
    answer = await caller.post("/decode", json=await sealed(opened))
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == UI
    texts = [payload["data"] for payload in answer.json()["payloads"]]
    assert texts == ["eyJ0ZXh0IjoiSXQgbGVha3MuIn0=", "eyJvdXRjb21lIjoidXBoZWxkIn0="]


async def test_it_seals_what_the_web_ui_sends(caller: httpx.AsyncClient, opened: Settings) -> None:
    """What a person types into the UI is sealed on its way, and opens again."""
    plain = {"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "e30="}]}
    answer = await caller.post("/encode", json=plain)
    assert answer.json() != plain
    assert (await caller.post("/decode", json=answer.json())).json() == plain
    assert (await caller.post("/decode", json={"payloads": []})).json() == {}


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", "Bearer " + TOKEN[:-1]])
async def test_nobody_else_reads(caller: httpx.AsyncClient, opened: Settings, token: str) -> None:
    """Without the token nothing is opened, and nothing sealed is sent back."""
    answer = await caller.post("/decode", json=await sealed(opened), headers={"Authorization": token})
    assert answer.status_code == 401
    assert answer.text == "Send the token of OMBUD_CODEC_TOKEN.\n"  # JSON would be taken for opened payloads


async def test_unset_it_is_shut(settings: Settings, opened: Settings) -> None:
    """Without a token in the settings no token opens it."""
    app = codec_endpoint(settings, "default")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://ombud") as browser:
        answer = await browser.post("/decode", json=await sealed(opened), headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 403
    assert "OMBUD_CODEC_TOKEN" in answer.text


async def test_whoever_guards_it_decides(opened: Settings) -> None:
    """Another guard takes the place of the shared token."""

    async def nobody(_: Request) -> None:
        raise HTTPException(403, "Not you.")

    app = codec_endpoint(opened, "default", may_decode=nobody)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://ombud") as browser:
        answer = await browser.post("/decode", json={}, headers={"Authorization": f"Bearer {TOKEN}"})
        assert (await browser.get("/")).status_code == 404
    assert (answer.status_code, answer.text) == (403, "Not you.\n")


async def test_a_browser_asks_first(caller: httpx.AsyncClient) -> None:
    """The preflight of the UI's origin is answered without a token, that of any other origin refused."""
    asks = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-namespace",
    }
    answer = await caller.options("/decode", headers=asks | {"Authorization": ""})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == UI
    assert answer.headers["access-control-allow-credentials"] == "true"
    other = await caller.options("/decode", headers=asks | {"Origin": "http://127.0.0.1:9999"})
    assert other.status_code == 400
    assert "access-control-allow-origin" not in other.headers


async def test_a_person_opens_it_in_a_browser(opened: Settings) -> None:
    """Whoever gives the token on the page gets a cookie that opens, for this path alone; a wrong one gets none."""
    async with visiting(opened) as browser:
        page = await browser.get("/", headers={"Accept-Language": "zh-CN,zh;q=0.9"})
        assert (page.status_code, "编解码端点的令牌" in page.text) == (200, True)
        wrong = await browser.post("/", data={"token": "wrong"})
        assert (wrong.status_code, "This is not the token." in wrong.text) == (401, True)
        assert (await browser.post("/decode", json=await sealed(opened))).status_code == 401
        right = await browser.post("/", data={"token": f" {TOKEN}\n"})
        cookie = right.headers["set-cookie"]
        assert {"HttpOnly", "Path=/codec", "SameSite=strict", "Max-Age=43200"} <= set(cookie.split("; "))
        assert TOKEN not in cookie
        given = {"Cookie": cookie.partition(";")[0]}
        answer = await browser.post("/decode", json=await sealed(opened), headers=given)
        assert answer.json()["payloads"][0]["data"] == "eyJ0ZXh0IjoiSXQgbGVha3MuIn0="
        page = await browser.get("/", headers=given)
        assert "Open in this browser for 12 hours." in page.text
        assert "<dd>http://ombud/codec</dd>" in page.text
        assert (await browser.post("/", content=b"token=" + b"x" * 5000)).status_code == 413


async def test_a_cookie_ends_with_its_token(opened: Settings) -> None:
    """Another token in the settings takes back what was opened with the one before; a made-up cookie opens nothing."""
    async with visiting(opened) as browser:
        cookie = (await browser.post("/", data={"token": TOKEN})).headers["set-cookie"].partition(";")[0]
    other = Settings.model_validate(opened.model_dump() | {"codec_token": "another token, 32 letters or more"})
    async with visiting(other) as browser:
        for sent in (cookie, cookie[:-2], "ombud_codec=x"):
            answer = await browser.post("/decode", json=await sealed(opened), headers={"Cookie": sent})
            assert answer.status_code == 401


async def test_what_is_no_request_of_a_ui(caller: httpx.AsyncClient, opened: Settings) -> None:
    """Another namespace, another form and too much of it are refused, each with what is wrong."""
    other = await caller.post("/decode", json=await sealed(opened), headers={"X-Namespace": "other"})
    assert (other.status_code, "namespace default" in other.text) == (403, True)
    for body in (b"", b"[1]", b'{"payload": 1}', b"\xff"):
        assert (await caller.post("/decode", content=body)).status_code == 400, body
    assert (await caller.post("/decode", content=b" " * (LIMIT + 1))).status_code == 413


async def test_a_key_that_is_gone_opens_nothing(caller: httpx.AsyncClient) -> None:
    """What was sealed under another key comes back as it is, for the UI to show as sealed."""
    plain = await sealing(Keyring([b"x" * 32]), seals=False).encode([{"text": "x"}])
    foreign = {"payloads": [MessageToDict(Codec(Keyring([b"x" * 32])).seal(plain[0]))]}
    assert (await caller.post("/decode", json=foreign)).json() == foreign
