"""Attacks by input: bodies, queries, paths and headers that are meant to confuse. All end in problem documents."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from starter.api.guard import LARGEST_BODY
from starter.serve import HEADERS
from tests.support.front import CONTRACT, Api, bearer, listening, problem, serving, starting
from tests.support.system import System

RESPOND = f"/complaints/{CONTRACT}/H-0/commands/respond"
GOOD = b'{"text": "x"}'

BODIES: list[tuple[str, bytes, int, str]] = [
    ("nothing", b"", 422, "no JSON"),
    ("no JSON", b"text=x", 422, "no JSON"),
    ("a list", b'[{"text": "x"}]', 422, "one JSON object"),
    ("null", b"null", 422, "one JSON object"),
    ("two values", GOOD + GOOD, 422, "no JSON"),
    ("a name twice", b'{"text": "x", "text": "y"}', 422, "'text' stands in the same object twice"),
    ("twice, deeper", b'{"text": "x", "by": {"role": "handler", "role": "principal"}}', 422, "'role' stands"),
    ("twice, escaped", b'{"text": "x", "t\\u0065xt": "y"}', 422, "'text' stands"),
    ("nested", b'{"text": ' + b"[" * 30 + b"]" * 30 + b"}", 422, "nests more than 20"),
    ("nested lists", b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 422, "nests more than 20"),
    ("nested objects", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 422, "nests more than 20"),
    ("NaN", b'{"text": NaN}', 422, "NaN is no JSON number"),
    ("Infinity", b'{"text": -Infinity}', 422, "no JSON number"),
    ("a huge number", b'{"text": ' + b"9" * 5_000 + b"}", 422, "5,000 digits"),
    ("a huge exponent", b'{"text": 1e999999}', 422, "text: must be a valid string"),
    ("half a character", b'{"text": "\\ud800"}', 422, "lone surrogate"),
    ("no UTF-8", b'{"text": "\xff"}', 422, "not UTF-8 at byte 10"),
    ("UTF-16", '{"text": "x"}'.encode("utf-16"), 422, "not UTF-8"),
    ("a byte order mark", b"\xef\xbb\xbf" + GOOD, 422, "no JSON"),
    ("a long name", b'{"text": "x", "' + b"k" * 500_000 + b'": 1}', 422, "unknown field"),
    ("many names", json.dumps({f"f{n}": 1 for n in range(30_000)}).encode(), 422, "more"),
    ("a dunder", b'{"text": "x", "__class__": {}}', 422, "__class__: unknown field"),
    ("too long a text", json.dumps({"text": "x" * 200_001}).encode(), 422, "longer than 200,000"),
    ("too large", b'{"text": "' + b"x" * LARGEST_BODY + b'"}', 413, "larger than"),
]


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """None of it is a mistake of ours."""
    yield
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_no_body_confuses(api: Api, quiet: None) -> None:
    """Oversized, deep, ambiguous and unreadable bodies are refused with what is wrong about them."""
    token = await api.token()
    json_ = bearer(token) | {"Content-Type": "application/json"}
    for name, body, status, said in BODIES:
        answer = await api.http.post(f"/v1{RESPOND}", headers=json_, content=body)
        assert said in problem(answer, status), name


async def test_a_body_without_a_length_is_counted(api: Api, quiet: None) -> None:
    """Chunks are counted as they come; what grows too large is cut off and not kept."""
    token = await api.token()
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 65_536
            yield b" " * 65_536

    headers = bearer(token) | {"Content-Type": "application/json"}
    answer = await api.http.post(f"/v1{RESPOND}", headers=headers, content=endless())
    assert "larger than" in problem(answer, 413, "too-large")
    assert sent < 2 * LARGEST_BODY


KINDS = [
    *("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", ""),
    *("application/json; charset=utf-16", "application/json-patch+json", "text/json", "application/jsonx"),
]


async def test_only_json_is_taken(api: Api, quiet: None) -> None:
    """Any other media type, another charset or a compressed body is 415; a form of another site cannot be sent."""
    token = await api.token()
    for kind in KINDS:
        answer = await api.http.post(f"/v1{RESPOND}", headers=bearer(token) | {"Content-Type": kind}, content=GOOD)
        assert "application/json" in problem(answer, 415, "not-json"), kind
    zipped = bearer(token) | {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    problem(await api.http.post(f"/v1{RESPOND}", headers=zipped, content=gzip.compress(GOOD)), 415, "encoded")


PATHS = [
    f"/complaints/{CONTRACT}/..",
    f"/complaints/{CONTRACT}/../../records",
    f"/complaints/{CONTRACT}/%2e%2e%2f%2e%2e%2frecords",
    f"/complaints/{CONTRACT}/..%5c..%5crecords",
    f"/complaints/{CONTRACT}%2fH-0",
    f"/complaints/{CONTRACT}/H-0%00",
    f"/complaints/{CONTRACT}/H-0%0d%0aSet-Cookie:%20a=b",
    f"/complaints/{CONTRACT}/H-0%0a",
    f"/complaints/{CONTRACT}/{'H' * 101}",
    f"/complaints/{CONTRACT}/H-0;x=1",
    f"/complaints/{CONTRACT}/%E2%80%AEH-0",
    f"/complaints/{CONTRACT}/%FF%FE",
    f"/complaints/{CONTRACT}/'%20OR%20'1'='1",
    f"/complaints/{CONTRACT}/H-0/commands/respond%2f..%2fclose",
    f"/complaints//{CONTRACT}/H-0",
    "/complaints/",
    "//records",
    "/records/",
    "/records.csv/",
    "/RECORDS",
    "/../healthz",
    "/supervision/..%2f..%2ftokens?contract=maintenance-service",
    "/docs",
    "/redoc",
    "/__init__.py",
]


async def test_no_path_leads_elsewhere(api: Api, quiet: None) -> None:
    """Dots, encoded slashes, NUL, line ends and lengths in a path find nothing, and put no header into an answer."""
    token = await api.token("read", "act", "supervise", "admin")
    head = f" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    async with listening(api) as port:
        for path in PATHS:
            answer = await said_to(port, f"GET /v1{path}".encode() + head)
            assert answer.startswith(b"HTTP/1.1 404"), (path, answer)
            assert b"content-type: application/problem+json" in answer
            assert b"set-cookie" not in answer.lower()
        for target in (b"/v1/records\x00", b"/v1/records\r\nX: y", b"/v1/rec\xffords"):
            assert (await said_to(port, b"GET " + target + head)).startswith((b"HTTP/1.1 400", b"HTTP/1.1 404"))
    problem(await api.http.get("/v1/records?" + "a" * 5_000, headers=bearer(token)), 414, "address-too-long")


QUERIES: list[tuple[str, str]] = [
    ("colour=red", "colour: unknown query parameter"),
    ("contract=a&contract=b", "contract: stands in the query twice"),
    ("limit=0", "limit: "),
    ("limit=501", "limit: "),
    ("limit=1e9", "limit: "),
    ("limit=-1", "limit: "),
    ("missed=maybe", "missed: "),
    ("due_before=tomorrow", "due_before: is no time"),
    ("due_before=2026-11-20", "due_before: has no offset"),
    ("received_from=0001-01-01T00:00:00Z", "look for a mistyped year"),
    ("contract=%27%20OR%201=1--", "contract: must begin"),
    ("stage=%00", "stage: must hold only"),
    ("responsible=*", "responsible: must begin"),
    ("cursor=abc", "cursor: is none of ours"),
    ("cursor=" + "a" * 2001, "cursor: is longer"),
    ("by=stage", "by: unknown query parameter"),
    ("sight=all", "sight: unknown query parameter"),
    ("contract[]=x", "unknown query parameter"),
    ("%07%1b[31mx%C2%85=1", "…: unknown query parameter"),
]


async def test_no_query_is_guessed(api: Api, quiet: None) -> None:
    """Unknown, repeated and unfit parameters are refused by name; none is ignored."""
    token = await api.token()
    for query, said in QUERIES:
        answer = await api.http.get(f"/v1/records?{query}", headers=bearer(token))
        assert said in problem(answer, 422, "invalid"), query
    for path in (f"/complaints/{CONTRACT}/H-0", f"/complaints/{CONTRACT}/H-0/ledger"):
        assert "knows none at all" in problem(await api.get(path, token, as_of="now"), 422, "invalid")
    assert "unknown query parameter" in problem(await api.post("/complaints?via=ui", token, starting()), 422)


async def test_a_cursor_fits_its_query_and_its_token_alone(api: Api) -> None:
    """A cursor that was changed, or is used with other filters or by another token, is refused."""
    token, other = await api.token(), await api.token()
    for _ in range(3):
        await api.open(token)
    cursor = (await api.get("/records", token, limit=1)).json()["next"]
    assert (await api.get("/records", token, limit=2, cursor=cursor)).status_code == 200
    for asker, query in ((token, {"level": "2"}), (token, {"texts": True, "contract": CONTRACT}), (other, {})):
        answer = await api.get("/records", asker, cursor=cursor, **query)
        assert "another query" in problem(answer, 422, "invalid")
    for changed in (cursor[:-1], "A" + cursor[1:], cursor.swapcase(), cursor + "A", ""):
        assert "none of ours" in problem(await api.get("/records", token, cursor=changed), 422, "invalid")


async def test_no_key_smuggles_a_header(api: Api, quiet: None) -> None:
    """An Idempotency-Key that is empty, long, doubled or not printable is refused."""
    token = await api.token()
    for key in (b"", b"k" * 201, b"a\tb", b"a\x7fb", "schlüssel".encode()):
        headers = [(b"authorization", f"Bearer {token}".encode()), (b"idempotency-key", key)]
        answer = await api.http.post(f"/v1{RESPOND}", headers=headers, json={"text": "x"})
        assert "Idempotency-Key" in problem(answer, 422, "invalid")
    twice = [*bearer(token).items(), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    problem(await api.http.post(f"/v1{RESPOND}", headers=twice, json={"text": "x"}), 422, "invalid")


async def test_every_answer_carries_the_headers(api: Api) -> None:
    """Good answers and all kinds of refusals: no caching, no sniffing, no framing; and a refusal is a document."""
    token = await api.token()
    answers = [
        await api.get("/records", token),
        await api.http.get("/v1/openapi.json"),
        await api.http.get("/v1/records"),
        await api.get("/nowhere", token),
        await api.http.put("/v1/records"),
        await api.http.get("/nowhere"),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 401, 404, 405, 404]
    for answer in answers:
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        if answer.status_code > 400:
            problem(answer, answer.status_code)
    assert answers[4].headers["allow"] == "GET"


async def test_a_mistake_of_ours_tells_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What breaks inside is 500 without a word of the inside, and the log says where, not what was written."""
    token = await api.token()

    written = "Ms-Wexford"

    def broken(*_: object) -> None:
        raise RuntimeError(written)

    monkeypatch.setattr(api.front.cursors, "position", broken)
    answer = await api.get("/records", token)
    assert written not in problem(answer, 500, "internal")
    said = "\n".join(record.getMessage() for record in caplog.records)
    assert "RuntimeError" in said
    assert written not in said


