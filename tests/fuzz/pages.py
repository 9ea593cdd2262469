"""The pages, opened and sent to as no browser would: always a page that says what to do, in the reader's language."""

from __future__ import annotations

import asyncio
import re
from typing import Any, NamedTuple
from urllib.parse import quote, quote_from_bytes
from uuid import uuid4

import httpx
from hypothesis import strategies as st

from starter.client import Ombud
from starter.pages.principal import LISTS
from starter.serve import application
from storage import desk
from templates.links import PAGES, Addressed, Links, Purpose
from tests.fuzz.oddities import ODD_TEXT, TEXTS
from tests.fuzz.payloads import samples
from tests.fuzz.target import Tally
from tests.fuzz.temporal import Sender
from tests.support.system import System
from tests.support.wait import eventually

CONTRACT = "maintenance-service"
SURVEYED = "complaint-handling"
BASE = "https://ombud.example.com"
AT_ONCE = 8
MARK = "m" * 20

DIGITS = ("٣", "３", "৩", "²", "①", "Ⅷ", "三", "1_0", "+1", "1e3", "0x1", "1.0", " 1", "-0", "9" * 30, "2147483648")
"""Numbers to somebody, and what programs take for numbers."""
TIMES = ("2026-13-40T25:61", "２０２６-11-25T10:00", "9999-12-31T23:59", "0001-01-01T00:00", "now", "2026-W10")
EDGES = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00+23:59:59.999999")
"""Times with a zone that no clock of ours reaches."""
GOOD: dict[Purpose, dict[str, tuple[str, ...]]] = {
    "acknowledge": {
        "which": ("all", "some"),
        "shown": ("0 1 2",),
        "line": ("0", "1"),
        "only": ("0",),
        "follow": ("noted", "taken_over", "passed"),
        "until": ("2026-12-01T10:00",),
        "to": ("handler.manager",),
    },
    "principal": {
        "do": ("answer", "contest", "agree", "disagree", "demand", "waive"),
        "mark": (MARK,),
        "text": ("In writing.",),
        "request": ("2",),
        "clock": ("first_response#1", "resolution#1"),
        "wants": ("explanation", "plan"),
        "signed": ("Gao Jie", "Liu Yan"),
    },
    "status": {
        "do": ("message", "accept", "reject", "withdraw", "take_back"),
        "mark": (MARK,),
        "text": ("It leaks.",),
        "sure": ("yes",),
    },
    "survey": {"q.result": ("very",), "q.repair_days": ("3",), "q.better": ("Ring.",)},
}
"""The forms as browsers send them."""
WORDS = tuple(value for form in GOOD.values() for values in form.values() for value in values)
VALUE = st.sampled_from((*TEXTS, *DIGITS, *TIMES, *WORDS)) | st.text(max_size=30)
FIELDS = (*(name for form in GOOD.values() for name in form), "reference", "file", "q.", "text[]", "text[a][b]")
FIELD = st.sampled_from(FIELDS) | ODD_TEXT
PLACE = st.tuples(st.sampled_from((*TIMES, "2026-01-01T00:00:00+00:00", *EDGES)), VALUE).map("~".join)
QUERY = st.lists(
    st.tuples(st.sampled_from(("page", "category", "level", "owner", "do")) | ODD_TEXT, VALUE)
    | st.tuples(st.just("list"), st.sampled_from(desk.LISTS) | VALUE)
    | st.tuples(st.just("after"), PLACE | VALUE),
    max_size=4,
)
"""What is asked for on the desk and of lists, as it may stand behind an address."""
LANGUAGES = {
    "": "en",
    "zh-CN": "zh-CN",
    "en": "en",
    "zh-TW,zh;q=0.9,en;q=0.8": "zh-CN",
    "fr, en;q=0.2, zh-CN;q=0.7": "zh-CN",
    "en-US,en;q=0.9,zh;q=0.1": "en",
    "*": "en",
    "fr;q=zh": "en",
    "zh;q=٣": "en",
    ",;,": "en",
    "zh" * 3_000: "zh-CN",
    "\xff": "en",
}
"""What browsers and others say they read, and the language of ours that it comes to."""
TYPES = (
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded; charset=utf-7",
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/form-data; boundary=\xff",
    "application/json",
    "text/plain",
    "",
)


