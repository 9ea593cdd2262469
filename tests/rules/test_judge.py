"""What the core decides about clocks, ladders and notices, told as stories."""

from __future__ import annotations

from typing import Any

import pytest

from rules.commands import COMMANDS
from rules.fold import fold
from rules.judge import next_wake
from rules.ledger import Refused
from tests.support.story import SMALL, Story, at, law, types


def test_a_clock_starts_at_receipt_and_not_when_somebody_registers_it() -> None:
    """Invariant 3: received at 10:00 and registered at 10:10, the reply is due at 10:15."""
    story = Story().open("2026-03-02 10:00", recorded="2026-03-02 10:10")
    clock = story.clock("first_response")
    assert clock.started_at == at("2026-03-02 10:00")
    assert clock.due_at == at("2026-03-02 10:15")


def test_an_act_at_the_due_time_is_in_time() -> None:
    """Invariant 1: equal is in time."""
    story = Story().open("2026-03-02 10:00")
    story.tell("respond", "2026-03-02 10:15")
    assert story.clock("first_response").status == "met"


def test_an_act_after_the_due_time_leaves_a_miss_and_says_how_late() -> None:
    """Invariant 2: a late act never makes a miss a hit; it sets when it was done."""
    story = Story().open("2026-03-02 10:00")
    story.live("2026-03-02 10:20")
    story.tell("respond", "2026-03-02 10:20")
    clock = story.clock("first_response")
    assert (clock.status, clock.done_at) == ("missed", at("2026-03-02 10:20"))
    assert story.entries[-1].data["late_seconds"] == 300


def test_after_an_outage_a_timely_act_counts_by_when_it_happened() -> None:
    """Invariant 1: nobody looked until 10:40, yet the reply of 10:10 meets the clock due at 10:15."""
    story = Story().open("2026-03-02 10:00")
    told = story.tell("respond", "2026-03-02 10:40", occurred="2026-03-02 10:10")
    assert story.clock("first_response").status == "met"
    assert "clock_missed" not in types(told)


def test_a_miss_on_record_is_refuted_and_stays() -> None:
    """Invariant 2: the miss stays on record; a timely act reported later adds that it was refuted, with its lag."""
    story = Story().open("2026-03-02 10:00")
    story.live("2026-03-02 10:16")
    told = story.tell("respond", "2026-03-02 10:40", occurred="2026-03-02 10:10")
    clock = story.clock("first_response")
    assert (clock.status, clock.refuted_at) == ("missed", at("2026-03-02 10:40"))
    assert told[-1].type == "miss_refuted"
    assert told[-1].data["lag_seconds"] == 30 * 60
    assert "clock_missed" in types(story.entries)


def test_two_minutes_ahead_count_as_now_and_more_is_refused() -> None:
    """Invariant 1: a sender's clock may run ahead by two minutes; the time it gave is kept."""
    story = Story().open("2026-03-02 10:00")
    told = story.tell("respond", "2026-03-02 10:05", occurred="2026-03-02 10:07")
    assert told[0].occurred_at == at("2026-03-02 10:05")
    assert told[0].data["occurred_at_given"] == at("2026-03-02 10:07").isoformat()
    with pytest.raises(Refused, match="in the future"):
        story.tell("note", "2026-03-02 10:05", occurred="2026-03-02 10:08")


def test_an_act_before_receipt_is_refused() -> None:
    """An act cannot answer a complaint that was not there yet."""
    story = Story().open("2026-03-02 10:00")
    with pytest.raises(Refused, match="before the receipt"):
        story.tell("respond", "2026-03-02 10:05", occurred="2026-03-02 09:59")


def test_clocks_run_side_by_side() -> None:
    """Invariant 3: missing one clock neither stops nor starts another."""
    story = Story().open("2026-03-02 10:00", level="2", kind="complaint")
    assert {c.obligation for c in story.case.clocks} == {"first_response", "handover", "proposal", "resolution"}
    story.live("2026-03-02 12:00")
    assert story.clock("handover").status == "running"
    story.live("2026-03-02 12:01")
    assert story.clock("handover").status == "missed"


