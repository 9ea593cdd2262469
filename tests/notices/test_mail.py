"""What a mail says and how it is built: words in both languages, nothing of which becomes a header or markup."""

from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.mailer import compose
from rules.contract import Language
from templates.letter import Letter, Line, Purpose, Task
from templates.lines import gathered
from templates.rendering import FOLDER, SUBJECT_LIMIT, Rendered, Renderer
from templates.words import moment, one_line, short, span

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 3, 2, 10, 0, tzinfo=SHANGHAI)
RENDERER = Renderer()


def line(**changes: Any) -> Line:
    """A first response missed at 10:15 in Shanghai."""
    given_: dict[str, Any] = {
        "key": "small/R-1/first_response#1@due/handler.manager",
        "complaint": "small/R-1",
        "role": "handler.manager",
        "role_title": "Manager",
        "purpose": "missed",
        "contract_title": "Small contract",
        "kind": "complaint",
        "category": "Product quality",
        "level": "2",
        "level_title": "Needs others",
        "title": "First response",
        "clause": "E 2.1.1",
        "at": START + timedelta(minutes=15),
        "recorded_at": START + timedelta(minutes=15),
        "since": START,
        "due_at": START + timedelta(minutes=15),
        "who": "Owner · ann",
        "tasks": (Task("respond"), Task("answer")),
        "zone": SHANGHAI,
    }
    return Line(**given_ | changes)


def letter(*lines: Line, language: Language = "en", zone: ZoneInfo = SHANGHAI, **changes: Any) -> Letter:
    """A letter written two hours after the case was received."""
    given_: dict[str, Any] = {
        "id": "c0ffee" * 6,
        "name": "Cy Dahl",
        "written_at": START + timedelta(hours=2),
        "acknowledge_url": "https://ombud.example.com/a/token",
    }
    return Letter(language=language, zone=zone, lines=lines or (line(),), **given_ | changes)


def built(words: Rendered, name: str = "Cy Dahl", address: str = "cy@example.com") -> EmailMessage:
    """The mail as its recipient's program reads it."""
    raw = compose(
        message_id="abc123",
        to=(name, address),
        written_at=START,
        language="en",
        words=words,
        sender="Ombud <ombud@example.com>",
    )
    return message_from_bytes(raw, EmailMessage, policy=policy.default)


PURPOSES: dict[Purpose, dict[str, Any]] = {
    "warning": {"percent": "80%", "due_at": START + timedelta(hours=3)},
    "missed": {},
    "still": {},
    "passed": {"recorded_at": START + timedelta(hours=2)},
    "act": {
        "act": "propose",
        "title": "",
        "clause": "",
        "since": None,
        "due_at": None,
        "tasks": (),
        "by": "Owner · ann",
    },
}
SAYS: dict[tuple[Purpose, Language], tuple[str, str]] = {
    ("warning", "en"): ("80% of time used · E 2.1.1 · R-1 · First response", "Time left: 1 h"),
    ("missed", "en"): ("Missed · E 2.1.1 · R-1 · First response", "Late: 1 h 45 min"),
    ("still", "en"): ("Still missed · E 2.1.1 · R-1 · First response", "Still not done 1 h 45 min after its due time."),
    ("passed", "en"): ("Registered late · E 2.1.1 · R-1 · First response", "before this case was registered"),
    ("act", "en"): ("Solution proposed · R-1", "By: Owner · ann"),
    ("warning", "zh-CN"): ("时限已用80% · E 2.1.1 · R-1 · First response", "剩余：1小时"),
    ("missed", "zh-CN"): ("超时 · E 2.1.1 · R-1 · First response", "已超时：1小时45分钟"),
    ("still", "zh-CN"): ("仍超时 · E 2.1.1 · R-1 · First response", "到期后1小时45分钟仍未完成。"),
    ("passed", "zh-CN"): ("补登 · E 2.1.1 · R-1 · First response", "本案登记前时限已开始计算"),
    ("act", "zh-CN"): ("已提出解决方案 · R-1", "经办：Owner · ann"),
}


@pytest.mark.parametrize(("purpose", "language"), SAYS)
def test_every_purpose_has_its_words(purpose: Purpose, language: Language) -> None:
    """Each purpose has a subject and a sentence of its own in both languages, in text and HTML alike."""
    words = RENDERER.mail(letter(line(purpose=purpose, **PURPOSES[purpose]), language=language))
    subject, sentence = SAYS[purpose, language]
    assert words.problem == ""
    assert words.subject == subject
    assert sentence in words.text
    assert sentence.rpartition(": ")[2].rpartition("：")[2] in words.html
    assert "https://ombud.example.com/a/token" in words.html


def test_every_time_has_its_zone() -> None:
    """A recipient elsewhere reads the due time on the own wall and on the contract's, each with its offset."""
    said = RENDERER.mail(letter(zone=BERLIN)).text
    assert "Due: Mon 2 Mar 2026, 03:15 UTC+1 (Mon 2 Mar 2026, 10:15 UTC+8 in Asia/Shanghai)" in said
    assert "Times are in Europe/Berlin." in said


