"""Words in and out: terms of the grammar, reports of mail servers, mails and pages made of whatever values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any, get_args
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from activities.mailer import compose
from rules import terms
from rules.calendar import WorkingCalendar
from rules.calendar_spec import CalendarSpec
from rules.contract import Language
from rules.events import Event, EventType
from rules.grammar import EXAMPLES, TermError, parse_term
from starter.delivery_reports import LONGEST_REASON, MOST_IDS, read_report
from templates.events import Announcer, told_of
from templates.letter import GRAVITY, Answer, Letter, Line, Onward, Task
from templates.lines import gathered
from templates.rendering import SUBJECT_LIMIT, Renderer
from tests.fuzz.oddities import JSON, ODD_TEXT, TEXTS, scribbled, written
from tests.fuzz.target import Target
from tests.support.story import law
from tests.support.system import ROOT


def moments(first: int) -> st.SearchStrategy[datetime]:
    """Moments from a year on, up to the last ones that an input may name."""
    since, seconds = datetime(first, 1, 2, tzinfo=UTC), (2198 - first) * 365 * 86_400
    return st.integers(0, seconds).map(lambda after: since + timedelta(seconds=after))


# Terms

CALENDAR = WorkingCalendar(
    CalendarSpec.model_validate({"zone": "Asia/Shanghai", "hours": {"mon-fri": ["09:00-18:00"]}, "statutory": "CN"})
)
STARTS = moments(1900)
WORDS = ("working", "days", "minutes", "hours", "months", "the", "of", "next", "day", "on", "at once", "Friday", "if")
AMOUNTS = st.integers(-1, 10**6) | st.sampled_from((10**9, 10**12, 10**30, 0))
TERM_TEXTS = (
    st.sampled_from(EXAMPLES).flatmap(scribbled)
    | st.tuples(AMOUNTS, st.sampled_from(("minutes", "working hours", "working days", "days", "months", "years"))).map(
        lambda pair: f"{pair[0]} {pair[1]}"
    )
    | st.lists(st.sampled_from((*WORDS, "1", "31st", "17:00", "24:00")), max_size=6).map(" ".join)
    | ODD_TEXT
)
TERMS = TERM_TEXTS | JSON | st.dictionaries(st.sampled_from(("in hours", "outside", "x")), TERM_TEXTS, max_size=3)


def _term(given: tuple[Any, datetime]) -> bool:
    """What is taken has a due for every start in the years that an input may name."""
    value, start = given
    try:
        term = parse_term(value)
    except TermError as bad:
        assert str(bad)  # noqa: PT017  whoever reads the file clips what it quotes
        return False
    due = terms.due(term, start, CALENDAR)
    assert due.at >= start
    return True


# Reports of mail servers

REPORTS = sorted((ROOT / "tests" / "notices" / "reports").glob("*.eml"))
MAILS = [file.read_text(encoding="utf-8", errors="surrogateescape") for file in REPORTS]
ODD_LINES = (
    *("Content-Type: message/delivery-status", "Content-Type: multipart/report; boundary=", "Content-Type: x/y/z"),
    *("Content-Type: text/plain; charset=no-such", "Content-Transfer-Encoding: base64", "Content-Transfer-Encoding: x"),
    *(
        "Date: Mon, 99 Foo 2026 99:99:99 +9999",
        "Date: ",
        "Date: Thu, 1 Jan 1970 00:00:00 -0000",
        "Action:",
        "Action: ()",
    ),
    *("Status: " + "5" * 9_000, "Message-ID: ", "Message-ID: =?utf-8?b?////?=", "Original-Envelope-Id: =?x?q?=FF?="),
    *(
        "Subject: =?utf-8?q?=ED=A0=80?=",
        "To: " + "<" * 5_000,
        "From: " + "(" * 5_000,
        "References: " + "<a@b> " * 5_000,
    ),
    *(
        "Diagnostic-Code: smtp; \udcff\udcfe",
        "Diagnostic-Code: smtp; a\x00b \x1b[31m",
        "Status: 5.1.1\x00",
        "Diagnostic-Code: ;",
        "",
        "--",
        "\x00",
        "Action: FAILED (really)",
    ),
)


@st.composite
def _mails(draw: st.DrawFn) -> bytes:
    lines = draw(st.sampled_from(MAILS).flatmap(scribbled)).split("\n")
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        lines[at : at + draw(st.integers(0, 1))] = [draw(st.sampled_from(ODD_LINES) | st.sampled_from(lines))]
    data = "\n".join(lines).encode("utf-8", "surrogatepass" if draw(st.booleans()) else "replace")
    return data.replace(b"\n", b"\r\n") if draw(st.booleans()) else data


def _report(raw: bytes) -> bool:
    """A report with what can be stored, or none."""
    report = read_report(raw)
    if report is None:
        return False
    assert len(report.said) <= LONGEST_REASON
    assert len(report.messages) <= MOST_IDS
    assert all(re.fullmatch("[0-9a-f]{40}", message) for message in report.messages)
    assert "@" not in report.said
    assert report.at is None or report.at.tzinfo
    for text in (report.status, report.said):
        text.encode()  # Postgres holds neither halves of characters nor NUL
        assert text.isprintable(), text
    assert len(report.status) <= 100, "a status that is none"
    return True


# Mails

RENDERER = Renderer()
SHANGHAI = ZoneInfo("Asia/Shanghai")
ZONES = st.sampled_from((SHANGHAI, ZoneInfo("Europe/Berlin"), ZoneInfo("America/St_Johns"), ZoneInfo("UTC")))
MOMENTS = moments(1901)
MARK = "<i>ß&'\""
"""Stands in every field that somebody may fill: as it is in texts, escaped in HTML."""
_SHOWN = tuple(text for text in TEXTS if len(text) < 100 and "\ud800" not in text and "\udcff" not in text)
FREE = st.sampled_from((*_SHOWN, MARK, "")) | st.text(st.characters(codec="utf-8"), max_size=20)
ANSWERS = st.builds(Answer, MOMENTS, FREE, st.sampled_from(("noted", "taken_over", "passed")), st.none() | MOMENTS)
URLS = st.sampled_from(("", "https://ombud.example.com/a/token"))
_FREE = {f.name: FREE for f in fields(Line) if f.type == "str" and f.name not in ("key", "purpose", "complaint")}
LINES = st.builds(
    Line,
    **_FREE
    | {
        "key": st.uuids().map(str),
        "complaint": FREE.map(lambda text: f"small/{text or 'R-1'}"),
        "purpose": st.sampled_from(GRAVITY),
        "percent": st.sampled_from(("", "0%", "50%", "80%")),
        "act": st.sampled_from(("", "propose", "close", "miss_lifted", "passed", "request", "resolve", "shout")),
        "tasks": st.lists(st.builds(Task, FREE, FREE), max_size=3).map(tuple),
        "zone": ZONES,
        "case_url": URLS,
        "file_url": URLS,
        "answer": st.none() | ANSWERS,
        "before": st.lists(ANSWERS, max_size=2).map(tuple),
        "cases": st.just(()),
        "urgent": st.booleans(),
        "provisional": st.booleans(),
        "all_of": st.booleans(),
        "ended": st.booleans(),
        "number": st.just(0),
        "joined": st.booleans(),
        "settled": st.just(0),
        "open_cases": st.integers(0, 9),
        **{name: st.none() | MOMENTS for name in ("at", "recorded_at", "since", "due_at", "done_at")},
    },
)
LETTERS = st.builds(
    Letter,
    id=st.just("c0ffee" * 6),
    language=st.sampled_from(get_args(Language)),
    zone=ZONES,
    name=FREE,
    lines=st.lists(LINES, min_size=1, max_size=8).map(lambda lines: tuple(gathered(lines))),
    written_at=MOMENTS,
    acknowledge_url=URLS,
    principal_urls=st.lists(st.builds(Onward, FREE, URLS), max_size=2).map(tuple),
)


class _Reader(HTMLParser):
    """Tags and attributes of a mail, which are ours alone."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.found |= {f"{tag} {name}" for name, _ in attrs}


