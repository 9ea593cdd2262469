"""Puts values into words: one layout for all languages, and a folder of words for each.

A template may be broken by whoever edits it. A mail then leaves in plain built-in words, with the error beside it, so
that one bad template never holds a notice back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from rules.contract import Language
from templates.letter import Letter, Line
from templates.words import moment, one_line, short, span

FOLDER = Path(__file__).parent
SUBJECT_LIMIT = 60
"""Characters of a subject that a phone shows."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """The words of a mail. `problem` says what was wrong with the template when these are the built-in ones."""

    subject: str
    text: str
    html: str = ""
    problem: str = ""


class Renderer:
    """Renders the templates of a folder; values are escaped wherever the result is HTML."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._plain = _environment(folder, escape=False)
        self._html = _environment(folder, escape=True)

    def mail(self, letter: Letter) -> Rendered:
        """Subject, text and HTML of one message. It never fails."""
        says = {"letter": letter, **_speaking(letter.language, letter.zone)}
        try:
            subject = self._plain.get_template("subject.txt").render(says)
            text = self._plain.get_template("mail.txt").render(says)
            html = self._html.get_template("mail.html").render(says)
        except Exception as broken:  # noqa: BLE001  a template can fail in any way its author finds
            return _built_in(letter, f"template: {type(broken).__name__}: {broken}")
        return Rendered(_cut(one_line(subject)), text.strip() + "\n", html)

    def page(self, name: str, language: Language, zone: ZoneInfo, **values: Any) -> str:
        """A page as HTML. Raises what Jinja raises."""
        return self._html.get_template(name).render(**_speaking(language, zone), **values)

    def plain(self, name: str, language: Language, zone: ZoneInfo, **values: Any) -> str:
        """A text that is no HTML. Raises what Jinja raises."""
        return self._plain.get_template(name).render(**_speaking(language, zone), **values)


def _environment(folder: Path, *, escape: bool) -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(folder),
        autoescape=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["short"] = short
    return made


def _speaking(language: Language, zone: ZoneInfo) -> dict[str, Any]:
    """What every template may use besides its own values."""

    def when(at: datetime) -> str:
        return moment(at, zone, language)

    def elsewhere(at: datetime, other: ZoneInfo) -> str:
        """The same moment on the contract's wall, where that shows another time."""
        if at.astimezone(other).utcoffset() == at.astimezone(zone).utcoffset():
            return ""
        return moment(at, other, language)

    said: Callable[[timedelta], str] = partial(span, language=language)
    return {
        "language": language,
        "when": when,
        "elsewhere": elsewhere,
        "span": said,
        "zero": timedelta(),
        "noticeable": timedelta(minutes=1),  # what is told later than this is told with its delay
    }


def _cut(subject: str) -> str:
    return subject if len(subject) <= SUBJECT_LIMIT else subject[: SUBJECT_LIMIT - 1].rstrip() + "…"


def _built_in(letter: Letter, problem: str) -> Rendered:
    """The facts without any template: enough to act on."""
    first = letter.lines[0]
    facts = (str(len(letter.lines)), first.clause, short(first.reference, 24))
    subject = _cut(one_line("Ombud: " + " · ".join(fact for fact in facts if fact)))
    links = [letter.acknowledge_url] if letter.acknowledge_url else []
    return Rendered(subject, "\n".join([*(_plainly(line) for line in letter.lines), *links]) + "\n", problem=problem)


def _plainly(line: Line) -> str:
    about = f"incident {line.incident}: {', '.join(line.references)}" if line.cases else line.complaint
    due = f"due {line.due_at.astimezone(line.zone).isoformat()}" if line.due_at else ""
    facts = (line.purpose, line.percent, line.act, line.clause, line.title, about, due, line.case_url)
    return " · ".join(one_line(fact) for fact in facts if fact)
