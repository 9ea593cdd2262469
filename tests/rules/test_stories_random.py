"""Random stories through the core: whatever people do in whatever order, the invariants hold after every step."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.commands import BETWEEN, COMMANDS, Command
from rules.complaint import Complaint, fold
from rules.decide import decide, deliver, tick
from rules.judge import next_wake
from rules.law import InForce
from rules.ledger import Refused
from rules.notices import Outcome
from tests.support.story import SMALL, Story, at, law

BODIES: dict[str, list[dict[str, Any]]] = {
    "respond": [{}],
    "answer": [{}],
    "hand_over": [{"to": "handler.manager"}],
    "update_customer": [{}],
    "contact": [
        {"role": "principal.responsible_person", "outcome": "reached"},
        {"role": "complainant", "outcome": "tried"},
    ],
    "preliminary_plan": [{}],
    "findings": [{"cause": "Wear."}],
    "propose": [{}],
    "tell_result": [{}, {"to": "principal"}],
    "resolve": [{"outcome": "upheld"}],
    "accept": [{}],
    "reject": [{}],
    "withdraw": [{}],
    "take_back": [{}],
    "recuse": [{"person": person} for person in ("p.wang", "p.cy")],
    "link": [{"to": "R-7", "relation": "part_of"}],
    "merge": [{"into": "R-2"}, {"into": "R-1"}],
    "undo_merge": [{}],
    "absorb": [{}],
    "release": [{"complaint": reference} for reference in ("R-3", "R-4")],
    "customer_writes": [{}],
    "no_reply_needed": [{}],
    "reclassify": [
        {"level": level, "reason": reason, "approved_by": {"role": "handler.manager"}}
        for level in "123"
        for reason in ("new_facts", "misjudged", "first_assessment")
    ]
    + [{"kind": "complaint", "reason": "misjudged"}, {"kind": "enquiry", "reason": "misjudged"}],
    "assign": [{"person": "p.wang"}],
    "explain": [{"reason": "Late parts."}, {"plan": "Friday."}, {"reason": "Late parts.", "plan": "Friday."}],
    "acknowledge": [{"by": {"role": role}} for role in ("handler.owner", "handler.manager", "handler.director")]
    + [{"by": {"role": "handler.manager"}, "follow": "passed", "to": "handler.director"}],
    "confirm_report": [
        {"clock": clock, "agrees": agrees, "by": {"role": "principal.responsible_person"}}
        for clock in ("first_response#1", "handover#1", "message_reply#1", "resolution#1")
        for agrees in (True, False)
    ],
    "correct": [{"by": {"role": "handler.owner", "person": "p.ann"}}],
    "approve_correction": [
        {"by": {"role": "handler.manager", "person": person}} for person in ("p.bob", "p.ann", "p.cy")
    ],
    "request": [{"of": role} for role in ("principal.responsible_person", "third_party", "complainant")],
    "answer_request": [{}],
    "waive": [
        {"clock": clock, "evidence": [{"id": "letter", "sha256": "0" * 64}]}
        for clock in ("first_response#1", "handover#1")
    ],
    "contest_request": [{"by": {"role": role}} for role in ("principal.responsible_person", "third_party")],
    "note": [{}],
    "close": [{}, {"agreement": False}, {"unreachable": True}],
}

ALL = COMMANDS | BETWEEN

LATE_REPORTS: tuple[dict[str, str], ...] = ({"confirmed by": "principal.responsible_person", "within": "1 day"}, {})

STEPS = st.tuples(
    st.sampled_from(
        [
            *sorted(BODIES),
            *("correct", "approve_correction", "respond", "request", "answer_request") * 3,
            *("answer", "accept", "reject", "customer_writes", "withdraw", "take_back", "absorb", "release") * 2,
        ]
    ),
    st.integers(0, 10),
    st.integers(1, 60 * 24 * 6),
    st.integers(0, 600),
    st.booleans(),
)
"""Command, which of its bodies, minutes since the last step, minutes it happened before it was told, served timers."""


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    opening=st.sampled_from(
        [{}, {"level": "2"}, {"kind": "complaint", "level": "3"}, {"kind": "complaint", "category": "product"}]
    ),
    late=st.integers(0, 60 * 24 * 3),
    steps=st.lists(STEPS, max_size=25),
)
def test_the_invariants_hold_after_every_step(
    opening: dict[str, Any], late: int, steps: list[tuple[str, int, int, int, bool]]
) -> None:
    """Invariants 2, 5, 11, 12, 16 and 18 over random commands, delays, outages and late reports."""
    story = Story(patient(len(steps))).open(
        "2026-03-02 10:00", recorded=_text(at("2026-03-02 10:00") + timedelta(minutes=late)), **opening
    )
    now = story.case.recorded_at
    _hold(story, now)
    for name, which, minutes, before, served in steps:
        now += timedelta(minutes=minutes)
        if served:
            while (wake := next_wake(story.case, story.law)) is not None and wake.at <= now:
                story.note(tick(story.case, story.law, wake.at))
                _hold(story, wake.at)
        _tell(story, name, which, now, now - timedelta(minutes=before))
        _hold(story, now)
        for notice in [n.key for n in story.case.notices if not n.accepted and n.undeliverable_at is None][:1]:
            outcome = Outcome(notice=notice, accepted=bool(which % 3), at=now)
            story.note(deliver(story.case, story.law, outcome, now))
            _hold(story, now)


def patient(which: int) -> InForce:
    """The small contract with late reports to be confirmed or not, and clocks that stand still for others or not."""
    parties = (["principal", "third_party", "complainant"], ["principal"], [])[which % 3]
    pausing = {name: promise | {"pauses for": parties} for name, promise in SMALL["obligations"].items()}
    after = (
        {"customer writes": "reopen", "within": "20 days"},
        {"customer writes": "attach", "take back": "5 days"},
        {},
    )
    return law(
        **{
            "late reports": LATE_REPORTS[which % 2],
            "obligations": pausing,
            "confirmation": SMALL["confirmation"] | {"unreachable": {"attempts": 2}},
            "after closure": after[which % 3],
        }
    )


def command(case: Complaint, name: str, which: int, now: datetime, occurred_at: datetime) -> Command:
    """One of the bodies of a command; a correction takes an entry that stands on record, its time what is given."""
    kind = ALL[name]
    fields = kind.model_fields
    text = {"text": "Words."} if "text" in fields and fields["text"].is_required() else {}
    body = {"occurred_at": occurred_at, **text, **BODIES[name][which % len(BODIES[name])]}
    if name == "correct":
        facts = [1, *(act.seq for act in case.acts), case.seq + 1]
        right = {"void": True} if which % 3 == 0 else {"happened_at": occurred_at}
        body |= {"entry": facts[which % len(facts)], "occurred_at": now, **right}
    elif name == "absorb":
        done = {"names": ["respond"], "at": occurred_at - timedelta(minutes=which), "recorded_at": now}
        body |= {"complaint": f"R-{3 + which % 2}", "received_at": occurred_at - timedelta(hours=which), "done": [done]}
        body |= {"unanswered": occurred_at - timedelta(minutes=3 * which)} if which % 3 else {}
    elif name == "request":
        body |= {"due": occurred_at + timedelta(minutes=1 + 40 * which)}
    elif name in ("answer_request", "contest_request"):
        body |= {"request": case.requests[which % len(case.requests)].seq if case.requests else 1}
    elif name == "approve_correction":
        body |= {"entry": case.corrections[-1].seq if case.corrections else 1, "occurred_at": now}
    return kind.model_validate(body)


def _tell(story: Story, name: str, which: int, now: datetime, occurred_at: datetime) -> None:
    told = command(story.case, name, which, now, occurred_at)
    before = story.case
    try:
        story.note(decide(before, story.law, told, now, f"{len(story.entries)}", "cli"))
    except Refused:
        story.note(tick(before, story.law, now))
        return
    again = decide(story.case, story.law, told, now, list(story.case.keys)[-1], "cli")
    assert again.entries == [], "the same command under its key does nothing again"


def _hold(story: Story, now: datetime) -> None:
    case, entries = story.case, story.entries
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert fold(entries) == case
    assert tick(case, story.law, now).entries == [], "what was due is on record"
    wake = next_wake(case, story.law)
    assert wake is None or wake.at > now
    keys = story.notices()
    assert len(keys) == len(set(keys)), "no notice twice"
    about = [(entry.type, entry.data["clock"]) for entry in entries if entry.type in ("clock_missed", "miss_refuted")]
    missed = [clock for kind, clock in about if kind == "clock_missed"]
    for clock_id in missed:
        told = [kind for kind, clock in about if clock == clock_id]
        assert ("clock_missed", "clock_missed") not in pairwise(told), "a miss is recorded once until it is refuted"
    for clock in case.clocks:
        assert (clock.missed is not None) == (clock.id in missed), "a recorded miss stays"
        if clock.status == "met":
            assert clock.done_at is not None
            assert clock.done_at <= clock.due_at
        if clock.report == "confirmed":
            assert clock.missed is not None
        if clock.status in ("met", "missed") and clock.done_at is not None:
            in_time = clock.status == "met" or clock.refuted_at is not None
            assert in_time == (clock.done_at <= clock.due_at), "what is on record follows from the facts"
        rungs = [e for e in entries if e.type == "rung_reached" and e.data["clock"] == clock.id]
        labels = [e.data["rung"] for e in rungs]
        assert len(labels) == len(set(labels)), "a rung is reached once"
    if case.closed:
        assert all(clock.status != "running" for clock in case.clocks)


def _text(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d %H:%M:%S")
