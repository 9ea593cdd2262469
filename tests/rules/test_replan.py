"""A calendar year becomes known while a complaint is open: its clocks are counted anew, once, on record."""

from __future__ import annotations

from typing import Any

import pytest

from rules.complaint import Complaint
from rules.decide import tick
from rules.divergence import go_on
from rules.fold import fold
from rules.judge import next_wake
from rules.law import in_force
from rules.ledger import Entry, Refused
from tests.rules.test_provisional import CALENDAR, received
from tests.support.story import SMALL, Story, at, law, types

ANN = {"role": "handler.owner", "person": "p.ann"}
BOB = {"role": "principal.responsible_person", "person": "p.bob"}
NEW_YEAR = [{"name": {"en": "New Year's Day", "zh-CN": "元旦"}, "off": ["2027-01-01"]}]
LONG_NEW_YEAR = [{"name": "New Year", "off": ["2027-01-01", "2027-01-04", "2027-01-05"], "work": ["2027-01-09"]}]
WORKED = ["2027-01-02", "2027-01-03", "2027-01-09", "2027-01-10"]
SHORTER = [{"name": "New Year", "off": ["2027-01-01"], "work": WORKED}]
"""Four days of the weekend worked in return: dues come earlier."""


def replan(story: Story, when: str, year: list[dict[str, Any]] = NEW_YEAR, **more: Any) -> list[Entry]:
    told = story.tell("replan", when, years={"2027": year}, **{"by": ANN, **more})
    assert fold(story.entries) == story.case, "the ledger alone is enough"
    assert tick(story.case, story.law, at(when)).entries == [], "once is enough"
    return told


def planned(entries: list[Entry]) -> dict[str, dict[str, Any]]:
    """The re-plans, by clock; each clock has one at most."""
    found = [entry for entry in entries if entry.type == "clock_replanned"]
    assert len(found) == len({entry.data["clock"] for entry in found})
    return {entry.data["clock"]: entry.data for entry in found}


def notices(entries: list[Entry]) -> dict[str, list[str]]:
    """Whom these entries tell, by what they tell of."""
    return {f"{e.type} {e.data.get('rung', '')}".strip(): [n.role for n in e.notices] for e in entries if e.notices}


def test_a_provisional_due_becomes_final_and_moves_by_the_holiday() -> None:
    """Invariant 9: due 12 January without holidays, 13 January with New Year's Day; old and new due are on record."""
    story = received("2026-12-01 10:00")
    assert story.clock("resolution").due_at == at("2027-01-12 18:00")
    moved = planned(replan(story, "2026-12-02 10:00"))
    assert set(moved) == {"resolution#1"}, "proposal and first response end in 2026"
    data = moved["resolution#1"]
    assert data["was_due_at"] == at("2027-01-12 18:00").isoformat()
    assert data["due_at"] == at("2027-01-13 18:00").isoformat()
    assert data["why"] == "the calendar of 2027 was published"
    clock = story.clock("resolution")
    assert (clock.due_at, clock.provisional, clock.status) == (at("2027-01-13 18:00"), False, "running")
    assert "New Year's Day" in str(data["explanation"])


def test_the_ledger_keeps_who_why_and_the_days() -> None:
    """Invariant 8: the entry names the person, refers to the reason as a text, and holds the year whole."""
    (entry, *_) = replan(received("2026-12-01 10:00"), "2026-12-02 10:00", text="Notice of the State Council.")
    assert (entry.type, entry.by.person) == ("replanned", "p.ann")
    assert entry.data["years"] == {"2027": NEW_YEAR}
    assert [ref.field for ref in entry.content] == ["text"]
    assert "State Council" not in entry.model_dump_json()


def test_what_does_not_move_is_told_to_nobody() -> None:
    """A due that moves within the future tells nobody and fires nothing."""
    story = received("2026-12-01 10:00")
    story.live("2026-12-02 10:00")
    assert notices(replan(story, "2026-12-02 10:00")) == {}