class Opened(NamedTuple):
    """One request as it is sent: the address percent-encoded, the body as bytes."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    stranger: bool = False
    """Whether nobody is known from the link: then the browser says which language is read."""


class Link(NamedTuple):
    """A good link: its page, its token, and the rest of the addresses below it."""

    purpose: Purpose
    token: str
    below: tuple[str, ...] = ()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@st.composite
def _fields(draw: st.DrawFn, purpose: Purpose) -> list[tuple[str, str]]:
    """A form of the page with one or two of its fields odd, and perhaps some that it has not."""
    good = [(name, draw(st.sampled_from(values))) for name, values in GOOD.get(purpose, {}).items()]
    for _ in range(draw(st.integers(0, 2)) if good else 0):
        at = draw(st.integers(0, len(good) - 1))
        good[at] = (good[at][0], draw(VALUE))
    return good + draw(st.lists(st.tuples(FIELD, VALUE), max_size=3))


@st.composite
def _urlencoded(draw: st.DrawFn, purpose: Purpose) -> bytes:
    body = "&".join(f"{quote(_bytes(name))}={quote(_bytes(value))}" for name, value in draw(_fields(purpose))).encode()
    return body + draw(st.sampled_from((b"", b"", b"", b"", b"&%", b"&%ff%00=%zz", b"&&;=", b"&a=" + b"b" * 70_000)))


@st.composite
def _multipart(draw: st.DrawFn, purpose: Purpose) -> bytes:
    parts = []
    for name, value in draw(_fields(purpose)):
        odd = draw(st.sampled_from(("", "", "", '; filename="a.pdf"', '; filename=""', "; filename*=utf-8''%ff")))
        kind = draw(st.sampled_from(("", "", "Content-Type: image/png\r\n", "Content-Type: \x7f;;\r\n")))
        head = _bytes(f'Content-Disposition: form-data; name="{name}"{odd}\r\n{kind}\r\n')
        parts.append(b"--X\r\n" + head + _bytes(value) + b"\r\n")
    return b"".join(parts) + draw(st.sampled_from((b"--X--\r\n", b"--X--\r\n", b"", b"--X", b"--Y--\r\n")))


@st.composite
def requests(draw: st.DrawFn, links: list[Link]) -> Opened:
    """A page's address with something odd in it, or a good one with an odd form."""
    link = draw(st.sampled_from(links))
    path, token = PAGES[link.purpose].path, link.token
    how = draw(st.sampled_from((*("good",) * 10, "cut", "text", "bytes", "other")))
    match how:
        case "cut":
            at = draw(st.integers(0, len(token)))
            token = token[:at] + draw(ODD_TEXT) + token[at + 1 :]
        case "text":
            token = draw(VALUE)
        case "bytes":
            token = ""
            path += "/" + quote_from_bytes(draw(st.binary(max_size=40)))
        case "other":
            path = PAGES[draw(st.sampled_from(sorted(PAGES)))].path
    address = f"/{path}/{quote(_bytes(token), safe='')}"
    if link.below and draw(st.sampled_from((True, True, False))):
        address += draw(st.sampled_from(link.below))
    elif not draw(st.integers(0, 14)):
        address += draw(st.sampled_from(("/", "/case/", "/list/", "/x/y"))) + quote(_bytes(draw(VALUE)), safe="")
    query = "&".join(f"{quote(_bytes(name))}={quote(_bytes(value))}" for name, value in draw(QUERY))
    acts = ("POST",) * 6 if link.purpose in GOOD else ()
    method = draw(st.sampled_from(("GET", "GET", "GET", "GET", *acts, "HEAD", "POST", "PUT")))
    headers = {"accept": "text/html", "accept-language": draw(st.sampled_from(list(LANGUAGES)))}
    body = b""
    if method in ("POST", "PUT"):
        if link.purpose != "principal" or draw(st.booleans()):
            body, headers["content-type"] = draw(_urlencoded(link.purpose)), "application/x-www-form-urlencoded"
        else:
            body, headers["content-type"] = draw(_multipart(link.purpose)), "multipart/form-data; boundary=X"
        if not draw(st.integers(0, 5)):
            headers["content-type"] = draw(st.sampled_from(TYPES))
    stranger = how in ("text", "bytes")
    return Opened(method, f"{address}?{query}" if query else address, headers, body, stranger)


async def pages(system: System, count: int, number: int | None = None) -> Tally:
    """Every page, to readers of both languages; afterwards the case still takes what its customer writes."""
    tally = Tally("pages")
    sender = Sender(system, tally)
    settings = system.settings.model_copy(update={"base_url": BASE, "rate_failures": "1000000/minute"})
    ombud = Ombud(system.client, system.engine, task_queue=settings.task_queue, patience=20)
    app = application(system.engine, ombud, settings)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as browser:
        links = await _links(system, sender)
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(asked: Opened) -> None:
            async with gate:
                await _one(browser, asked, tally)

        cases = samples(requests(links), count, number)
        await asyncio.gather(*(one(asked) for asked in cases))
    await sender.healthy()
    return tally


