"""Group robots get what each of them takes, few messages for many events, and their own codes are believed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from temporalio.exceptions import ApplicationError

from activities.caller import NotTakenError
from activities.parcels import GAP
from activities.robots import ROOM, judge, request
from rules.events import EVENTS
from storage.webhooks import Webhook
from tests.support.receiver import Receiver
from tests.support.story import SMALL, Story, law
from tests.webhooks.conftest import Exchange, told

OK = {"wecom": b'{"errcode":0,"errmsg":"ok"}', "dingtalk": b'{"errcode":0,"errmsg":"ok"}', "feishu": b'{"code":0}'}
NOW = datetime(2026, 3, 2, 2, 15, tzinfo=UTC)


def markdown(receiver: Receiver, format_: str, at: int = -1) -> str:
    """The text of a message, wherever this robot takes it."""
    body = receiver.calls[at].json
    match format_:
        case "wecom":
            assert body["msgtype"] == "markdown"
            return str(body["markdown"]["content"])
        case "dingtalk":
            assert body["msgtype"] == "markdown"
            assert body["markdown"]["title"]
            return str(body["markdown"]["text"])
    assert body["msg_type"] == "interactive"
    assert body["card"]["header"]["title"]["content"]
    return str(body["card"]["elements"][0]["content"])


async def robot(exchange: Exchange, format_: str, **fields: Any) -> tuple[Receiver, Webhook]:
    receiver = await exchange.receiver(said=OK[format_])
    return receiver, await exchange.subscribe(receiver, format_=format_, **fields)


@pytest.mark.parametrize("format_", ["wecom", "dingtalk", "feishu"])
async def test_one_message_carries_what_happened(exchange: Exchange, format_: str) -> None:
    """Warnings, miss and late end travel in one message: clause, case, due with its zone and lateness."""
    receiver, hook = await robot(exchange, format_)
    await exchange.record(told())
    done = await exchange.dispatch(hook)
    assert (done.sent, len(receiver.calls)) == (4, 1)
    said = markdown(receiver, format_)
    for fact in (
        "**50% of time used** · E 2.1.1 · First response",
        "**Missed** · E 2.1.1",
        "Time since due: ",
        "Case: R-1",
        "Due: Mon 2 Mar 2026, 10:15 UTC+8",
        "**Done late**",
        "Late: 5 min",
    ):
        assert fact in said
    assert (await exchange.dispatch(hook)).sent == 0


async def test_it_speaks_the_language_of_the_contract(exchange: Exchange) -> None:
    """A contract in Chinese is spoken of in Chinese, with the link to its case where there is a Web UI."""
    exchange.settings = exchange.settings.model_copy(update={"temporal_ui_url": "https://ui.example.com"})
    promise = SMALL["obligations"]["first_response"] | {"title": {"zh-CN": "首次响应"}}
    chinese = law(contract="zh", language="zh-CN", title={"zh-CN": "服务合同"}, obligations={"first_response": promise})
    receiver, hook = await robot(exchange, "wecom", events=EVENTS)
    story = Story(chinese)
    story.open("2026-03-02 10:00")
    story.live("2026-03-02 10:18")
    await exchange.record(story)
    await exchange.dispatch(hook)
    said = markdown(receiver, "wecom")
    for fact in (
        "### 超时1项，预警2项，已立案1项",
        "**时限已用50%** · E 2.1.1 · 首次响应",
        "案件：R-1 · 服务合同",
        "截止：2026年3月2日（周一）10:15 UTC+8",
        "距截止已过：",
        "[在Temporal中查看](https://ui.example.com/namespaces/default/workflows/complaint%2Fzh%2FR-1)",
    ):
        assert fact in said


@pytest.mark.parametrize(
    "answer",
    [
        b'{"errcode":45009,"errmsg":"api freq out of limit"}',
        b'{"code":19021,"msg":"sign match fail or timestamp is not within one hour"}',
        b'{"StatusCode":9499,"StatusMessage":"Bad Request"}',
        b"<html>nothing</html>",
        b"[]",
        b"{}",
        b"",
    ],
)
async def test_a_code_in_a_200_is_a_failure(exchange: Exchange, answer: bytes) -> None:
    """200 with an error code, or without any, is not taken, tried again, and the code stands with the subscription."""
    receiver, hook = await robot(exchange, "wecom")
    await exchange.record(told())
    receiver.said = answer
    with pytest.raises(ApplicationError):
        await exchange.dispatch(hook)
    assert (await exchange.found(hook)).position == hook.position
    receiver.said = OK["wecom"]
    assert (await exchange.dispatch(hook)).sent == 4


async def test_its_words_are_kept_without_its_token(exchange: Exchange) -> None:
    """A robot that repeats its own address in an error puts no token on record."""
    receiver, hook = await robot(exchange, "dingtalk")
    await exchange.record(told())
    receiver.said = b'{"errcode":300005,"errmsg":"token planted-token-1 is not exist"}'
    with pytest.raises(ApplicationError) as failed:
        await exchange.dispatch(hook)
    found = (await exchange.found(hook)).last_error
    assert found == "the robot says 300005: token … is not exist"
    assert "planted-token-1" not in str(failed.value)


async def test_twenty_a_minute_is_kept_to(exchange: Exchange) -> None:
    """After a message the next one waits its time, also in another process; what comes meanwhile travels in it."""
    receiver, hook = await robot(exchange, "wecom")
    dispatcher = exchange.dispatcher(pace=timedelta(hours=1))
    await exchange.record(told("R-1"))
    assert (await exchange.dispatch(hook, dispatcher)).sent == 4
    await exchange.record(told("R-2"))
    held = await exchange.dispatch(hook, exchange.dispatcher(pace=timedelta(hours=1)))
    assert (held.sent, held.waiting) == (0, True)
    assert 3500 < held.hold_seconds <= 3600
    await exchange.record(told("R-3"))
    assert (await exchange.dispatch(hook)).sent == 8
    said = markdown(receiver, "wecom")
    assert said.index("R-2") < said.index("R-3")
    assert len(receiver.calls) == 2


async def test_no_message_is_longer_than_the_robot_takes(exchange: Exchange) -> None:
    """A crowd is shared out among messages that WeCom takes, in order, and none of it is lost."""
    receiver, hook = await robot(exchange, "wecom")
    await exchange.record(*(told(f"R-{n:02}") for n in range(15)))
    sent, rounds = 0, 0
    while (done := await exchange.dispatch(hook)).waiting or done.sent:
        sent, rounds = sent + done.sent, rounds + 1
        assert rounds < 100
    texts = [markdown(receiver, "wecom", at) for at in range(len(receiver.calls))]
    assert sent == 60
    assert all(len(text.encode()) <= 4096 for text in texts)
    blocks = [block for text in texts for block in text.split(GAP) if block.startswith("**")]
    assert len(blocks) == 60
    assert 1 < len(texts) < 8


async def test_old_cases_and_silenced_rungs_are_not_told_to_people(exchange: Exchange) -> None:
    """What the contract itself would tell nobody of, a robot does not either; the cursor passes it."""
    receiver, hook = await robot(exchange, "wecom", events=EVENTS)
    old = Story()
    old.open("2026-03-02 10:00", recorded="2026-03-20 10:00", history=True)
    await exchange.record(old)
    assert (await exchange.dispatch(hook)).sent == 0
    assert receiver.calls == []
    assert (await exchange.found(hook)).position > hook.position


async def test_an_event_without_words_leaves_all_the_same(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """A contract that cannot be read and a broken template cost the words, not the message."""

    def broken(*_: Any, **__: Any) -> Any:
        raise KeyError("nothing")

    monkeypatch.setattr("templates.events._words", broken)
    monkeypatch.setattr("templates.rendering.Renderer.plain", broken)
    receiver, hook = await robot(exchange, "wecom")
    await exchange.record(told())
    assert (await exchange.dispatch(hook)).sent == 4
    said = markdown(receiver, "wecom")
    assert "clock.missed · E 2.1.1 · R-1 · 2026-03-02T10:15:00+08:00" in said


def test_dingtalk_signs_the_address() -> None:
    """Milliseconds and HMAC-SHA256 of milliseconds, line break and secret, with the secret as key, in the query."""
    made = request("dingtalk", "https://oapi.dingtalk.com/robot/send?access_token=t", "SECabc", "T", "M", NOW)
    query = parse_qs(urlsplit(made.url).query)
    assert query["access_token"] == ["t"]
    assert query["timestamp"] == ["1772417700000"]
    wanted = hmac.new(b"SECabc", b"1772417700000\nSECabc", hashlib.sha256).digest()
    assert base64.b64decode(query["sign"][0]) == wanted


def test_feishu_signs_the_body() -> None:
    """Seconds, and HMAC-SHA256 of nothing with seconds, line break and secret as key, in the body."""
    body = json.loads(request("feishu", "https://open.feishu.cn/x", "abc", "T", "M", NOW).body)
    assert body["timestamp"] == "1772417700"
    assert base64.b64decode(body["sign"]) == hmac.new(b"1772417700\nabc", b"", hashlib.sha256).digest()
    assert "sign" not in json.loads(request("feishu", "https://open.feishu.cn/x", "", "T", "M", NOW).body)


def test_only_a_zero_is_taken() -> None:
    """Feishu's older answer names its code otherwise."""
    judge(b'{"StatusCode":0,"StatusMessage":"success","code":0}')
    judge(b'{"StatusCode":0,"StatusMessage":"success"}')
    with pytest.raises(NotTakenError, match="310000: keywords"):
        judge(b'{"errcode":310000,"errmsg":"keywords\\nnot in content"}')


def test_every_robot_has_room() -> None:
    """WeCom counts bytes: 4,096 of them."""
    assert ROOM["wecom"] <= 4096 - 50