def test_all_of_is_met_by_its_last_part_and_shows_each() -> None:
    """Invariant 4: two acts with one limit; the second completes them."""
    story = Story().open("2026-03-02 10:00", level="2")
    story.tell("hand_over", "2026-03-02 10:30", to="handler.manager")
    assert story.clock("handover").status == "running"
    told = story.tell("update_customer", "2026-03-02 11:00")
    met = next(entry for entry in told if entry.type == "clock_met" and entry.data["obligation"] == "handover")
    assert set(met.data["parts"]) == {"hand_over", "update_customer"}
    assert met.occurred_at == at("2026-03-02 11:00")


def test_one_act_serves_several_clocks_and_none_by_implication() -> None:
    """Invariant 4: the customer's update is a first response and half of the handover, and no more."""
    story = Story().open("2026-03-02 10:00", level="2")
    told = story.tell("update_customer", "2026-03-02 10:05")
    assert [e.data["obligation"] for e in told if e.type == "clock_met"] == ["first_response"]


def test_the_principal_is_told_when_the_server_accepted_and_a_bounce_undoes_it() -> None:
    """Invariant 4: a part may be a notice; a later bounce takes it back."""
    story = Story().open("2026-03-02 10:00", kind="complaint")
    story.tell("findings", "2026-03-03 10:00", cause="Worn out.")
    story.tell("propose", "2026-03-04 10:00")
    assert story.clock("proposal").status == "running"
    notice = next(n.key for n in story.case.notices if n.of == "propose")
    story.outcome(notice, "2026-03-04 10:01")
    assert story.clock("proposal").status == "met"
    story.outcome(notice, "2026-03-04 10:02", accepted=False)
    assert story.clock("proposal").status == "running"


def test_closing_ends_what_still_runs_and_stops_its_ladder() -> None:
    """Invariant 5: ended clocks are neither met nor missed, and nobody is told of them any more."""
    story = Story().open("2026-03-02 10:00")
    story.tell("answer", "2026-03-02 10:05")
    story.tell("customer_writes", "2026-03-02 10:10")
    story.tell("accept", "2026-03-02 10:12")
    assert story.case.closed
    assert story.case.closed.reason == "accepted"
    assert story.clock("message_reply").status == "ended"
    before = story.notices()
    story.live("2026-04-02 10:00")
    assert story.notices() == before
    assert next_wake(story.case, story.law) is None


def test_every_missed_rung_fires_in_order_with_its_own_time_after_an_outage() -> None:
    """Invariant 11: five rungs passed while nobody looked; none is collapsed, none repeated."""
    story = Story().open("2026-03-02 10:00")
    told = [entry for entry in story.wait("2026-03-02 15:00") if entry.type == "rung_reached"]
    assert [(e.data["rung"], e.occurred_at) for e in told] == [
        ("50%", at("2026-03-02 10:07:30")),
        ("80%", at("2026-03-02 10:12")),
        ("due", at("2026-03-02 10:15")),
        ("+30 minutes", at("2026-03-02 10:45")),
        ("+2 hours", at("2026-03-02 12:15")),
    ]
    assert all(entry.recorded_at == at("2026-03-02 15:00") and entry.notices for entry in told)
    assert story.wait("2026-03-09 15:00") == []


def test_rungs_before_registration_are_recorded_as_passed_and_told_once() -> None:
    """Invariant 11: an oral complaint entered an hour late tells each role once, of all that passed."""
    story = Story().open("2026-03-02 10:00", recorded="2026-03-02 11:00")
    rungs = [entry for entry in story.entries if entry.type == "rung_reached"]
    assert [entry.data["rung"] for entry in rungs] == ["50%", "80%", "due", "+30 minutes"]
    assert all(entry.data["passed"] for entry in rungs)
    assert [notice.role for entry in rungs for notice in entry.notices] == [
        "handler.owner",
        "handler.team_lead",
        "handler.manager",
        "handler.director",
    ]
    assert not any(entry.notices for entry in rungs[:-1])


def test_what_is_told_at_once_is_told_as_usual() -> None:
    """Rule 23: registered seconds after receipt, the first step of a grave case is an alarm and not a thing passed."""
    story = Story().open("2026-03-02 10:00:00", recorded="2026-03-02 10:00:20", level="3")
    (alarm,) = [entry for entry in story.entries if entry.type == "rung_reached"]
    assert alarm.data["rung"] == "0%"
    assert "passed" not in alarm.data
    assert alarm.notices[0].urgent


