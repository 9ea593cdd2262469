"""A timely act that is reported only after its clock was missed (invariant 2)."""

from __future__ import annotations

from typing import Any

import pytest

from rules.fold import fold
from rules.ledger import Refused
from tests.support.story import Story, at, law

PROOF = {"id": "mail-7", "sha256": "0" * 64}
PRINCIPAL = "principal.responsible_person"


def missed(**section: str) -> Story:
    """A first response due at 10:15 that is on record as missed; the contract says this of late reports."""
    story = Story(law(**{"late reports": section})).open("2026-03-02 10:00")
    story.live("2026-03-02 10:16")
    return story


def reported(story: Story, when: str = "2026-03-02 10:40", **more: Any) -> Story:
    story.tell("respond", when, occurred="2026-03-02 10:10", **more)
    return story


def test_until_the_named_role_agrees_a_late_report_counts_as_missed() -> None:
    """The role that must agree gets one notice; its word clears the miss, which stays on record."""
    story = reported(missed(**{"confirmed by": PRINCIPAL}))
    clock = story.clock("first_response")
    assert (clock.report, clock.cleared_at, clock.lag_seconds) == ("unconfirmed", None, 30 * 60)
    assert [key for key in story.notices() if "reported late" in key] == [
        f"first_response#1@reported late 8/{PRINCIPAL}"
    ]
    by = {"role": PRINCIPAL}
    story.tell("confirm_report", "2026-03-02 11:00", clock="first_response#1", agrees=True, by=by)
    clock = story.clock("first_response")
    assert (clock.status, clock.report, clock.cleared_at) == ("missed", "confirmed", at("2026-03-02 11:00"))
    assert fold(story.entries) == story.case


def test_a_report_that_is_not_agreed_to_leaves_the_miss() -> None:
    """Once answered it is answered: the same role cannot say otherwise by asking again."""
    story = reported(missed(**{"confirmed by": PRINCIPAL}))
    answer: dict[str, Any] = {"clock": "first_response#1", "by": {"role": PRINCIPAL}}
    story.tell("confirm_report", "2026-03-02 11:00", agrees=False, **answer)
    assert story.clock("first_response").report == "not_agreed"
    assert story.clock("first_response").cleared_at is None
    with pytest.raises(Refused, match="those that do: none"):
        story.tell("confirm_report", "2026-03-02 11:05", agrees=True, **answer)


@pytest.mark.parametrize(
    ("section", "when", "more", "report"),
    [
        ({}, "2026-03-02 10:40", {}, "confirmed"),
        ({"within": "1 hour"}, "2026-03-02 11:10", {}, "confirmed"),
        ({"within": "1 hour"}, "2026-03-02 11:11", {}, "not_counted"),
        ({"needs": "evidence"}, "2026-03-02 10:40", {}, "not_counted"),
        ({"needs": "evidence"}, "2026-03-02 10:40", {"evidence": [PROOF]}, "confirmed"),
        ({"needs": "evidence", "confirmed by": PRINCIPAL}, "2026-03-02 10:40", {}, "not_counted"),
    ],
)
def test_the_contract_says_what_a_late_report_counts_as(
    section: dict[str, str], when: str, more: dict[str, Any], report: str
) -> None:
    """In time and with what it needs it is confirmed where nobody has to agree; otherwise it does not count."""
    story = reported(missed(**section), when, **more)
    assert story.clock("first_response").report == report
    assert story.clock("first_response").refuted_at == at(when)
    assert not any("reported late" in key for key in story.notices())


def test_only_the_named_role_confirms_and_only_what_waits_for_it() -> None:
    """A confirmation by the wrong party, of another clock, or before any report is refused, and says who can."""
    story = missed(**{"confirmed by": PRINCIPAL})
    with pytest.raises(Refused, match="No late report about"):
        story.tell("confirm_report", "2026-03-02 10:30", clock="first_response#1", agrees=True, by={"role": PRINCIPAL})
    reported(story)
    with pytest.raises(Refused, match=f"{PRINCIPAL} can"):
        story.tell(
            "confirm_report",
            "2026-03-02 10:50",
            clock="first_response#1",
            agrees=True,
            by={"role": "handler.manager"},
        )


def test_the_duty_to_explain_lasts_until_the_report_is_confirmed() -> None:
    """Rule 45: an unconfirmed report leaves the miss to be explained; a confirmed one ends the duty."""
    story = Story(law(**{"late reports": {"confirmed by": PRINCIPAL}})).open("2026-03-02 10:00", kind="complaint")
    for command, fields in {"findings": {"cause": "Wear."}, "propose": {}}.items():
        story.tell(command, "2026-03-03 10:00", **fields)
    story.live("2026-04-14 10:00")
    story.tell("resolve", "2026-04-14 11:00", occurred="2026-04-13 10:00", outcome="upheld")
    assert story.clock("resolution").report == "unconfirmed"
    assert story.clock("explanation").status == "running"
    by = {"role": PRINCIPAL}
    story.tell("confirm_report", "2026-04-14 12:00", clock="resolution#1", agrees=True, by=by)
    assert story.clock("explanation").status == "ended"