def markup(html: str) -> set[str]:
    """Every tag, and every attribute of one."""
    reader = _Reader()
    reader.feed(html)
    return reader.found


FOREIGN = re.compile(r"^(script|i|img|svg|iframe|object)$| on\w+$")
EMPTY = re.compile(r"\bNone\b|\bUndefined\b|\{\{|\{%")


def _letter(letter: Letter) -> bool:
    """A mail in its own words, whatever stands in its values; none of them becomes a header or markup."""
    words = RENDERER.mail(letter)
    assert not words.problem, words.problem
    assert len(words.subject) <= SUBJECT_LIMIT
    assert words.subject.isprintable(), words.subject
    assert not (foreign := {part for part in markup(words.html) if FOREIGN.search(part)}), foreign
    if not any(re.search(r"None|Undefined|\{\{|\{%", text) for text in _values(letter)):
        for text in (words.subject, words.text, words.html):
            assert not EMPTY.search(text), f"an empty value is shown: {EMPTY.search(text)}"
    raw = compose(
        message_id="abc123",
        to=(letter.name, "cy@example.com"),
        written_at=letter.written_at,
        language=letter.language,
        words=words,
        sender="Ombud <ombud@example.com>",
    )
    head = raw.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("ascii")
    names = re.findall(r"^([A-Za-z-]+):", head, re.MULTILINE)
    assert {name.lower() for name in names} <= HEADERS, names
    assert len(names) == len(set(names)), names
    return True