def test_a_mail_says_what_has_changed_meanwhile() -> None:
    """A mail that was held up does not call for what is done already."""
    done = RENDERER.mail(letter(line(done_at=START + timedelta(minutes=45)))).text
    assert "meanwhile it is done, 30 min late" in done
    assert "To do" not in done


def test_a_delay_of_ours_is_said() -> None:
    """Invariant 11: a rung that could only be recorded later says when it was reached and how much later."""
    late = RENDERER.mail(letter(line(recorded_at=START + timedelta(hours=1, minutes=20)))).text
    assert "reached at Mon 2 Mar 2026, 10:15 UTC+8 and could only be recorded 1 h 5 min later" in late


def test_a_provisional_due_is_called_so() -> None:
    """Invariant 9: a due time counted through an unpublished year shows as provisional."""
    assert "provisional" in RENDERER.mail(letter(line(provisional=True))).text


def test_a_crowd_counts_in_its_subject() -> None:
    """The subject of a crowd says the gravest first: how many, which clauses, how many cases."""
    lines = [line(purpose="still", complaint=f"small/R-{n}") for n in range(3)]
    words = RENDERER.mail(letter(*lines, line(clause="E 2.1.3"), line(purpose="warning", percent="50%")))
    assert words.subject == "3 still missed · 1 missed · E 2.1.1, E 2.1.3 · 3 cases"


@given(st.text(max_size=100), st.text(max_size=200), st.text(max_size=50), st.sampled_from(["en", "zh-CN"]))
def test_a_subject_fits_a_phone_and_is_one_line(reference: str, title: str, clause: str, language: Language) -> None:
    """Whatever a contract or a backend calls things, a subject is one line of at most 60 characters."""
    words = RENDERER.mail(letter(line(complaint=f"small/{reference}", title=title, clause=clause), language=language))
    assert words.problem == ""
    assert len(words.subject) <= SUBJECT_LIMIT
    assert words.subject == one_line(words.subject)


def test_headers_say_what_it_is() -> None:
    """The headers let programs recognise an automatic mail, its language and its duplicates; both parts are there."""
    mail = built(RENDERER.mail(letter()))
    assert mail["Message-ID"] == "<abc123@example.com>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Content-Language"] == "en"
    assert mail["Date"].datetime == START
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


@given(st.text(max_size=80), st.text(max_size=80))
def test_no_name_becomes_a_header(name: str, subject: str) -> None:
    """Line breaks and control characters in names and subjects never make a header or a recipient."""
    injected = "\r\nBcc: everybody@example.com\r\n\r\nbody"
    mail = built(Rendered(subject=subject + injected, text="x\n"), name=name + injected)
    assert mail["Bcc"] is None
    assert [a.addr_spec for a in mail["To"].addresses] == ["cy@example.com"]
    assert len(mail.get_all("Subject") or []) == 1


@pytest.mark.parametrize("address", ["two@example.com, three@example.com", "a..b@example.com", "", "x@y\r\nBcc: z@y"])
def test_what_is_no_address_is_no_recipient(address: str) -> None:
    """An address that is none adds no recipient and no header; the mail server gets to refuse it."""
    mail = built(Rendered(subject="s", text="x\n"), address=address)
    assert mail["To"].addresses == ()
    assert mail["Bcc"] is None


@given(st.text(max_size=60))
def test_no_value_becomes_markup_or_template(value: str) -> None:
    """Values are escaped in HTML and never run as a template."""
    evil = value + "<img src=x onerror=alert(1)>{{ 7 * 191 }}{% raw %}"
    words = RENDERER.mail(letter(line(title=evil, who=evil, content=evil), name=evil))
    assert "<img" not in words.html
    assert "1337" not in words.html + words.text
    assert "{{ 7 * 191 }}" in words.text


@pytest.fixture
def broken(tmp_path: Path) -> Renderer:
    """Templates as somebody left them: one asks for what is not there."""
    for source in FOLDER.rglob("*.*"):
        if source.suffix in (".txt", ".html", ".j2"):
            target = tmp_path / source.relative_to(FOLDER)
            target.parent.mkdir(exist_ok=True)
            target.write_text(source.read_text())
    (tmp_path / "mail.html").write_text("{{ letter.nothing_of_the_kind }}")
    return Renderer(tmp_path)


def test_a_broken_template_still_says_the_facts(broken: Renderer) -> None:
    """With a broken template the notice leaves in plain words: clause, case, due, link; the error stands beside."""
    words = broken.mail(letter())
    assert "nothing_of_the_kind" in words.problem
    for fact in ("E 2.1.1", "small/R-1", "2026-03-02T10:15:00+08:00", "https://ombud.example.com/a/token"):
        assert fact in words.text
    assert built(words)["Subject"] == "Ombud: 1 · E 2.1.1 · R-1"


