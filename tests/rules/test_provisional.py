"""A due counted through a year nobody has published is called provisional, and every due explains itself."""

from __future__ import annotations

from rules import terms
from rules.ladders import ladder
from tests.support.story import Story, at, law, types
from workflows.details import markdown

HOLIDAYS = [{"name": "National Day", "off": [f"2026-10-0{n}" for n in range(1, 8)]}]
CALENDAR = {
    "zone": "Asia/Shanghai",
    "hours": {"mon-fri": ["09:00-18:00"]},
    "statutory": "CN",
    "published": {"2026": HOLIDAYS},
}
"""The holidays of 2026 are published, those of 2027 are not."""


def received(when: str) -> Story:
    """A complaint whose resolution is due 30 working days later."""
    return Story(law(calendar=CALENDAR)).open(when, kind="complaint")


def test_a_due_in_an_unpublished_year_is_provisional_and_so_is_its_miss() -> None:
    """Invariant 9: a due counted into 2027 says so on its clock and in its miss; one in 2026 does not."""
    story = received("2026-12-01 10:00")
    story.live("2027-02-01 10:00")
    assert story.clock("resolution").provisional
    assert not story.clock("first_response").provisional
    missed = {e.data["obligation"]: e.data.get("provisional", False) for e in story.entries if e.type == "clock_missed"}
    assert missed == {"first_response": False, "proposal": False, "resolution": True, "explanation": True}


def test_the_current_details_call_it_provisional() -> None:
    """Invariant 9: in the table that the Web UI shows, such a due is marked, and no other."""
    story = received("2026-12-01 10:00")
    rows = [line for line in markdown(story.law, story.case, False).splitlines() if line.startswith(("| E", "| B"))]
    assert [("provisional" in row) for row in rows] == [
        clock.provisional for clock in sorted(story.case.clocks, key=lambda clock: clock.due_at)
    ]
    assert any("provisional" in row for row in rows)


def test_every_clock_keeps_how_its_due_was_counted() -> None:
    """Invariant 10: each clock's entry has clause, start, rule, the days counted and the holidays skipped, by name."""
    story = received("2026-09-25 10:00")
    started = {e.data["obligation"]: e for e in story.entries if e.type == "clock_started"}
    assert set(types(story.entries)) == {"opened", "clock_started"}
    for name, entry in started.items():
        promise = story.law.contract.obligations[name]
        due = terms.due(promise.due, entry.occurred_at, story.law.calendar)
        assert entry.data["explanation"] == due.explanation.model_dump(mode="json", exclude_defaults=True)
        assert entry.data["clause"] == promise.clause
    said = terms.due(story.law.contract.obligations["proposal"].due, at("2026-09-25 10:00"), story.law.calendar)
    for fact in ("15 working days", "2026-09-25", "National Day", "2026-10-01"):
        assert fact in said.explanation.text("en")
    assert started["proposal"].data["explanation"]["skipped"]


def test_half_of_a_working_day_clock_is_half_of_its_working_days() -> None:
    """Invariant 14: half of 15 working days after a Friday before the holiday week is the middle of the eighth."""
    story = received("2026-09-25 10:00")
    promise = story.law.contract.obligations["proposal"]
    step = promise.ladder[0].model_copy(update={"at": "50%"})
    halved = promise.model_copy(update={"ladder": (step,)})
    ((_, half),) = ladder(halved, at("2026-09-25 10:00"), story.clock("proposal").due_at, story.law)
    assert half == at("2026-10-14 13:30")
