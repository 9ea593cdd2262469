"""Another release of Ombud: its sources copied, and changed in a few places."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PARTS = (
    *("activities", "contracts", "rules", "starter", "storage", "telemetry", "templates", "wire", "workflows"),
    *("settings.py", "worker.py"),
)


class Change(NamedTuple):
    """A place in the sources that reads otherwise in the other release."""

    file: str
    was: str
    is_: str


def another_release(folder: Path, changes: Sequence[Change]) -> Path:
    """The sources with these changes, in a folder of their own. AssertionError where a change has no single place."""
    for part in PARTS:
        here = ROOT / part
        if here.is_dir():
            shutil.copytree(here, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(here, folder / part)
    for change in changes:
        file = folder / change.file
        text = file.read_text(encoding="utf-8")
        assert text.count(change.was) == 1, change
        file.write_text(text.replace(change.was, change.is_), encoding="utf-8")
    return folder


_OPENED = "opened = await durable(OPEN, opening, Opened, OPENED)"
_PAUSE = 'await workflow.sleep(0.01, summary="a step of the next release")'

UNGUARDED = (Change("workflows/beginning.py", _OPENED, f"{_PAUSE}\n    {_OPENED}"),)
"""A release that has one more timer where every complaint begins, and nothing that keeps it from the open ones."""

GUARDED = (
    Change(
        "workflows/beginning.py",
        _OPENED,
        f'if workflow.patched("pause"):\n        {_PAUSE}\n    {_OPENED}',
    ),
)
"""The same as it has to be written: only complaints that begin under it have the timer."""