def test_a_due_that_stays_only_becomes_final() -> None:
    """A holiday after the due changes no instant; the due is final all the same."""
    story = received("2026-12-01 10:00")
    later = [{"name": "Spring Festival", "off": ["2027-02-05"]}]
    data = planned(replan(story, "2026-12-02 10:00", later))["resolution#1"]
    assert data["was_due_at"] == data["due_at"] == at("2027-01-12 18:00").isoformat()
    assert not story.clock("resolution").provisional


def test_clocks_in_known_years_are_left_alone() -> None:
    """A complaint whose every clock ends in 2026 keeps the days for later and re-plans nothing."""
    story = received("2026-09-01 10:00")
    story.live("2026-09-02 10:00")
    assert types(replan(story, "2026-09-02 10:00")) == ["replanned"]


def test_a_met_clock_stays_as_it_was_judged() -> None:
    """What was done in time is not judged again, provisional or not."""
    story = resolved("2026-12-10 10:00", "2027-01-05 10:00")
    before = story.clock("resolution")
    assert (before.status, before.provisional) == ("met", True)
    replan(story, "2027-01-05 11:00", SHORTER)
    assert story.clock("resolution") == before


def test_an_ended_clock_stays_ended() -> None:
    """A waived promise is over, whatever the calendar says."""
    story = received("2026-12-01 10:00")
    story.tell("waive", "2026-12-02 10:00", clock="resolution#1", by=BOB, evidence=PROOF)
    before = story.clock("resolution")
    assert types(replan(story, "2027-02-01 10:00")).count("clock_replanned") == 0
    assert story.clock("resolution") == before


def test_a_miss_before_the_due_now_known_is_lifted_and_tells_those_who_were_told() -> None:
    """Missed on 12 January, due by the calendar on 14 January: on the 13th it runs again and the manager hears so."""
    story = received("2026-12-01 10:00")
    story.live("2027-01-13 10:00")
    assert story.clock("resolution").status == "missed"
    told = replan(story, "2027-01-13 10:00", LONG_NEW_YEAR)
    assert types(told) == ["replanned", "clock_replanned", "miss_refuted", "clock_ended"]
    clock = story.clock("resolution")
    assert (clock.status, clock.due_at, clock.provisional) == ("running", at("2027-01-14 18:00"), False)
    assert clock.missed is not None, "the miss stays on record"
    assert notices(told) == {"miss_refuted": ["handler.manager"]}
    assert (story.clock("explanation").status, told[-1].data["reason"]) == ("ended", "superseded")


def test_a_lifted_miss_can_be_missed_again_and_is_told_again() -> None:
    """The ladder's steps from the due on stand ready once more: nobody is left with the news that all is well."""
    story = received("2026-12-01 10:00")
    story.live("2027-01-13 10:00")
    replan(story, "2027-01-13 10:00", LONG_NEW_YEAR)
    later = story.live("2027-01-15 10:00")
    assert types(later) == ["clock_missed", "clock_started", "rung_reached"]
    assert notices(later) == {"rung_reached due": ["handler.manager"]}
    assert len(story.notices()) == len(set(story.notices()))
    assert (story.clock("resolution").status, story.clock("explanation#2").status) == ("missed", "running")


def test_a_miss_that_appears_is_found_by_the_calendar_and_told_once() -> None:
    """Running to 12 January, due by the calendar on the 8th: on the 11th the miss is found, told by its due rung."""
    story = laddered().open("2026-12-01 10:00", kind="complaint")
    story.live("2027-01-11 10:00")
    assert story.clock("resolution").status == "running"
    told = replan(story, "2027-01-11 10:00", SHORTER)
    missed = next(entry for entry in told if entry.type == "clock_missed" and entry.data["clock"] == "resolution#1")
    assert (missed.data["found_by"], missed.occurred_at) == ("calendar", story.clock("resolution").due_at)
    assert "provisional" not in missed.data
    rungs = [entry for entry in told if entry.type == "rung_reached" and entry.data["clock"] == "resolution#1"]
    assert [entry.data["rung"] for entry in rungs] == ["95%", "due", "+10 minutes"], "every rung is on record, in order"
    assert {entry.data["passed"] for entry in rungs} == {"before its calendar was known"}
    due = next(entry for entry in rungs if entry.data["rung"] == "due")
    assert [n.role for n in due.notices] == [
        "handler.owner",
        "handler.team_lead",
        "handler.manager",
        "handler.director",
    ]
    assert [entry.data["rung"] for entry in rungs if entry.notices] == ["due"], "each role hears of it once"


