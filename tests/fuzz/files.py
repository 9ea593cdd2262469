"""Files that people hand over: contracts, directories, import maps. A judge's refusal names file and line."""

from __future__ import annotations

import json
import re
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from ruamel.yaml import YAML

from rules.commands import COMMANDS
from rules.contract import Contract
from rules.contract_file import BadContract, read
from rules.decide import decide
from rules.directory_file import DirectoryError, read_directory
from rules.duty import gaps, holder
from rules.judge import next_wake
from rules.law import law_of
from rules.ledger import Refused
from starter.errors import Invalid
from starter.fields import read_text
from tests.fuzz.oddities import bent, scribbled, written
from tests.fuzz.target import Target
from tests.support.story import Story
from tests.support.system import ROOT, SHIPPED

FOLDER = Path(tempfile.mkdtemp(prefix="ombud-fuzz-"))
"""Files of this run; small, and over with the machine's temporary ones."""
NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
LONGEST = 1_500
"""Characters of one mistake in a refusal: somebody reads it in a terminal."""

LAUGHS = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 'ha'}]\n" for n in range(12))
"""Twelve lines that stand for 9¹¹ values."""


def at_hand(name: str, data: bytes) -> Path:
    """A file with these bytes."""
    file = FOLDER / name
    file.write_bytes(data)
    return file


def clear(message: str, place: str = "") -> None:
    """A refusal is short lines without control characters, each with its place where it has one."""
    lines = message.split("\n")
    assert message.strip(), "a refusal says something"
    for line in lines:
        assert len(line) <= LONGEST, f"a refusal of {len(line):,} characters: {line[:200]!r}"
        assert not _CONTROL.search(line), f"control characters in a refusal: {line[:200]!r}"
        assert not _INSIDE.search(line), f"a refusal in the words of a program: {line[:200]!r}"
        assert not place or re.match(place, line), f"a mistake without its place: {line[:200]!r}"
    line.encode()


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_INSIDE = re.compile(r"Traceback|<[\w.]+ object at 0x|object has no attribute|unhashable|codec can't|ruamel\.")


def of_yaml(texts: list[str]) -> st.SearchStrategy[bytes]:
    """Files like these, now and then as they are, else with faults: in their lines, in their values, in their bytes."""
    lines = st.sampled_from(texts).flatmap(scribbled)
    values = st.sampled_from([_plain(text) for text in texts]).flatmap(bent).map(_dumped)
    laughing = st.sampled_from(texts).map(lambda text: LAUGHS + text)
    sound = st.sampled_from(texts)
    return written(sound | lines | lines | values | values | values | laughing | st.text(max_size=60))


def _plain(text: str) -> Any:
    return json.loads(json.dumps(YAML(typ="safe").load(text), default=str))


def _dumped(value: Any) -> str:
    """JSON is YAML too."""
    return json.dumps(value, indent=1, default=str)


def _contract(data: bytes) -> bool:
    """What is taken can be lived under: a complaint opened by it, let run, and closed."""
    file = at_hand("contract.yaml", data)
    try:
        contract = read(read_text(str(file)), file.name, NOW).contract
    except BadContract as bad:
        clear(str(bad), r"contract\.yaml:\d+: ")
        return False
    except Invalid as bad:
        clear(str(bad))
        return False
    lived(contract)
    return True


def lived(contract: Contract) -> None:
    """A complaint of every level under a contract, as a workflow carries it, for its first hundred moments."""
    law = law_of(contract.model_dump(mode="json", by_alias=True, exclude_none=True))
    for level in (None, *contract.levels):
        for kind in contract.kinds:
            story = Story(law)
            fields: dict[str, Any] = {"kind": kind, "received_at": NOW} | ({"level": level} if level else {})
            story.open("2026-11-25 17:00", **fields)
            now = NOW
            for _ in range(100):
                wake = next_wake(story.case, law)
                if wake is None:
                    break
                now = max(now, wake.at)
                before = len(story.entries)
                story.wait(now.astimezone(ZoneInfo("Asia/Shanghai")).strftime("%Y-%m-%d %H:%M:%S.%f"))
                assert len(story.entries) > before, f"a timer that judges nothing: {wake}"
            _answered(story, now + timedelta(minutes=1))


def _answered(story: Story, now: datetime) -> None:
    for name, body in (("respond", {"text": "x"}), ("withdraw", {})):
        try:
            story.note(decide(story.case, story.law, COMMANDS[name].model_validate(body), now, None, "cli"))
        except Refused as refused:
            clear(str(refused))


def _directory(data: bytes) -> bool:
    file = at_hand("people.yaml", data)
    try:
        directory = read_directory(read_text(str(file)), file.name, NOW)
    except DirectoryError as bad:
        clear(str(bad), r"people\.yaml:\d+: ")
        return False
    except Invalid as bad:
        clear(str(bad))
        return False
    for contract, roles in directory.roles.items():
        for role in roles:
            for day in range(3):
                holder(directory, contract, role, NOW + timedelta(days=day))
            list(gaps(directory, contract, role, NOW, NOW + timedelta(days=14)))
    return True


PEOPLE = """
people:
  ann: {name: Ann, email: ann@example.com, language: en, zone: Europe/Berlin, hours: {mon-fri: ["09:00-18:00"]}}
  bo:
    name: Bo
    email: bo@example.com
    language: zh-CN
    zone: Asia/Shanghai
    shifts:
      - {from: 2026-11-20T22:00, to: 2026-11-21T06:00}
      - {from: "2026-11-22T08:00:00+08:00", to: "2026-11-22T16:00:00+08:00"}
    absences:
      - {from: 2026-12-24, to: 2027-01-02, deputy: ann}
      - {from: 2026-11-26, to: 2026-11-26, deputy: none}
roles:
  "*":
    handler.owner: [ann, bo]
  demo:
    handler.manager: [bo]
"""
TEXTS = [file.read_text(encoding="utf-8") for file in SHIPPED]
SHORT = min(TEXTS, key=len)
DIRECTORIES = [PEOPLE, PEOPLE, (ROOT / "contracts" / "people" / "directory.yaml").read_text(encoding="utf-8")]

TARGETS = [
    Target("contract files", of_yaml([SHORT, SHORT, *TEXTS]), _contract),
    Target("directory files", of_yaml(DIRECTORIES), _directory),
]
