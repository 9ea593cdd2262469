"""Times, spans and names as people read them, in every language that Ombud speaks."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from rules.contract import Language

_DAYS: dict[Language, tuple[str, ...]] = {
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    "zh-CN": ("周一", "周二", "周三", "周四", "周五", "周六", "周日"),
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNITS: dict[Language, tuple[str, ...]] = {
    "en": (" d", " h", " min", " s"),
    "zh-CN": ("天", "小时", "分钟", "秒"),
}
_MOMENT: dict[Language, str] = {"en": "less than a second", "zh-CN": "不到一秒"}


def zone_of(name: str | None, otherwise: ZoneInfo) -> ZoneInfo:
    """The zone of this name; the other one when the directory has none, or one that does not exist."""
    try:
        return ZoneInfo(name) if name else otherwise
    except (KeyError, OSError, ValueError):
        return otherwise


def moment(at: datetime, zone: ZoneInfo, language: Language) -> str:
    """A time on the wall of `zone`, always with its offset; seconds only where they are not zero."""
    local = at.astimezone(zone)
    clock = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    day = _DAYS[language][local.weekday()]
    if language == "zh-CN":
        return f"{local.year}年{local.month}月{local.day}日（{day}）{clock} {offset(local)}"
    return f"{day} {local.day} {_MONTHS[local.month - 1]} {local.year}, {clock} {offset(local)}"


def brief(at: datetime, zone: ZoneInfo, language: Language) -> tuple[str, str]:
    """Date and time on the wall of `zone`, for drawings: whoever shows it names the zone beside it."""
    local = at.astimezone(zone)
    clock = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    if language == "zh-CN":
        return f"{local.month}月{local.day}日", clock
    return f"{local.day} {_MONTHS[local.month - 1]}", clock


def offset(at: datetime) -> str:
    """The distance to UTC of an aware time: UTC, UTC+8, UTC−3:30."""
    minutes = int((at.utcoffset() or timedelta()).total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    if not minutes:
        return "UTC"
    return f"UTC{'+' if minutes > 0 else '−'}{hours}" + (f":{rest:02}" if rest else "")


def span(length: timedelta, language: Language) -> str:
    """A length of time in its two greatest units, rounded down: 2 h 5 min."""
    seconds = max(0, int(length.total_seconds()))
    if not seconds:
        return _MOMENT[language]
    amounts = (seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60, seconds % 60)
    said = [f"{n}{unit}" for n, unit in zip(amounts, _UNITS[language], strict=True)]
    first = next((i for i, n in enumerate(amounts) if n), 3)
    gap = "" if language == "zh-CN" else " "
    return gap.join(said[i] for i in (first, first + 1) if i == first or (i < len(said) and amounts[i]))


def short(text: str, limit: int) -> str:
    """At most `limit` characters, with the middle left out: the ends of a reference tell cases apart."""
    if len(text) <= limit:
        return text
    head = (limit - 1) * 2 // 3
    tail = limit - 1 - head
    return f"{text[:head]}…{text[len(text) - tail :]}"


def wrapped(text: str, width: float, size: float) -> list[str]:
    """Lines that fit a width, for drawings, where nothing wraps by itself. Both in the same unit, `size` of the font.

    Broken at spaces, and anywhere beside Chinese characters but before a closing mark. A font that is wider than most
    runs over a little, so callers leave room.
    """
    lines, line, room = [], "", width
    for part in _PARTS.findall(text):
        need = _wide(part.rstrip()) * size
        if line.strip() and need > room and not _CLOSING.match(part):
            lines.append(line.rstrip())
            line, room = "", width
            part = part.lstrip()  # noqa: PLW2901  a line begins with a word
        line += part
        room -= _wide(part) * size
    return [*lines, line.rstrip()] if line.strip() else lines


_PARTS = re.compile(
    r"[（《「『“‘]?[\u2e80-\u9fff\uf900-\ufaff\uff00-\uff60]|[^\s\u2e80-\u9fff\uf900-\ufaff\uff00-\uff60]+\s*|\s+"
)
_CLOSING = re.compile(r"[·，。；：、！？）》」』”’,.;:!?)]")


def _wide(text: str) -> float:
    """How wide a text is, in its font's size."""
    return sum(
        1.0 if unicodedata.east_asian_width(ch) in "WF" else 0.68 if ch.isupper() else 0.3 if ch in " .,:;il'" else 0.55
        for ch in text
    )


def one_line(text: str) -> str:
    """The text without line breaks, control and invisible characters: safe in a header of a mail."""
    plain = (" " if ch.isspace() or unicodedata.category(ch)[0] == "C" else ch for ch in text)
    return " ".join("".join(plain).split())