def test_an_old_case_brought_in_for_the_record_tells_nobody() -> None:
    """A history import is silent, whatever was missed."""
    story = Story().open("2026-03-02 10:00", recorded="2026-06-02 10:00", history=True, kind="complaint")
    assert story.clock("first_response").status == "missed"
    assert story.notices() == []


def test_percentages_are_of_the_clocks_own_budget() -> None:
    """Invariant 14: half of “09:30 next working day” after a Friday evening is Monday 09:15."""
    story = Story().open("2026-02-27 20:00")
    half = story.clock("first_response").rungs[0]
    assert (half.label, half.at) == ("50%", at("2026-03-02 09:15"))


def test_an_acknowledged_warning_never_silences_the_miss() -> None:
    """Invariant 13: only an acknowledgement of the miss silences what follows the miss."""
    story = Story().open("2026-03-02 10:00")
    story.live("2026-03-02 10:13")
    story.tell("acknowledge", "2026-03-02 10:14", by={"role": "handler.owner"})
    story.live("2026-03-02 10:46")
    assert "first_response#1@+30 minutes/handler.director" in story.notices()


def test_an_acknowledged_miss_silences_the_next_step_but_not_the_last() -> None:
    """Invariant 13: a step `unless: acknowledged` keeps quiet on record; `unless: done` does not."""
    story = Story().open("2026-03-02 10:00")
    story.live("2026-03-02 10:16")
    story.tell("acknowledge", "2026-03-02 10:20", by={"role": "handler.manager"})
    told = story.live("2026-03-02 12:16")
    silenced = next(e for e in told if e.data.get("rung") == "+30 minutes")
    assert silenced.data["silenced_by"]
    assert silenced.notices == ()
    assert "first_response#1@+2 hours/handler.director" in story.notices()


def test_an_acknowledgement_given_after_a_rung_does_not_silence_it() -> None:
    """Invariants 1, 11: nobody looked from 10:40 to 10:50, when the manager answered; the rung of 10:45 comes late."""
    story = Story().open("2026-03-02 10:00")
    story.live("2026-03-02 10:40")
    told = story.tell("acknowledge", "2026-03-02 10:50", by={"role": "handler.manager"})
    late = next(e for e in told if e.data.get("rung") == "+30 minutes")
    assert "silenced_by" not in late.data
    assert (late.occurred_at, late.recorded_at) == (at("2026-03-02 10:45"), at("2026-03-02 10:50"))
    assert "first_response#1@+30 minutes/handler.director" in story.notices()


def test_an_acknowledgement_reported_late_silences_what_came_after_it() -> None:
    """Invariant 1: what counts is when the manager answered, not when it was heard."""
    story = Story().open("2026-03-02 10:00")
    story.live("2026-03-02 10:40")
    by = {"role": "handler.manager"}
    told = story.tell("acknowledge", "2026-03-02 10:50", by=by, occurred_at=at("2026-03-02 10:44"))
    assert next(e for e in told if e.data.get("rung") == "+30 minutes").data["silenced_by"]


def test_taking_over_again_puts_the_next_step_off_again() -> None:
    """Invariant 13: each time before the step is reached; once it was, it is told, whatever is taken over since."""
    story = Story().open("2026-03-02 10:00")
    story.live("2026-03-02 10:16")
    key = f"{story.case.id}/first_response#1@due/handler.manager"
    again: dict[str, Any] = {"by": {"role": "handler.manager"}, "follow": "taken_over", "notices": [key]}
    story.tell("acknowledge", "2026-03-02 10:20", **again, until=at("2026-03-02 11:30"))
    story.tell("acknowledge", "2026-03-02 11:20", **again, until=at("2026-03-02 12:00"))
    assert story.live("2026-03-02 11:40") == []
    told = story.tell("acknowledge", "2026-03-02 12:05", **again, until=at("2026-03-02 13:00"))
    late = next(e for e in told if e.data.get("rung") == "+30 minutes")
    assert late.occurred_at == at("2026-03-02 12:00")
    assert late.notices


def test_taken_over_until_puts_the_next_step_off() -> None:
    """Invariant 13: taken over until 11:30, the director hears of it at 11:30 if it is still not done."""
    story = Story().open("2026-03-02 10:00")
    story.live("2026-03-02 10:16")
    story.tell(
        "acknowledge",
        "2026-03-02 10:20",
        by={"role": "handler.manager"},
        follow="taken_over",
        until=at("2026-03-02 11:30"),
    )
    assert story.live("2026-03-02 11:29") == []
    told = story.live("2026-03-02 11:30")
    assert [e.data["rung"] for e in told] == ["+30 minutes"]
    assert told[0].notices


