"""What the Web UI shows of a complaint beside its history."""

from __future__ import annotations

from tests.support.story import Story
from workflows.details import markdown


def test_the_first_line_says_what_the_case_is_now() -> None:
    """Stage, id, kind, category and level head the details, as they are after it was classified anew."""
    story = Story().open("2026-03-02 10:00", kind="complaint", level="1")
    assert f"{story.case.id} · complaint · level 1" in markdown(story.law, story.case, False).splitlines()[0]
    story.tell("reclassify", "2026-03-02 10:05", level="3", reason="new_facts")
    assert f"{story.case.id} · complaint · level 3" in markdown(story.law, story.case, False).splitlines()[0]
