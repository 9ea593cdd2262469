"""What people type becomes fields, or one message that names the mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.commands import Acknowledge, OpenComplaint, Propose
from starter import fields
from starter.errors import Invalid


def test_pairs_nest_and_gather() -> None:
    """Dots go deeper, a name given twice is a list, brackets are JSON, and an equals sign may stand in a value."""
    assert fields.pairs(["by.role=handler.owner", "by.person=li", "n=1", "n=2", "n=3", "x=[1]", "text=a=b"]) == {
        "by": {"role": "handler.owner", "person": "li"},
        "n": ["1", "2", "3"],
        "x": [1],
        "text": "a=b",
    }


@pytest.mark.parametrize("pair", ["nothing", "=value", "x=[1", "x={"])
def test_a_bad_pair_is_named(pair: str) -> None:
    """A pair without a name, or with broken JSON, is shown as it was typed."""
    with pytest.raises(Invalid, match=r"is no field|begins like JSON"):
        fields.pairs([pair])


def test_a_value_cannot_have_fields() -> None:
    """`by=x by.role=y` contradicts itself and says so."""
    with pytest.raises(Invalid, match="by has a value of its own"):
        fields.pairs(["by=x", "by.role=y"])


def test_one_value_stands_for_a_list_of_one() -> None:
    """`notices=key` acknowledges one notice without brackets."""
    assert fields.made(Acknowledge, "acknowledge", {"notices": "a"}).notices == ("a",)


def test_every_mistake_is_told_at_once() -> None:
    """Unknown, missing, offsetless and impossible fields come in one message, each by name."""
    with pytest.raises(Invalid) as caught:
        fields.made(
            OpenComplaint, "The complaint", {"kind": "rant", "received_at": "2026-11-20T17:50:00", "colour": "red"}
        )
    for part in ("kind: ", "'enquiry'", "received_at: has no offset", "colour: unknown field", "contract: is missing"):
        assert part in str(caught.value)


@pytest.mark.parametrize("text", ["", "   ", "x" * 200_001])
def test_empty_or_oversized_text_is_refused(text: str) -> None:
    """Text of nothing but spaces, or longer than any taken, is refused by its field."""
    with pytest.raises(Invalid, match="text: "):
        fields.made(Propose, "propose", {"text": text})


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"{", "holds no JSON"), (b"[1]", "one JSON object"), (b"\xff", "not UTF-8"), (b" " * 1_600_001, "larger than")],
)
def test_a_bad_json_file_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    """JSON that is broken, no object, not text or far too large is one message, never a traceback."""
    file = tmp_path / "input.json"
    file.write_bytes(content)
    with pytest.raises(Invalid, match=reason):
        fields.read_json(str(file))
    with pytest.raises(Invalid, match="Cannot read"):
        fields.read_json(str(tmp_path / "missing.json"))
