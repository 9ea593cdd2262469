"""Values that people and programs put where something else belongs."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

TEXTS = (
    "",
    " ",
    "\t",
    "\x00",
    "a\x00b",
    "a\nb",
    "a\r\nBcc: x@example.com",
    "\x1b[31m",
    "\x7f",
    "\u2028",
    "\u202eabc",
    "e\u0301",
    "🙂",
    "投诉",
    "\ufeff",
    "\ud800",
    "\udcff",
    "None",
    "null",
    "~",
    "true",
    "NaN",
    "-1",
    "0",
    "9" * 400,
    "1e999",
    "../../etc/passwd",
    "/etc/localtime",
    "Asia/Shanghai",
    "Mars/Phobos",
    "09:00-18:00",
    "24:00",
    "25:61",
    "18:00-09:00",
    "00:00-24:00",
    "15 minutes",
    "0 minutes",
    "99999999 working days",
    "999999999999999 minutes",
    "3000 months",
    "the 31st of the month",
    "2026-02-30",
    "0001-01-01",
    "9999-12-31",
    "2026-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "50%",
    "1e9%",
    "____",
    "${HOME}",
    "{{ 7 * 7 }}",
    "{% for x in y %}",
    "{column}",
    "{0.__class__}",
    "%s%n",
    "=cmd|' /C calc'!A0",
    "@SUM(1)",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><b>',
    "' OR '1'='1",
    "a" * 5_000,
    "handler.owner",
    "principal",
    "receipt",
    "complaint",
)
ODD_TEXT = st.sampled_from(TEXTS) | st.text(max_size=30)
ODD_NUMBER = st.sampled_from((0, -1, 1, 2**31, 2**63, 10**30, 10**400, 0.5, 1e308, float("inf"), float("nan")))
SCALAR: st.SearchStrategy[Any] = st.none() | st.booleans() | ODD_NUMBER | st.integers() | ODD_TEXT
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ODD_TEXT, inner, max_size=4),
    max_leaves=12,
)
"""Anything that JSON can say, and some that it cannot: NaN, and halves of characters."""

NESTED = st.sampled_from((41, 200, 3_000)).map(lambda deep: "[" * deep + "]" * deep)

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "gb18030", "latin-1", "shift-jis")


@st.composite
def bent(draw: st.DrawFn, whole: Any) -> Any:
    """Plain values with one to three of their parts replaced, left out, doubled or moved."""
    value = whole
    for _ in range(draw(st.integers(1, 3))):
        value = _bend(draw, value)
    return value


def _bend(draw: st.DrawFn, whole: Any) -> Any:
    """Down a random path, then one change there."""
    if not isinstance(whole, dict | list) or not whole or not draw(st.integers(0, 4)):
        return draw(JSON)
    keys = list(whole) if isinstance(whole, dict) else list(range(len(whole)))
    key = draw(st.sampled_from(keys))
    made = dict(whole) if isinstance(whole, dict) else list(whole)
    change = draw(st.sampled_from(("deeper", "deeper", "deeper", "deeper", "replace", "drop", "rename", "swap")))
    if change == "deeper" and isinstance(whole[key], dict | list):
        made[key] = _bend(draw, whole[key])
    elif change in ("deeper", "replace"):
        made[key] = draw(JSON)
    elif change == "drop":
        del made[key]
    elif change == "rename" and isinstance(made, dict):
        made[draw(ODD_TEXT)] = made.pop(key)
    else:
        other = draw(st.sampled_from(keys))
        made[key], made[other] = whole[other], whole[key]
    return made


@st.composite
def scribbled(draw: st.DrawFn, text: str) -> str:
    """A text with one to four of its lines left out, doubled, swapped, indented, cut or written over."""
    lines = text.split("\n")
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        line = lines[at]
        match draw(st.sampled_from(("drop", "double", "swap", "indent", "value", "insert", "cut"))):
            case "drop":
                del lines[at]
            case "double":
                lines.insert(at, line)
            case "swap":
                other = draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], line
            case "indent":
                lines[at] = " " * draw(st.integers(0, 9)) + line.lstrip()
            case "value":
                lines[at] = line.partition(":")[0] + ": " + draw(ODD_TEXT | NESTED)
            case "insert":
                where = draw(st.integers(0, len(line)))
                lines[at] = line[:where] + draw(ODD_TEXT | st.sampled_from(_MARKS)) + line[where:]
            case "cut":
                del lines[at + 1 :]
                lines[at] = line[: draw(st.integers(0, len(line)))]
        lines = lines or [""]
    return draw(st.sampled_from(("\n", "\n", "\n", "\r\n", "\r"))).join(lines)


_MARKS = (
    "&a ",
    "*a",
    "<<: *a",
    "!!python/object:os.system ",
    "!!binary ",
    "? ",
    "- ",
    "#",
    "'",
    '"',
    "{",
    "]",
    "|",
    "%",
)


@st.composite
def written(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> bytes:
    """A text as the bytes of a file: mostly UTF-8, sometimes in another encoding or with bytes that fit none."""
    text = draw(texts)
    encoding = draw(st.sampled_from(ENCODINGS)) if not draw(st.integers(0, 5)) else "utf-8"
    data = text.encode(encoding, "replace" if encoding not in ("utf-8", "utf-8-sig") else "surrogatepass")
    if not draw(st.integers(0, 9)):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.binary(min_size=1, max_size=8)) + data[at:]
    return data
