"""What people read when a calendar that became known moved a due across the day: found, or fallen away."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rules.contract import Language
from templates.rendering import Renderer
from tests.notices.test_delivery import body
from tests.notices.test_mail import START, letter, line
from tests.rules.test_provisional import received
from tests.rules.test_replan import LONG_NEW_YEAR, SHORTER, laddered, replan
from tests.support.desk import Desk


async def test_whoever_was_told_of_a_miss_reads_that_it_fell_away(desk: Desk) -> None:
    """The manager, told of a miss on the 12th, reads that the holidays of 2027 are known and it is not due yet."""
    story = received("2026-12-01 10:00")
    story.live("2027-01-13 10:00")
    replan(story, "2027-01-13 10:00", LONG_NEW_YEAR)
    await desk.record(story)
    await desk.deliver("cy")
    (mail,) = desk.sink.messages
    said = body(mail.message)
    assert "A MISS FELL AWAY · Resolution · B 8.1.3" in said
    assert "The holidays of 2027 are known now. Counted by them this was not missed" in said
    (row,) = await desk.rows("SELECT command, clock FROM notices WHERE key LIKE '%@lifted %'")
    assert row == {"command": "miss_lifted", "clock": "resolution#1"}


async def test_a_miss_found_by_the_calendar_says_so_and_blames_no_delay(desk: Desk) -> None:
    """One mail to the manager: missed, and by what was known before it was not due yet; no delay of ours is claimed."""
    story = laddered().open("2026-12-01 10:00", kind="complaint")
    story.live("2027-01-11 10:00")
    replan(story, "2027-01-11 10:00", SHORTER)
    await desk.record(story)
    await desk.deliver("cy")
    (mail,) = desk.sink.messages
    said = body(mail.message)
    assert "By what was known before, it was not due yet." in said
    assert "could only be recorded" not in said


@pytest.mark.parametrize(
    ("language", "lifted", "found"),
    [
        ("en", "it is not due yet", "it was not due yet"),
        ("zh-CN", "据此计算并未超时：尚未到期", "按此前的安排，本应尚未到期"),
    ],
)
def test_both_languages_say_it(language: Language, lifted: str, found: str) -> None:
    """Text and page part, in English and Chinese."""
    ahead = line(act="miss_lifted", purpose="act", calendar="2027", due_at=START + timedelta(hours=9))
    missed = line(calendar="2027")
    for one, words in ((ahead, lifted), (missed, found)):
        mail = Renderer().mail(letter(one, language=language))
        assert words in mail.text
        assert words in mail.html