HEADERS = {
    *("from", "to", "subject", "date", "message-id", "mime-version", "content-type", "content-language"),
    *("auto-submitted", "x-auto-response-suppress", "precedence", "content-transfer-encoding"),
}


def _values(letter: Letter) -> Iterator[str]:
    yield letter.name
    for onward in letter.principal_urls:
        yield onward.title
    for line in letter.lines:
        yield repr(line).replace("=None", "")


# Announcements to a group's robot

ANNOUNCER = Announcer(RENDERER)
CONTRACT = law().contract
WHEN = MOMENTS.map(datetime.isoformat)
EVENTS = st.builds(
    Event,
    type=st.sampled_from(get_args(EventType)),
    complaint=st.just("small/R-1"),
    seq=st.just(2),
    at=MOMENTS,
    recorded_at=MOMENTS,
    data=st.fixed_dictionaries(
        {
            "clause": FREE,
            "obligation": st.sampled_from(("first_response", "none")),
            "due": WHEN,
            "rung": st.sampled_from(("0%", "50%", "due")),
            "reason": st.sampled_from(("accepted", "silence", "unheard of")),
            "report": st.sampled_from(("pending", "confirmed", "none")),
            "lifted": st.booleans(),
            "agrees": st.booleans(),
            "provisional": st.booleans(),
        },
        optional={"was_due_at": WHEN, "late_seconds": st.integers(0, 10**9), "kind": FREE, "level": FREE},
    ),
)


def _announced(given: tuple[list[Event], Language, datetime]) -> bool:
    """In the template's words, with nothing in them that a robot would read as its own marks."""
    events, language, now = given
    contract = CONTRACT.model_copy(update={"language": language})
    told = [told_of(event, contract, "https://ombud.example.com/c/token") for event in events]
    for one in told:
        block = ANNOUNCER.block(one, now)
        assert block.startswith("**"), f"the plain words instead of the template's: {block}"
        assert "None" in one.clause or not EMPTY.search(block.replace(one.clause, "")), block
        assert not re.search(r"[<>#`]", block), block
    assert ANNOUNCER.title(told).isprintable()
    return True


ANNOUNCED = st.tuples(st.lists(EVENTS, min_size=1, max_size=3), st.sampled_from(get_args(Language)), MOMENTS)

TARGETS = [
    Target("announcements", ANNOUNCED, _announced),
    Target("terms", st.tuples(TERMS, STARTS), _term),
    Target(
        "delivery reports", _mails() | _mails() | written(st.sampled_from(MAILS)) | st.binary(max_size=200), _report
    ),
    Target("mails", LETTERS, _letter),
]