def test_a_miss_that_would_be_on_record_anyway_was_not_found_by_the_calendar() -> None:
    """After an outage the re-plan brings a first response's miss to light that no holiday made."""
    story = received("2026-12-01 10:00")
    told = replan(story, "2026-12-01 12:00")
    missed = next(entry for entry in told if entry.type == "clock_missed")
    assert (missed.data["obligation"], "found_by" in missed.data) == ("first_response", False)
    assert [e.data["rung"] for e in told if e.type == "rung_reached" and e.notices][:2] == ["50%", "80%"]


def test_warnings_that_lie_in_the_past_now_are_told_once_by_the_last_of_them() -> None:
    """The due comes nearer but lies ahead: of the warnings it overtakes one tells, in the place of all."""
    story = laddered([60, 92, 93]).open("2026-12-01 10:00", kind="complaint")
    story.live("2027-01-08 09:30")
    reached = [rung.label for rung in story.clock("resolution").rungs if rung.reached]
    assert reached == ["60%"]
    nearer = [{"name": "x", "off": ["2027-01-01"], "work": ["2027-01-02", "2027-01-03"]}]
    told = replan(story, "2027-01-08 09:30", nearer)
    warned = {e.data["rung"]: [n.role for n in e.notices] for e in told if e.type == "rung_reached"}
    assert warned == {"92%": [], "93%": ["handler.owner", "handler.team_lead"]}
    assert story.clock("resolution").status == "running"


def test_a_provisional_miss_becomes_final_when_it_stays_a_miss() -> None:
    """Missed by either calendar: its due moves, the miss stays and is final, nobody is told anything."""
    story = received("2026-12-01 10:00")
    story.live("2027-02-01 10:00")
    told = replan(story, "2027-02-01 10:00")
    assert types(told) == ["replanned", "clock_replanned", "clock_replanned"]
    clock = story.clock("resolution")
    assert (clock.status, clock.provisional, clock.due_at) == ("missed", False, at("2027-01-13 18:00"))
    assert planned(told)["explanation#1"]["why"] == "its start moved"
    assert notices(told) == {}


def test_a_miss_that_was_done_late_falls_away_when_it_was_in_time_after_all() -> None:
    """Done on the 13th, due on the 12th by what was known and on the 14th by what is: refuted, and they are told."""
    story = resolved("2026-12-01 10:00", "2027-01-13 10:00")
    story.live("2027-01-20 10:00")
    assert (story.clock("resolution").status, story.clock("explanation").status) == ("missed", "missed")
    told = replan(story, "2027-01-20 10:00", LONG_NEW_YEAR)
    kinds = ["replanned", "clock_unmet", "miss_refuted", "miss_refuted", "clock_ended"]
    assert [kind for kind in types(told) if kind != "clock_replanned"] == kinds
    clock = story.clock("resolution")
    assert (clock.report, clock.done_at, clock.cleared_at) == (
        "confirmed",
        at("2027-01-13 10:00"),
        at("2027-01-20 10:00"),
    )
    assert (story.clock("explanation").status, story.clock("explanation").report) == ("ended", "confirmed")
    assert [n.role for entry in told for n in entry.notices] == ["handler.manager", "handler.manager"]


def test_nobody_has_to_confirm_what_was_known_in_time() -> None:
    """No late report: the act was on record before the due that holds, so the contract's confirmation is not asked."""
    reports = {"confirmed by": "principal.responsible_person"}
    story = resolved("2026-12-01 10:00", "2027-01-13 10:00", **{"late reports": reports})
    replan(story, "2027-01-20 10:00", LONG_NEW_YEAR)
    assert story.clock("resolution").report == "confirmed"


