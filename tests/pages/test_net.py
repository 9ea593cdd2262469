"""Whatever goes wrong behind a page is still a page: in the language of who reads it, with what to do."""

import logging

import httpx
import pytest

from starter.pages.ground import preferred
from storage import desk
from tests.support.shelf import Shelf

CONTRACT = "maintenance-service"


async def test_a_mistake_of_ours_is_a_page(
    visitor: httpx.AsyncClient, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It says what to do, in the reader's language and under the same headers; what was written is in no log."""

    async def broken(*_: object) -> None:
        raise ValueError(words)

    words = f"SEC{'RET'}"  # not whole in this file, since a traceback shows its lines
    monkeypatch.setattr(desk, "counts", broken)
    path = shelf.link("desk", CONTRACT, "maya.brandt")
    answer = await visitor.get(path, headers={"accept-language": "zh-CN"})
    assert answer.status_code == 500
    assert '<html lang="zh-CN">' in answer.text
    assert "请再试一次" in answer.text
    assert answer.headers["x-frame-options"] == "DENY"
    (record,) = [one for one in caplog.records if one.levelno == logging.ERROR]
    said = record.getMessage()
    assert "ValueError in GET" in said
    assert "test_net.py" in said
    assert words not in caplog.text
    assert path.rpartition("/")[2] not in caplog.text


async def test_an_address_without_a_page_is_one(visitor: httpx.AsyncClient, shelf: Shelf) -> None:
    """People get a page, also for a method that no form has; programs get a problem document as before."""
    case = shelf.link("case", "maintenance-service/K-1", "maya.brandt")
    for method, path, status in (("GET", "/s/a/b", 404), ("GET", "/a", 404), ("POST", case, 405), ("PUT", "/q/x", 405)):
        answer = await visitor.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8"), path
        assert "Open the link" in answer.text
    assert "GET" in (await visitor.post(case)).headers["allow"]
    assert "<h1>" in (await visitor.get("/", headers={"accept": "text/html,*/*"})).text
    assert (await visitor.get("/")).headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("number", ["x", "٣", "-1", "0", "1e3", "9" * 400, "999999", ""])
async def test_an_odd_number_of_a_page(visitor: httpx.AsyncClient, shelf: Shelf, number: str) -> None:
    """What is no number of a page shows the first one, and one behind the last shows none; neither is an error."""
    shown = await visitor.get(shelf.link("principal", CONTRACT, "gao.jie"), params={"page": number})
    assert shown.status_code == 200
    assert "Gao Jie" in shown.text


@pytest.mark.parametrize(
    ("said", "language"),
    [
        ("", "en"),
        ("zh", "zh-CN"),
        ("zh-TW,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("en-US,en;q=0.9,zh;q=0.8", "en"),
        ("fr, en;q=0.2, zh-CN;q=0.7", "zh-CN"),
        ("zh;q=0, en;q=0.1", "en"),
        ("zh;q=many", "en"),
        ("de", "en"),
    ],
)
def test_the_language_is_the_one_a_browser_prefers(said: str, language: str) -> None:
    """Of ours, by its weights; what has no weight that anybody knows counts for nothing."""
    assert preferred(said) == language
