"""What others are told of a ledger: from the ledger alone, the same each time, and nothing personal."""

from __future__ import annotations

import json

from rules.events import EVENTS, OF, TELLS_ABOUT, Event, event_of
from rules.ledger import Entry
from tests.support.story import Story, at, law

NAME = "Ms-Wexford"


def events(story: Story) -> list[Event]:
    """All of a story."""
    before = [entry for entry in story.entries if entry.type in TELLS_ABOUT]
    return [event for entry in story.entries if (event := event_of(story.case.id, entry, before))]


def kinds(story: Story) -> list[str]:
    return [event.type for event in events(story)]


def test_every_kind_of_event_has_an_entry() -> None:
    """No type can be subscribed to that never comes."""
    assert set(OF.values()) == set(EVENTS)


def test_a_clock_in_time() -> None:
    """Opened, warned at half time, met; the due comes from the clock's start."""
    story = Story().open("2026-03-02 10:00")
    story.live("2026-03-02 10:08")
    story.tell("respond", "2026-03-02 10:10")
    opened, warned, met = events(story)
    assert [opened.type, warned.type, met.type] == ["complaint.opened", "clock.warned", "clock.met"]
    assert opened.data["kind"] == "enquiry"
    assert warned.data["rung"] == "50%"
    assert warned.data["due"] == met.data["due"] == at("2026-03-02 10:15").isoformat()
    assert met.at == at("2026-03-02 10:10")


def test_a_miss_found_late_says_how_late() -> None:
    """After an outage the miss happened at its due time and was recorded later by so many seconds."""
    story = Story().open("2026-03-02 10:00")
    story.wait("2026-03-02 11:15")
    missed = next(event for event in events(story) if event.type == "clock.missed")
    assert (missed.at, missed.data["late_seconds"]) == (at("2026-03-02 10:15"), 3600)


def test_a_late_report_refutes() -> None:
    """A timely act reported after the miss is an event of its own, with how it counts."""
    story = Story().open("2026-03-02 10:00")
    story.live("2026-03-02 10:20")
    story.tell("respond", "2026-03-02 10:30", occurred="2026-03-02 10:12")
    refuted = events(story)[-1]
    assert (refuted.type, refuted.data["report"], refuted.data["lag_seconds"]) == ("clock.refuted", "confirmed", 1080)


def test_a_moved_due_is_told_and_known_from_then_on() -> None:
    """Before the move events carry the old due, after it the new one, whenever they are asked for."""
    promise = {
        **law().contract.obligations["handover"].model_dump(by_alias=True, mode="json"),
        "pauses for": ["principal"],
    }
    story = Story(law(obligations={"handover": promise}))
    story.open("2026-03-02 10:00", kind="complaint", level="2")
    story.live("2026-03-02 11:05")
    story.tell("request", "2026-03-02 11:10", of="principal.responsible_person", due=at("2026-03-02 11:20"))
    story.live("2026-03-02 11:40")
    request = next(entry.seq for entry in story.entries if entry.type == "requested")
    who = {"role": "principal.responsible_person"}
    story.tell("answer_request", "2026-03-02 11:50", request=request, by=who)
    story.live("2026-03-02 13:00")
    found = {event.type: event for event in events(story) if event.data.get("clock") == "handover#1"}
    noon, later = at("2026-03-02 12:00").isoformat(), at("2026-03-02 12:30").isoformat()
    assert found["clock.warned"].data["due"] == noon
    assert (found["clock.replanned"].data["was_due_at"], found["clock.replanned"].data["due"]) == (noon, later)
    assert found["clock.missed"].data["due"] == later


def test_rungs_at_and_after_the_due_are_no_warnings() -> None:
    """The miss tells of them; only rungs before it warn."""
    story = Story().open("2026-03-02 10:00")
    story.live("2026-03-02 14:00")
    assert kinds(story).count("clock.warned") == 2
    assert kinds(story).count("clock.missed") == 1


def test_what_tells_nobody_is_marked() -> None:
    """A rung that was over before it could be told, and an old case, are quiet for people and marked for programs."""
    story = Story().open("2026-03-02 10:00", recorded="2026-03-02 10:14", now="2026-03-02 10:14")
    story.tell("respond", "2026-03-02 10:16", occurred="2026-03-02 10:05")
    warned = [event for event in events(story) if event.type == "clock.warned"]
    assert warned
    assert all(event.quiet and event.data["told_nobody"] for event in warned)
    old = Story().open("2026-03-02 10:00", recorded="2026-03-20 10:00", history=True)
    assert all(event.quiet and event.data["history"] for event in events(old))


def test_a_closed_case_says_why() -> None:
    """With the reason's code, and whether the customer agreed."""
    story = Story().open("2026-03-02 10:00")
    story.tell("withdraw", "2026-03-02 10:05", by={"role": "complainant"})
    closed = next(event for event in events(story) if event.type == "complaint.closed")
    assert closed.data | {"reason": "withdrawn", "agreement": True} == closed.data


def test_a_case_that_reopens_tells_so() -> None:
    """A withdrawal taken back reopens the case, and the clocks that it had ended run again."""
    story = Story().open("2026-03-02 10:00", kind="complaint", level="1")
    story.tell("withdraw", "2026-03-02 10:05", by={"role": "complainant"})
    story.tell("take_back", "2026-03-02 10:10", by={"role": "complainant"})
    ended = [event.data["clock"] for event in events(story) if event.type == "clock.ended"]
    resumed = [event.data["clock"] for event in events(story) if event.type == "clock.resumed"]
    assert ended
    assert sorted(resumed) == sorted(ended)
    assert "complaint.reopened" in kinds(story)


def test_an_id_is_of_the_entry_alone() -> None:
    """The same entry has the same id whenever it is asked for; another entry and another case have others."""
    one, again, other = Story().open("2026-03-02 10:00"), Story().open("2026-03-02 10:00"), Story()
    other.open("2026-03-02 10:00", reference="R-2")
    assert events(one) == events(again)
    ids = {event.id for story in (one, other) for event in events(story)}
    assert len(ids) == len(events(one)) + len(events(other))


def test_no_name_and_no_text_is_in_an_event() -> None:
    """Invariant 19: persons, the complainant's id and free text stay out of every event, whatever the story holds."""
    story = Story().open(
        "2026-03-02 10:00",
        kind="complaint",
        level="2",
        content=NAME,
        complainant={"id": NAME},
        against=f"{NAME}-2",
        by={"role": "handler.owner", "person": NAME},
    )
    story.live("2026-03-02 10:20")
    story.tell(
        "respond",
        "2026-03-02 10:30",
        occurred="2026-03-02 10:01",
        text=NAME,
        by={"role": "handler.owner", "person": NAME},
    )
    story.tell("assign", "2026-03-02 10:31", person=NAME)
    story.live("2026-03-05 10:20")
    story.tell("withdraw", "2026-03-05 10:30", text=NAME, by={"role": "complainant", "person": NAME})
    found = events(story)
    assert len({event.type for event in found}) > 5
    assert NAME not in json.dumps([event.model_dump(mode="json") for event in found])


def test_an_entry_of_another_version_never_fails() -> None:
    """Members that an entry does not have are left out."""
    story = Story().open("2026-03-02 10:00")
    for kind in OF:
        bare = Entry(
            seq=9,
            type=kind,
            by=story.entries[0].by,
            occurred_at=at("2026-03-02 10:00"),
            recorded_at=at("2026-03-02 10:00"),
        )
        event = event_of("small/R-1", bare, story.entries[:1])
        assert (event is None) == (kind == "rung_reached")