def test_a_late_act_is_later_by_a_due_that_came_earlier() -> None:
    """Done late by either calendar: how late follows the due that holds."""
    story = resolved("2026-12-01 10:00", "2027-01-13 10:00")
    late = next(e.data["late_seconds"] for e in story.entries if e.type == "clock_done" and "resol" in e.data["clock"])
    data = planned(replan(story, "2027-01-20 10:00", SHORTER))["resolution#1"]
    assert data["late_seconds"] == late + 86400 * 3
    assert story.clock("resolution").status == "missed"


def test_waits_stay_what_they_were() -> None:
    """A clock that stood still for the principal keeps the wait; what it cost is counted in the calendar now known."""
    story = pausing().open("2026-12-01 10:00", kind="complaint")
    (asked, *_) = story.tell("request", "2026-12-28 10:00", of=BOB["role"], due=at("2026-12-29 18:00"))
    story.tell("answer_request", "2027-01-05 18:00", request=asked.seq, by=BOB)
    before = story.clock("resolution")
    assert before.due_at == at("2027-01-19 18:00"), "five days of waiting without a holiday"
    replan(story, "2027-01-06 10:00")
    after = story.clock("resolution")
    assert after.waits == before.waits
    assert after.due_at == at("2027-01-19 18:00"), "New Year's Day was a working day neither for us nor for them"


def test_a_clock_that_stands_still_goes_on_standing() -> None:
    """While the principal is waited for a re-plan wakes nothing and repeats no pause."""
    story = pausing().open("2026-12-01 10:00", kind="complaint")
    (asked, *_) = story.tell("request", "2026-12-28 10:00", of=BOB["role"], due=at("2026-12-29 18:00"))
    story.live("2027-01-20 10:00")
    since = story.clock("resolution").paused_at
    assert since == at("2026-12-29 18:00")
    assert "clock_paused" not in types(replan(story, "2027-01-20 10:00"))
    assert (story.clock("resolution").paused_at, story.clock("resolution").status) == (since, "running")
    story.tell("answer_request", "2027-01-20 18:00", request=asked.seq, by=BOB)
    assert story.clock("resolution").due_at == at("2027-02-03 18:00")


def test_a_corrected_receipt_afterwards_is_counted_in_the_calendar_now_known() -> None:
    """Received a day later than said: due on the 14th, not on the 13th, and never back to a provisional day."""
    story = received("2026-12-01 10:00")
    replan(story, "2026-12-02 10:00")
    (asked, *_) = story.tell("correct", "2026-12-03 10:00", entry=1, happened_at=at("2026-12-02 09:00"), by=ANN)
    story.tell("approve_correction", "2026-12-03 10:01", entry=asked.seq, by=BOB)
    clock = story.clock("resolution")
    assert (clock.due_at, clock.provisional) == (at("2027-01-14 18:00"), False)
    assert fold(story.entries) == story.case


def test_a_met_clock_whose_act_is_taken_back_is_counted_in_the_calendar_now_known() -> None:
    """Met before the re-plan and so left alone; once it runs again it follows the days that hold."""
    story = resolved("2026-12-10 10:00", "2027-01-05 10:00")
    assert story.clock("resolution").due_at == at("2027-01-21 18:00")
    replan(story, "2027-01-06 10:00")
    done = next(entry.seq for entry in story.entries if entry.type == "resolved")
    (asked, *_) = story.tell("correct", "2027-01-07 10:00", entry=done, void=True, by=ANN)
    told = story.tell("approve_correction", "2027-01-07 10:01", entry=asked.seq, by=BOB)
    assert types(told) == ["correction_approved", "clock_unmet", "clock_replanned"]
    assert (story.clock("resolution").status, story.clock("resolution").due_at) == ("running", at("2027-01-22 18:00"))