async def test_rates_are_bounded(system: System) -> None:
    """A token, and an address, that ask too often are told when to go on; once on record, not with every request."""
    async with serving(system, rate_token="3/minute") as api:
        token, other = await api.token(), await api.token()
        assert [(await api.get("/records", token)).status_code for _ in range(3)] == [200] * 3
        for _ in range(3):
            answer = await api.get("/records", token)
            problem(answer, 429, "too-many-requests")
            assert int(answer.headers["retry-after"]) > 0
        assert (await api.get("/records", other)).status_code == 200
        assert [refusal["reason"] for refusal in await api.refusals()] == ["too many requests"]
    async with serving(system, rate_address="2/minute") as api:
        codes = [(await api.get("/records", token)).status_code for _ in range(4)]
        assert codes == [200, 200, 429, 429]
        assert len(await api.refusals()) == 2


async def said_to(port: int, request: bytes) -> bytes:
    """What the server answers to these bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return answer


async def test_no_bytes_split_a_request(api: Api) -> None:
    """Line ends in headers, two lengths, and a spoofed origin, sent as bytes: nothing is smuggled, nobody disguised."""
    token = await api.token()
    head = f"Host: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n".encode()
    post = b"POST /v1" + RESPOND.encode() + b" HTTP/1.1\r\n" + head + b"Content-Type: application/json\r\n"
    async with listening(api) as port:
        split = post + b"Idempotency-Key: a\rSet-Cookie: b=c\r\nContent-Length: 13\r\n\r\n" + GOOD
        answer = await said_to(port, split)
        assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 422"))
        assert b"Set-Cookie" not in answer
        for lengths in (b"Content-Length: 13\r\nContent-Length: 5\r\n", b"Content-Length: -1\r\n"):
            assert (await said_to(port, post + lengths + b"\r\n" + GOOD)).startswith(b"HTTP/1.1 400")
        both = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/tokens HTTP/1.1\r\n\r\n"
        assert (await said_to(port, post + both)).count(b"HTTP/1.1") == 1
        large = post + b"Content-Length: 99999999999\r\n\r\n"
        assert b"application/problem+json" in await said_to(port, large)
        spoofed = b"GET /v1/records HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"
        assert (await said_to(port, spoofed)).startswith(b"HTTP/1.1 401")
        (refusal,) = await api.system.rows("SELECT address FROM access_log WHERE reason = 'no token'")
        assert refusal["address"] == "127.0.0.1"
