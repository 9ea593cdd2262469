"""What a release recorded is never written over."""

from __future__ import annotations

from pathlib import Path

from bench.release import Shelf, version
from tests.support.releases import RELEASES


def test_what_stands_there_stays(tmp_path: Path) -> None:
    """The recorder adds what is missing and leaves what is there, even where it would write something else."""
    (tmp_path / "migration").write_text("0001\n")
    shelf = Shelf(tmp_path)
    shelf.migration()
    assert (tmp_path / "migration").read_text() == "0001\n"
    assert shelf.added == []


def test_the_version_that_is_made_is_recorded() -> None:
    """`version` in pyproject.toml is raised together with the recording of what it leaves behind."""
    assert version() in {release.name for release in RELEASES}