def test_a_clock_that_starts_later_starts_in_the_calendar_now_known() -> None:
    """What begins after the re-plan is final from the start, and says by which re-plan."""
    story = received("2026-12-01 10:00")
    (entry, *_) = replan(story, "2026-12-02 10:00")
    story.live("2027-01-14 10:00")
    started = next(e for e in story.entries if e.type == "clock_started" and e.data["obligation"] == "explanation")
    assert (started.data["provisional"], started.data["calendar"]) == (False, entry.seq)


def test_the_same_days_twice_change_nothing() -> None:
    """The same command under its key gets its old answer; under another key it is refused, for nothing differs."""
    story = received("2026-12-01 10:00")
    replan(story, "2026-12-02 10:00", key="k")
    before = story.case
    replan(story, "2026-12-02 10:00", key="k")
    assert story.case == before
    renamed = [{"name": "元旦", "off": ["2027-01-01"]}]
    for year in (NEW_YEAR, renamed):
        with pytest.raises(Refused, match="Nothing differs"):
            replan(story, "2026-12-03 10:00", year)
    assert story.case == before


def test_a_year_that_changes_is_re_planned_again() -> None:
    """The government changes days after it published them: a second re-plan, from the first one's due, says changed."""
    story = received("2026-12-01 10:00")
    replan(story, "2026-12-02 10:00")
    data = planned(replan(story, "2026-12-20 10:00", LONG_NEW_YEAR))["resolution#1"]
    assert (data["was_due_at"], data["due_at"]) == (
        at("2027-01-13 18:00").isoformat(),
        at("2027-01-14 18:00").isoformat(),
    )
    assert data["why"] == "the calendar of 2027 was changed"


def test_days_of_this_year_may_change_under_a_running_clock() -> None:
    """Two more days off in December 2026 move clocks of known years too; only the year that differs is kept."""
    story = received("2026-12-01 10:00")
    holidays = [*CALENDAR["published"]["2026"], {"name": "Mourning", "off": ["2026-12-14", "2026-12-15"]}]  # type: ignore[index]
    (entry, *rest) = story.tell("replan", "2026-12-02 10:00", years={"2026": holidays}, by=ANN)
    assert list(entry.data["years"]) == ["2026"]
    moved = planned(rest)
    assert {name: moved[name]["due_at"] for name in moved} == {
        "proposal#1": at("2026-12-24 18:00").isoformat(),
        "resolution#1": at("2027-01-14 18:00").isoformat(),
    }
    assert story.clock("resolution").provisional, "2027 is as unknown as before"


def test_years_before_the_receipt_are_nothing_to_a_complaint() -> None:
    """A command for many may carry more years than one complaint can use."""
    story = received("2026-12-01 10:00")
    old = [{"name": "x", "off": ["2025-01-01"]}]
    (entry, *_) = story.tell("replan", "2026-12-02 10:00", years={"2025": old, "2027": NEW_YEAR}, by=ANN)
    assert list(entry.data["years"]) == ["2027"]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"by": {"role": "handler.owner"}}, "signed"),
        ({"by": {"role": "third_party", "person": "x"}}, "may not replan"),
        ({"years": {"2027": []}}, "leave 2027 out"),
        ({"years": {"2027": [{"name": "x", "off": ["2028-01-01"]}]}}, "lies in 2028, not in 2027"),
        ({"years": {"2027": [{"name": "x", "off": ["2027-01-01"], "work": ["2027-01-01"]}]}}, "both off and worked"),
        ({"years": {"2027": [{"name": "x", "off": ["2027-01-01", "2027-01-01"]}]}}, "twice"),
        ({"years": {"2027": [{"name": "", "off": ["2027-01-01"]}]}}, "1 to 100 characters"),
        ({"years": {"2027": [{"name": "x"}]}}, "gives no day"),
        ({"years": {}}, "at least 1"),
        ({"years": {"1492": NEW_YEAR}}, "greater than or equal to 1900"),
        ({"text": " "}, "at least 1 character"),
    ],
)
def test_what_is_no_calendar_year_is_refused(fields: dict[str, Any], why: str) -> None:
    """Nameless people, other parties, days of other years, days both off and worked: each has its own answer."""
    story = received("2026-12-01 10:00")
    before = story.case
    with pytest.raises((Refused, ValueError), match=why):
        story.tell("replan", "2026-12-02 10:00", **{"by": ANN, "years": {"2027": NEW_YEAR}, **fields})
    assert story.case == before


