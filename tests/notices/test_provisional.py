"""A due that nobody can know yet is called so to whoever is told of it."""

from __future__ import annotations

from typing import Any

import pytest

from rules.contract import Language
from templates.rendering import Renderer
from tests.notices.test_delivery import body
from tests.notices.test_mail import SHANGHAI, letter, line
from tests.rules.test_provisional import received
from tests.support.desk import Desk


async def test_a_mail_calls_a_provisional_due_so(desk: Desk) -> None:
    """Invariant 9: of the misses in one mail those counted into an unpublished year are marked, and no other."""
    story = received("2026-12-01 10:00")
    story.live("2027-02-01 10:00")
    await desk.record(story)
    await desk.deliver("cy")
    (mail,) = desk.sink.messages
    dues = [said for said in body(mail.message).splitlines() if said.startswith("Due: ")]
    assert len(dues) == len(story.case.clocks)
    assert sum("provisional" in said for said in dues) == sum(clock.provisional for clock in story.case.clocks) == 2


@pytest.mark.parametrize(("language", "word"), [("en", "provisional"), ("zh-CN", "暂定")])
def test_the_acknowledge_page_calls_a_provisional_due_so(language: Language, word: str) -> None:
    """Invariant 9: the page says so beside the due time, in both languages, and only where it is so."""
    form: dict[str, Any] = {
        "roles": {},
        "problem": "",
        "chosen": None,
        "follow": "noted",
        "until": "",
        "to": "",
        "earliest": "",
        "latest": "",
    }
    for unsure in (True, False):
        told = letter(line(provisional=unsure), language=language)
        page = Renderer().page("acknowledge.html", language, SHANGHAI, letter=told, nonce="n", **form)
        assert (word in page) is unsure