def test_passed_on_tells_the_next_role_at_once() -> None:
    """Invariant 13: an acknowledgement that passes the miss on plans a notice to the role it names."""
    story = Story().open("2026-03-02 10:00")
    story.live("2026-03-02 10:16")
    by = {"role": "handler.manager"}
    (told, *_) = story.tell("acknowledge", "2026-03-02 10:20", by=by, follow="passed", to="handler.director")
    assert [notice.role for notice in told.notices] == ["handler.director"]


def test_undeliverable_counts_as_unacknowledged_at_once() -> None:
    """Invariant 13: the manager cannot be reached at 10:16, so the director hears at 10:16 and not at 10:45."""
    story = Story().open("2026-03-02 10:00")
    story.live("2026-03-02 10:15:01")
    told = story.outcome(f"{story.case.id}/first_response#1@due/handler.manager", "2026-03-02 10:16", accepted=False)
    assert [e.data["rung"] for e in told if e.type == "rung_reached"] == ["+30 minutes"]


def test_only_the_role_that_was_told_can_acknowledge() -> None:
    """Invariant 13: an acknowledgement answers a notice, by its recipient."""
    story = Story().open("2026-03-02 10:00")
    story.live("2026-03-02 10:08")
    with pytest.raises(Refused, match=r"No open notice to handler.director"):
        story.tell("acknowledge", "2026-03-02 10:09", by={"role": "handler.director"})
    with pytest.raises(Refused, match=r"went to handler.owner"):
        story.tell(
            "acknowledge",
            "2026-03-02 10:09",
            by={"role": "handler.director"},
            notices=[f"{story.case.id}/first_response#1@50%/handler.owner"],
        )


def test_a_missed_resolution_starts_the_duty_to_explain() -> None:
    """Rule 45: reason, plan and telling the principal, from the due time of the resolution."""
    story = Story().open("2026-03-02 10:00", kind="complaint")
    story.live("2026-04-14 10:00")
    assert story.clock("resolution").status == "missed"
    explanation = story.clock("explanation")
    assert explanation.started_at == story.clock("resolution").due_at
    story.tell("explain", "2026-04-14 10:30", reason="Parts are late.", plan="They come on Friday.")
    assert story.clock("explanation").status == "running"
    story.outcome(next(n.key for n in story.case.notices if n.of == "explain"), "2026-04-14 10:31")
    assert story.clock("explanation").status == "met"


def test_nothing_missed_means_nothing_to_explain() -> None:
    """Rule 45: an explanation answers a miss; before one there are better commands."""
    story = Story().open("2026-03-02 10:00", kind="complaint")
    with pytest.raises(Refused, match="nothing to explain"):
        story.tell("explain", "2026-03-02 10:05", reason="Because.")


def test_one_reply_clock_runs_at_a_time_from_the_oldest_unanswered_message() -> None:
    """Rule 24: two messages, one clock; after the reply a third message starts the next."""
    story = Story().open("2026-03-02 10:00")
    story.tell("respond", "2026-03-02 10:01")
    story.tell("customer_writes", "2026-03-02 10:10")
    story.tell("customer_writes", "2026-03-02 10:12")
    assert story.clock("message_reply").started_at == at("2026-03-02 10:10")
    story.tell("respond", "2026-03-02 10:20")
    assert story.clock("message_reply").status == "met"
    story.tell("customer_writes", "2026-03-02 10:30")
    assert story.clock("message_reply#2").started_at == at("2026-03-02 10:30")
    story.tell("no_reply_needed", "2026-03-02 10:31")
    assert story.clock("message_reply#2").status == "ended"


def test_new_facts_start_a_levels_clocks_when_they_became_known() -> None:
    """DESIGN: raised because of new facts at 11:00, the 24 hours run from 11:00."""
    story = Story().open("2026-03-02 10:00", level="1")
    story.tell("reclassify", "2026-03-02 11:05", level="3", reason="new_facts", known_at=at("2026-03-02 11:00"))
    assert story.clock("closed_loop").due_at == at("2026-03-03 11:00")


