"""Random stories: what people may do to a complaint, in whatever order, with whatever delay."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from rules.commands import BETWEEN, COMMANDS, Command
from rules.complaint import Complaint
from rules.law import InForce
from tests.support.story import SMALL, TITLE, law

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
    "replan": [
        {"by": {"role": "handler.owner", "person": "p.ann"}, "years": {year: [{"name": "x", **days}]}}
        for year, days in (
            ("2026", {"off": ["2026-03-03", "2026-03-04", "2026-03-05", "2026-03-18"]}),
            ("2026", {"work": ["2026-03-07", "2026-03-08", "2026-03-14", "2026-03-15"]}),
            ("2026", {"off": ["2026-03-03"], "work": ["2026-03-21", "2026-04-04"]}),
            ("2027", {"off": ["2027-01-01"]}),
        )
    ],
    "demand": [{"wants": "detail"}, {"wants": "remedy", "clock": "first_response#1"}],
    "answer_demand": [{}],
    "answer_survey": [{"answers": {"result": option}} for option in ("good", "bad")],
    "give_up": [{"refused": 1}]
    + [{"notices": [f"small/R-1/first_response#1@{rung}"]} for rung in ("due/handler.manager", "50%/handler.owner")],
    "note": [{}],
    "close": [{}, {"agreement": False}, {"unreachable": True}],
}

ALL = COMMANDS | BETWEEN

SURVEY: dict[str, Any] = {
    "open for": "10 working days",
    "tell": "handler.director",
    "questions": {
        "result": {
            "about": "service",
            "kind": "choice",
            "title": TITLE,
            "options": {
                "good": {"title": TITLE, "score": 5},
                "bad": {"title": TITLE, "score": 1, "dissatisfied": True},
            },
        }
    },
}

LATE_REPORTS: tuple[dict[str, str], ...] = ({"confirmed by": "principal.responsible_person", "within": "1 day"}, {})

Step = tuple[str, int, int, int, bool]
"""Command, which of its bodies, minutes since the last step, minutes it happened before it was told, served timers."""


def _step(names: st.SearchStrategy[str], wait: int) -> st.SearchStrategy[Step]:
    return st.tuples(names, st.integers(0, 10), st.integers(1, wait), st.integers(0, 600), st.booleans())


CHAPTERS = (
    ("answer", "accept", "customer_writes", "respond"),
    ("answer", "accept", "note", "reject"),
    ("withdraw", "take_back"),
    ("findings", "propose", "resolve", "tell_result", "accept", "customer_writes"),
    ("findings", "propose", "resolve", "tell_result", "reject", "resolve", "tell_result"),
    ("correct", "approve_correction"),
    ("replan", "note", "replan"),
    ("replan", "correct", "approve_correction"),
    ("merge", "undo_merge"),
    ("absorb", "respond", "release"),
    ("request", "answer_request"),
    ("request", "contest_request"),
    ("demand", "answer_demand"),
    ("answer", "answer_survey", "respond", "answer", "answer_survey"),
    ("answer", "accept", "answer_survey", "respond"),
    ("customer_writes", "respond", "no_reply_needed"),
)
"""What random commands would seldom come to by themselves."""

_WORD = _step(st.sampled_from(sorted(BODIES)), 60 * 24 * 6).map(lambda step: [step])
_CHAPTER = st.sampled_from(CHAPTERS).flatmap(
    lambda names: st.tuples(*(_step(st.just(name), 60 * 24) for name in names))
)

STEPS: st.SearchStrategy[list[Step]] = st.lists(st.one_of(_WORD, _CHAPTER), max_size=10).map(
    lambda parts: [step for part in parts for step in part]
)
"""The steps of one story."""

OPENINGS: tuple[dict[str, Any], ...] = (
    {},
    {"level": "2"},
    {"kind": "complaint", "level": "3"},
    {"kind": "complaint", "category": "product"},
)


def patient(which: int) -> InForce:
    """The small contract with late reports to be confirmed or not, and clocks that stand still for others or not."""
    parties = (["principal", "third_party", "complainant"], ["principal"], [])[which % 3]
    pausing = {name: promise | {"pauses for": parties} for name, promise in SMALL["obligations"].items()}
    after: tuple[dict[str, str], ...] = (
        {"customer writes": "reopen", "within": "20 days"},
        {"customer writes": "attach", "take back": "5 days"},
        {},
    )
    known = {"2026": [{"name": "x", "off": ["2026-03-09", "2026-04-06"]}]}
    return law(
        **{
            "calendar": SMALL["calendar"] | {"statutory": "CN", "published": known},
            "late reports": LATE_REPORTS[which % 2],
            "obligations": pausing,
            "confirmation": SMALL["confirmation"] | {"unreachable": {"attempts": 2}},
            "after closure": after[which % 3],
            "survey": SURVEY | {"dissatisfied": ("reopen", "escalate")[which % 2]},
        }
    )


def command(case: Complaint, name: str, which: int, now: datetime, occurred_at: datetime) -> Command:
    """One of the bodies of a command as that command."""
    return ALL[name].model_validate(body(case, name, which, now, occurred_at))


def body(case: Complaint, name: str, which: int, now: datetime, occurred_at: datetime) -> dict[str, Any]:
    """One of the bodies of a command; a correction takes an entry that stands on record, its time what is given."""
    fields = ALL[name].model_fields
    text = {"text": "Words."} if "text" in fields and fields["text"].is_required() else {}
    made: dict[str, Any] = {"occurred_at": occurred_at, **text, **BODIES[name][which % len(BODIES[name])]}
    if name == "correct":
        facts = [1, *(act.seq for act in case.acts), case.seq + 1]
        right = {"void": True} if which % 3 == 0 else {"happened_at": occurred_at}
        made |= {"entry": facts[which % len(facts)], "occurred_at": now, **right}
    elif name == "absorb":
        done = {"names": ["respond"], "at": occurred_at - timedelta(minutes=which), "recorded_at": now}
        made |= {"complaint": f"R-{3 + which % 2}", "received_at": occurred_at - timedelta(hours=which), "done": [done]}
        made |= {"unanswered": occurred_at - timedelta(minutes=3 * which)} if which % 3 else {}
    elif name == "request":
        made |= {"due": occurred_at + timedelta(minutes=1 + 40 * which)}
    elif name in ("answer_request", "contest_request"):
        made |= {"request": case.requests[which % len(case.requests)].seq if case.requests else 1}
    elif name == "answer_demand":
        made |= {"demand": case.demands[which % len(case.demands)].seq if case.demands else 1}
    elif name == "approve_correction":
        made |= {"entry": case.corrections[-1].seq if case.corrections else 1, "occurred_at": now}
    return made