def test_a_calendar_without_public_holidays_cannot_be_re_planned() -> None:
    """Where the contract names no country a year says nothing."""
    with pytest.raises(Refused, match="no public holidays"):
        replan(Story().open("2026-12-01 10:00"), "2026-12-01 10:05")


def test_the_law_in_force_follows_from_snapshot_and_case() -> None:
    """Replay, the next run and a revival derive the same law, shared by complaints with the same days."""
    one, two = received("2026-12-01 10:00"), received("2026-12-02 10:00")
    for story in (one, two):
        replan(story, "2026-12-03 10:00")
    carried = Complaint.model_validate_json(one.case.model_dump_json())
    assert carried == one.case
    assert in_force(one.law, carried).contract.calendar.knows(2027)
    assert not one.law.contract.calendar.knows(2027), "the pinned contract stays what it was"
    assert next_wake(carried, one.law) == next_wake(one.case, one.law)
    assert in_force(one.law, one.case) is in_force(one.law, carried) is in_force(in_force(one.law, carried), carried)


def test_a_re_plan_that_was_not_recorded_yet_is_taken_into_another_ledger() -> None:
    """After a reset the ledger holds a note in its place: the re-plan moves behind it, and its clocks with it."""
    story = received("2026-12-01 10:00")
    story.live("2026-12-02 10:00")
    stored = list(story.entries)
    pending = replan(story, "2026-12-02 10:00", key="k")
    other = received("2026-12-01 10:00")
    other.live("2026-12-02 10:00")
    stored += other.tell("note", "2026-12-02 10:00")
    decision = go_on(stored, pending, {}, story.law, at("2026-12-02 11:00"))
    case = fold([*stored, *decision.entries])
    assert case == decision.case
    assert case.clock("resolution#1").due_at == at("2027-01-13 18:00")
    assert case.calendars[0].seq == stored[-1].seq + 1


def test_an_old_case_brought_in_tells_nobody() -> None:
    """A case for the record is re-planned like any other, in silence."""
    story = received("2026-12-01 10:00")
    quiet = Story(story.law).open("2026-12-01 10:00", kind="complaint", history=True)
    quiet.live("2027-01-13 10:00")
    told = replan(quiet, "2027-01-13 10:00", LONG_NEW_YEAR)
    assert "miss_refuted" in types(told)
    assert notices(told) == {}


PROOF = [{"id": "letter-1", "sha256": "0" * 64}]


def resolved(when: str, until: str, **changes: Any) -> Story:
    """A complaint handled to its resolution."""
    story = Story(law(calendar=CALENDAR, **changes)).open(when, kind="complaint")
    story.tell("respond", when[:-1] + "5")
    story.live(until)
    story.tell("findings", until, cause="Wear.")
    story.tell("propose", until)
    story.tell("resolve", until, outcome="upheld")
    return story


def laddered(shares: list[int] | None = None) -> Story:
    """A resolution with a ladder of several steps and roles, to be opened."""
    roles = (
        ["handler.owner", "handler.owner", "handler.team_lead"] if shares else ["handler.owner", "handler.team_lead"]
    )
    steps = [{"at": f"{n}%", "tell": role} for n, role in zip(shares or [50, 95], roles, strict=True)]
    late = [{"at": "due", "tell": "handler.manager"}, {"after": "10 minutes", "tell": "handler.director"}]
    promise = SMALL["obligations"]["resolution"] | {"ladder": steps + late}
    return Story(law(calendar=CALENDAR, obligations={"resolution": promise}))


def pausing() -> Story:
    """A resolution that stands still for the principal, to be opened."""
    promise = SMALL["obligations"]["resolution"] | {"pauses for": ["principal"]}
    return Story(law(calendar=CALENDAR, obligations={"resolution": promise}))