def test_a_misjudged_level_starts_its_clocks_at_receipt() -> None:
    """DESIGN: it was grave from the beginning, so the 24 hours run from receipt."""
    story = Story().open("2026-03-02 10:00", level="1")
    story.tell("reclassify", "2026-03-02 11:05", level="3", reason="misjudged")
    assert story.clock("closed_loop").due_at == at("2026-03-03 10:00")


def test_lowering_a_level_needs_an_approver_and_ends_its_clocks() -> None:
    """DESIGN: lowering needs a reason and an approver; the higher level's clocks are superseded."""
    story = Story().open("2026-03-02 10:00", level="3")
    with pytest.raises(Refused, match="approved_by"):
        story.tell("reclassify", "2026-03-02 10:30", level="1", reason="misjudged")
    story.tell("reclassify", "2026-03-02 10:30", level="1", reason="misjudged", approved_by={"role": "handler.manager"})
    assert story.clock("closed_loop").status == "ended"


def test_a_missing_level_takes_the_categorys_default() -> None:
    """Rule 20: a product complaint is level 2 here unless somebody says otherwise."""
    assert Story().open("2026-03-02 10:00", category="product").case.now_is.level == "2"
    assert Story().open("2026-03-02 10:00", category="service").case.now_is.level is None


def test_silence_after_the_answer_closes_within_the_contracts_time() -> None:
    """DESIGN: silence after the result closes the case: seven working days here."""
    story = Story().open("2026-03-02 10:00")
    story.tell("answer", "2026-03-02 10:05")
    story.live("2026-03-12 10:00")
    assert story.case.closed
    assert (story.case.closed.reason, story.case.closed.at) == ("silence", at("2026-03-11 18:00"))


def test_a_rejection_reopens_as_often_as_the_contract_says() -> None:
    """DESIGN: after the last reopening only closing without agreement is left."""
    story = Story().open("2026-03-02 10:00")
    with pytest.raises(Refused, match="comes after answer"):
        story.tell("reject", "2026-03-02 10:01")
    story.tell("answer", "2026-03-02 10:05")
    with pytest.raises(Refused, match="may still reject"):
        story.tell("close", "2026-03-02 10:06", agreement=False)
    story.tell("reject", "2026-03-02 11:00")
    story.tell("answer", "2026-03-02 11:30")
    with pytest.raises(Refused, match="agreement: false"):
        story.tell("reject", "2026-03-02 12:00")
    story.tell("close", "2026-03-02 12:00", agreement=False)
    assert story.case.closed
    assert story.case.closed.reason == "without agreement"


def test_findings_come_before_a_proposal_and_a_proposal_before_the_resolution() -> None:
    """Rule 28: no decision without findings; the refusal says what is missing."""
    story = Story().open("2026-03-02 10:00", kind="complaint")
    with pytest.raises(Refused, match=r"propose comes after findings"):
        story.tell("propose", "2026-03-03 10:00")
    with pytest.raises(Refused, match="resolve comes after propose"):
        story.tell("resolve", "2026-03-03 10:00", outcome="upheld")


def test_the_same_command_twice_under_one_key_counts_once() -> None:
    """Invariant 16: a repetition changes nothing; another command under the key is refused."""
    story = Story().open("2026-03-02 10:00")
    first = story.tell("note", "2026-03-02 10:05", key="k")
    assert story.tell("note", "2026-03-02 10:06", key="k") == []
    assert story.case.keys["k"][1] == first[0].seq
    with pytest.raises(Refused, match="used for another command"):
        story.tell("note", "2026-03-02 10:07", key="k", text="Other words.")


def test_a_closed_complaint_takes_nothing_more() -> None:
    """An act after closure is refused, and the refusal says what to do instead."""
    story = Story().open("2026-03-02 10:00")
    story.tell("answer", "2026-03-02 10:05")
    story.tell("accept", "2026-03-02 10:06")
    with pytest.raises(Refused, match="follows"):
        story.tell("respond", "2026-03-02 10:07")
    story.tell("note", "2026-03-02 10:08")
    assert story.case.closed, "a note on the file of a closed case opens nothing"


def test_who_may_is_said_with_the_refusal() -> None:
    """docs/commands.md: the principal cannot answer for the handler; an unknown role is named."""
    story = Story().open("2026-03-02 10:00")
    with pytest.raises(Refused, match=r"principal.responsible_person may not respond; handler may"):
        story.tell("respond", "2026-03-02 10:01", by={"role": "principal.responsible_person"})
    with pytest.raises(Refused, match="Unknown role"):
        story.tell("respond", "2026-03-02 10:01", by={"role": "handler.boss"})


