"""Five lives of a complaint, from the quietest to the longest, for counting costs and for recording histories."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

MANAGERS = ("handler.owner", "handler.team_lead", "handler.manager", "handler.director")


@dataclass(frozen=True)
class Step:
    """A command, `wait` after the step before."""

    command: str
    body: dict[str, Any] = field(default_factory=dict)
    wait: timedelta = timedelta()


@dataclass(frozen=True)
class Life:
    """A complaint under the maintenance contract and what people do about it."""

    title: str
    opening: dict[str, Any]
    steps: tuple[Step, ...]


def _said(command: str, **body: Any) -> Step:
    return Step(command, {"text": "Words of a person.", **body})


_INVESTIGATED = (_said("findings", cause="A worn seal."), _said("propose"), Step("resolve", {"outcome": "upheld"}))
_TOLD = (_said("tell_result"), _said("tell_result", to="principal"))

LIVES = {
    "quiet": Life(
        "level 1, quiet",
        {"kind": "enquiry", "level": "1", "category": "usage"},
        (_said("respond"), _said("answer"), Step("accept")),
    ),
    "level_2": Life(
        "level 2",
        {"kind": "enquiry", "level": "2", "category": "logistics"},
        (
            _said("respond"),
            _said("hand_over", to="principal.department.logistics"),
            _said("update_customer"),
            _said("answer"),
            Step("accept"),
        ),
    ),
    "level_3": Life(
        "level 3, in time",
        {"kind": "complaint", "level": "3", "category": "product_quality"},
        (
            Step("contact", {"role": "principal.responsible_person", "outcome": "reached"}),
            _said("respond"),
            _said("preliminary_plan"),
            *_INVESTIGATED,
            *_TOLD,
            Step("accept"),
        ),
    ),
    "missed": Life(
        "level 3, every rung missed, acknowledged late",
        {"kind": "complaint", "level": "3", "category": "product_quality"},
        (
            *(
                Step(
                    "acknowledge",
                    {"by": {"role": role}},
                    wait=timedelta(days=80) if role == MANAGERS[0] else timedelta(),
                )
                for role in MANAGERS
            ),
            _said("respond"),
            Step("explain", {"reason": "Parts were late.", "plan": "They come on Friday."}),
            *_INVESTIGATED,
            *_TOLD,
            Step("accept"),
        ),
    ),
    "long": Life(
        "long, with a rejection and a reopening",
        {"kind": "complaint", "level": "1", "category": "product_quality"},
        (
            _said("respond"),
            _said("answer"),
            _said("customer_writes", channel="phone"),
            _said("respond"),
            _said("reclassify", level="2", reason="misjudged"),
            _said("hand_over", to="principal.department.quality"),
            _said("update_customer"),
            *_INVESTIGATED,
            *_TOLD,
            _said("reject"),
            _said("findings", cause="A second seal."),
            _said("propose"),
            Step("resolve", {"outcome": "partly"}),
            *_TOLD,
            Step("accept"),
        ),
    ),
}