async def _one(browser: httpx.AsyncClient, asked: Opened, tally: Tally) -> None:
    tally.inputs += 1
    try:
        headers = {name: value.encode() for name, value in asked.headers.items() if value}
        request = httpx.Request(asked.method, BASE + asked.path, headers=headers, content=asked.body)  # type: ignore[arg-type]
        taken = judge(asked, await browser.send(request))
    except Exception as error:  # noqa: BLE001  whatever else comes of it is a defect
        tally.crashed(error, asked)
        return
    tally.accepted += taken
    tally.refused += not taken


def judge(asked: Opened, answer: httpx.Response) -> bool:
    """Whether it was opened or taken. Raises AssertionError for what a person could not go on from."""
    later = answer.status_code == 503 and asked.method == "POST"  # the case did not answer in time; the page says so
    assert later or answer.status_code < 500, (answer.status_code, answer.text[-300:])
    taken = answer.status_code < 400
    if asked.method == "HEAD":
        return taken
    assert answer.headers["content-type"] == "text/html; charset=utf-8", answer.headers["content-type"]
    page = answer.text
    found = re.search(r'<html lang="(en|zh-CN)">', page)
    assert found, page[:200]
    assert re.search(r"<h1[^>]*>[^<]*\S", page), "a page without a heading"
    for inside in ("Traceback", "Exception", "asyncpg", "sqlalchemy", "pydantic", "Internal Server Error"):
        assert inside not in page, inside
    if not taken:
        said = re.sub(r"<[^>]+>", " ", page.partition("</h1>")[2])
        assert re.search(r"[一-鿿]{4}" if found[1] == "zh-CN" else r"[A-Za-z]+ [a-z]+ [a-z]+", said), said
    if asked.stranger:
        assert answer.status_code in (400, 404, 405, 413), answer.status_code
        assert found[1] == LANGUAGES[asked.headers["accept-language"]], found[1]
    return taken


async def _links(system: System, sender: Sender) -> list[Link]:
    """Of two cases, one grave, one whose customer was told the result."""
    grave, told = f"F-{uuid4().hex[:12]}", f"F-{uuid4().hex[:12]}"
    who: dict[str, Any] = {"complainant": {"id": "C-17", "language": "zh-CN"}}
    sender.handles.append(await system.open(CONTRACT, grave, kind="complaint", level="3", **who))
    handle = await system.open(SURVEYED, told, kind="complaint", category="product", **who)
    for name, body in (
        ("findings", {"text": "A crack.", "cause": "Transport."}),
        ("propose", {"text": "A new one."}),
        ("resolve", {"outcome": "upheld"}),
        ("tell_result", {"text": "You get a new kettle."}),
    ):
        await handle.execute_update(name, body)
    sender.handles.append(handle)
    known = "SELECT 1 FROM complaints WHERE id = :id AND stage = 'confirming'"
    await eventually(lambda: system.rows(known, id=f"{SURVEYED}/{told}"))
    sent = "SELECT DISTINCT m.id, m.person FROM messages m JOIN notices n ON n.message = m.id WHERE n.complaint = :id"
    mails = await eventually(lambda: system.rows(sent, id=f"{CONTRACT}/{grave}"))
    key = system.settings.signing_key.get_secret_value()

    def link(purpose: Purpose, subject: str, person: str, *below: str) -> Link:
        return Link(purpose, Links(key, BASE, purpose).token(Addressed(subject, person)), below)

    lists = tuple(f"/list/{name.replace(' ', '-')}" for name in LISTS)
    return [
        *(link("acknowledge", mail["id"], mail["person"]) for mail in mails),
        link("case", f"{CONTRACT}/{grave}", "maya.brandt"),
        link("case", f"{SURVEYED}/{told}", "tang.min"),
        *(link("desk", "*", "maya.brandt"), link("desk", SURVEYED, "tang.min")) * 2,
        link("standard", CONTRACT, "liu.yan"),
        link("principal", CONTRACT, "gao.jie", f"/case/{grave}", *lists),
        link("principal", SURVEYED, "liu.yan", f"/case/{told}", *lists),
        link("status", f"{CONTRACT}/{grave}", "C-17"),
        link("status", f"{SURVEYED}/{told}", "C-17"),
        link("survey", f"{SURVEYED}/{told}", "C-17"),
    ]


ALL = (pages,)