def test_who_is_complained_about_may_not_act() -> None:
    """Rule 37."""
    story = Story().open("2026-03-02 10:00", against="p.li")
    with pytest.raises(Refused, match="rule 37"):
        story.tell("respond", "2026-03-02 10:01", by={"role": "handler.owner", "person": "p.li"})


def test_odd_openings_are_taken_and_flagged() -> None:
    """Rules 12 and 127: an unlisted channel or a date outside the term is no reason to lose a complaint."""
    story = Story().open("2025-12-01 10:00", recorded="2025-12-01 10:00", channel="fax")
    assert story.entries[0].data["flags"] == [
        "channel not in the contract: fax",
        "received outside the contract's term",
    ]


def test_a_forbidden_promise_in_a_reported_text_is_flagged_never_refused() -> None:
    """Rule 92: what was said was said."""
    story = Story().open("2026-03-02 10:00")
    told = story.tell("respond", "2026-03-02 10:01", text="You get an unconditional refund.")
    assert told[0].data["flags"] == ["forbidden promise: unconditional refund"]


def test_no_word_of_anybody_stands_in_the_ledger() -> None:
    """Invariant 19: texts leave the core beside the ledger; entries hold a digest and a length."""
    story = Story().open("2026-03-02 10:00", content="My name is Zhang Wei.", remedy_sought="An apology to Zhang Wei")
    story.tell("respond", "2026-03-02 10:01", text="Dear Zhang Wei")
    assert all("Zhang" not in entry.model_dump_json() for entry in story.entries)
    assert story.texts[1]["content"] == "My name is Zhang Wei."


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_free_text_of_a_command_is_content(name: str) -> None:
    """Invariant 19: whatever text a command carries, required or not, its words stay out of the ledger."""
    free = {"text", "cause", "reason", "plan"} - ({"reason"} if name == "reclassify" else set())
    fields = free & COMMANDS[name].model_fields.keys()
    words: dict[str, Any] = dict.fromkeys(fields, "Zhang Wei")
    said = COMMANDS[name].model_construct(**words)
    assert said.texts() == dict.fromkeys(fields, "Zhang Wei")
    assert "Zhang" not in str(said.facts())


@pytest.mark.parametrize(
    ("field", "value"),
    [("kind", "complaint"), ("category", "price"), ("level", "9"), ("complainant", {"grade": "vip"})],
)
def test_what_the_contract_does_not_know_is_refused_by_name(field: str, value: Any) -> None:
    """Bad input: unknown kind, category, level or grade; the refusal lists what there is."""
    story = Story(law(kinds=["enquiry"], obligations={}))
    with pytest.raises(Refused, match=r"Unknown (kind|category|level|grade)"):
        story.open("2026-03-02 10:00", **{field: value})


def test_the_ledger_folds_to_the_state_it_came_from() -> None:
    """Invariant 18: nothing is known that the ledger does not hold."""
    story = Story().open("2026-03-02 10:00", level="2", kind="complaint")
    story.live("2026-03-02 14:00")
    story.tell("acknowledge", "2026-03-02 14:00", by={"role": "handler.manager"})
    story.tell("hand_over", "2026-03-02 14:01", to="handler.manager", key="k1")
    assert fold(story.entries) == story.case


def test_a_missed_clock_that_is_no_longer_asked_for_wakes_nobody() -> None:
    """Invariant 5: missed, then ended by another level: its ladder stops, and no timer waits for a step of it."""
    story = Story(law(obligations={**SMALL["obligations"], "handover": LONG_HANDOVER})).open(
        "2026-03-02 10:00", level="2"
    )
    story.tell("respond", "2026-03-02 10:01")
    story.live("2026-03-02 12:30")
    assert story.clock("handover").status == "missed"
    story.tell("reclassify", "2026-03-02 12:40", level="1", reason="misjudged", approved_by={"role": "handler.manager"})
    assert next_wake(story.case, story.law) is None
    assert story.live("2026-03-20 10:00") == []


LONG_HANDOVER = SMALL["obligations"]["handover"] | {
    "ladder": [{"at": "due", "tell": "handler.manager"}, {"after": "1 working day", "tell": "handler.director"}]
}