def test_templates_reach_nothing_of_ours(tmp_path: Path) -> None:
    """A template runs in a sandbox: it cannot climb from a value to the interpreter."""
    (tmp_path / "subject.txt").write_text("{{ letter.__class__.__mro__ }}")
    assert "SecurityError" in Renderer(tmp_path).mail(letter()).problem


@pytest.mark.parametrize(
    ("length", "en", "zh"),
    [
        (timedelta(), "less than a second", "不到一秒"),
        (timedelta(seconds=59), "59 s", "59秒"),
        (timedelta(minutes=1, seconds=5), "1 min 5 s", "1分钟5秒"),
        (timedelta(hours=2), "2 h", "2小时"),
        (timedelta(hours=2, minutes=5), "2 h 5 min", "2小时5分钟"),
        (timedelta(days=3, hours=4, minutes=59), "3 d 4 h", "3天4小时"),
        (timedelta(days=3, minutes=59), "3 d", "3天"),
        (timedelta(seconds=-4), "less than a second", "不到一秒"),
    ],
)
def test_spans(length: timedelta, en: str, zh: str) -> None:
    """Lateness is said in its two greatest units, rounded down."""
    assert (span(length, "en"), span(length, "zh-CN")) == (en, zh)


def test_moments_carry_their_offset() -> None:
    """A time names its day, its second where there is one, and its distance to UTC, also in odd zones."""
    at = datetime(2026, 3, 2, 10, 15, 30, tzinfo=SHANGHAI)
    assert moment(at, ZoneInfo("Asia/Kolkata"), "en") == "Mon 2 Mar 2026, 07:45:30 UTC+5:30"
    assert moment(at, ZoneInfo("America/New_York"), "zh-CN") == "2026年3月1日（周日）21:15:30 UTC−5"
    assert moment(at, ZoneInfo("UTC"), "en").endswith("UTC")


@given(st.text(max_size=120), st.integers(5, 60))
def test_a_short_text_keeps_its_ends(text: str, limit: int) -> None:
    """A reference cut for a subject keeps its beginning and its end."""
    cut = short(text, limit)
    assert len(cut) <= limit
    assert cut[:2] == text[:2]
    assert cut[-1:] == text[-1:]


def test_a_mail_of_many_lines_is_whole_on_a_phone() -> None:
    """Two hundred lines stay below the size at which mail programs cut a mail, its button stands above them, and each
    line has case, due, lateness and link, under its clause."""
    lines = [
        line(
            key=f"small/R-{n:03}/x",
            complaint=f"small/R-{n:03}",
            case_url=f"https://temporal.example.com/cases/R-{n:03}",
        )
        for n in range(200)
    ]
    words = RENDERER.mail(letter(*lines))
    assert words.problem == ""
    assert len(words.html.encode()) < 102_000
    assert words.html.count("Mon 2 Mar 2026, 10:15 UTC+8") == words.html.count("Late 1 h 45 min") == 200
    assert all(f'<a href="https://temporal.example.com/cases/R-{n:03}">R-{n:03}</a>' in words.html for n in range(200))
    assert words.html.index("Acknowledge these notices") < words.html.index("E 2.1.1 · Small contract")
    assert words.html.index("E 2.1.1 · Small contract") < words.html.index("R-000")
    assert all(f"Case: R-{n:03} " in words.text for n in range(200))


CROWDS: dict[Language, tuple[str, ...]] = {
    "en": (
        "Missed · E 2.1.1 · INC-7: 3 complaints · First response",
        "3 complaints so far, of 5 open ones",
        "for 1 of them",
    ),
    "zh-CN": (
        "超时 · E 2.1.1 · INC-7：3件投诉 · First response",
        "目前3件投诉（该事件共有5件未结）",
        "其中1件已无需处理",
    ),
}


@pytest.mark.parametrize("language", CROWDS)
@pytest.mark.parametrize("others", [0, 9])
def test_a_crowd_is_said_in_one_line(language: Language, others: int) -> None:
    """A crowd is one line, alone and among many: the incident, its cases, how many are open and how many settled, the
    earliest due of what is still to be done."""
    crowd = [
        line(
            key=f"small/C-{n}/x",
            complaint=f"small/C-{n}",
            crowd="small/INC-7/first_response@due/handler.manager",
            incident="INC-7",
            due_at=START + timedelta(minutes=15 * n),
            done_at=START if n == 0 else None,
        )
        for n in range(3)
    ]
    rest = [line(key=f"small/R-{n}/x", complaint=f"small/R-{n}") for n in range(others)]
    found = gathered([*crowd, *rest], open_cases={("small", "INC-7"): 5})
    assert [one.size for one in found].count(3) == 1
    assert len(found) == 1 + others
    assert next(one.due_at for one in found if one.cases) == START + timedelta(minutes=15)
    words = RENDERER.mail(letter(*found, language=language))
    assert words.problem == ""
    subject, *facts = CROWDS[language]
    assert (words.subject == subject) is not bool(others)
    for said in (*facts, "C-0", "C-1", "C-2", "INC-7"):
        assert said in words.text
        assert said in words.html
