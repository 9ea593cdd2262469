"""The contracts of the stories: what SMALL promises, in seconds and around the clock, in four shapes; and their people.

Each contract has people of its own, one of whom no mail server takes a mail for. All but one get another shape in the
middle of a run, for complaints received from then on (rule 126).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rules.commands import OpenComplaint
from rules.contract import Contract
from rules.directory import Directory, Member
from rules.law import InForce, law_of
from tests.support.random_stories import LATE_REPORTS, SURVEY
from tests.support.story import SMALL, TITLE

NAMES = ("storm-a", "storm-b", "storm-c", "storm-d")

SWEPT = NAMES[3]
"""The contract whose calendar changes all the time. No story of two complaints is under it, and no second version."""

OUTAGE = "OUTAGE-1"
"""The incident that some complaints of that contract report. Circulars about it go to them alone."""

GONE = "handler.gone"
"""The role of whoever cannot be reached by mail."""

ZONE = "Asia/Shanghai"

TOLD_BY_TWO = ("handler.owner", "handler.manager", "handler.director")
"""Roles with a second holder, who is told where the first may have nothing to do with a complaint."""

ROLES = {**SMALL["roles"], GONE: {"title": TITLE}}

VISIT = "visit"
_VISIT = {
    "clause": "E 2.1.4",
    "title": {"en": "Visit"},
    "applies to": {"levels": ["3"]},
    "starts": "level reached",
    "due": "6 seconds",
    "met by": "contact.reached:handler.team_lead",
    "ladder": [
        {"at": "due", "tell": GONE},
        {"after": "9 seconds", "tell": "handler.director", "unless": "acknowledged"},
        {"after": "13 seconds", "tell": "handler.manager"},
    ],
}
"""What no story ever does. Its miss is told to whom no mail reaches, so its ladder goes on at once."""

ANALYSIS = {
    "clause": "B 8.1.4",
    "title": {"en": "Analysis"},
    "starts": "receipt",
    "due": "3 working hours",
    "met by": "findings",
    "ladder": [{"at": "50%", "tell": "handler.owner"}, {"at": "due", "tell": "handler.manager"}],
}
"""What a re-plan by the calendar moves: it is due only when the storm is long over."""

_KNOWN = {str(year): [{"name": "New Year", "off": [f"{year}-01-01"]}] for year in range(2026, 2046)}
"""The holidays that each contract is published with."""

_WAITS: tuple[list[str], ...] = (["principal", "third_party", "complainant"], ["principal"], [], ["third_party"])
_AFTER: tuple[dict[str, str], ...] = (
    {"customer writes": "reopen", "within": "20 days"},
    {"customer writes": "attach", "take back": "5 days"},
)


def _promises(which: int) -> dict[str, Any]:
    """The obligations of one shape: dues of seconds, ladders that are over in less than a minute."""
    own = {
        "first_response": {
            "due": f"{8 + 2 * which} seconds",
            "ladder": [
                {"at": "50%", "tell": "handler.owner"},
                {"at": "due", "tell": "handler.manager"},
                {"after": "4 seconds", "tell": "handler.director", "unless": "acknowledged"},
                {"after": "9 seconds", "tell": ["handler.director", "handler.team_lead"]},
            ],
        },
        "message_reply": {"due": "7 seconds", "ladder": [{"at": "due", "tell": "handler.manager"}]},
        "handover": {
            "due": f"{14 - which} seconds",
            "ladder": [{"at": "50%", "tell": "handler.owner"}, {"at": "due", "tell": "handler.manager"}],
        },
        "closed_loop": {
            "due": "12 seconds",
            "ladder": [
                {"at": "0%", "tell": "handler.manager"},
                {"at": "due", "tell": "handler.director"},
                {"after": "6 seconds", "tell": "handler.director", "unless": "acknowledged"},
                {"after": "10 seconds", "tell": "handler.manager"},
            ],
        },
        "proposal": {"due": "2 hours"},
        "resolution": {
            "due": f"{18 + which} seconds",
            "ladder": [{"at": "80%", "tell": "handler.owner"}, {"at": "due", "tell": "handler.manager"}],
        },
        "explanation": {"due": "2 hours"},
    }
    pauses = {"pauses for": _WAITS[which]}
    promises = {name: promise | own[name] | pauses for name, promise in SMALL["obligations"].items()}
    return promises | {VISIT: _VISIT, "analysis": ANALYSIS | pauses}


def contract(which: int, shape: int | None = None) -> Contract:
    """One of the contracts, in its own shape or in that of another."""
    name, which = NAMES[which], which if shape is None else shape % len(NAMES)
    return Contract.model_validate(
        SMALL
        | {
            "contract": name,
            "term": {"from": "2020-01-01"},
            "roles": ROLES,
            "calendar": {"zone": ZONE, "hours": {"mon-sun": ["00:00-24:00"]}, "statutory": "CN", "published": _KNOWN},
            "late reports": LATE_REPORTS[which % 2],
            "confirmation": SMALL["confirmation"] | {"silence": "30 days", "unreachable": {"attempts": 2}},
            "after closure": _AFTER[which % 2],
            "obligations": _promises(which),
            "survey": SURVEY | {"dissatisfied": ("reopen", "escalate")[which % 2]},
        }
    )


@dataclass(frozen=True)
class Laws:
    """What complaints are judged by, by contract: what was published first, and what is in force from a moment on."""

    first: dict[str, InForce]
    second: dict[str, InForce]
    anew: datetime

    def of(self, start: OpenComplaint) -> InForce:
        """What a complaint is pinned to at its receipt."""
        there = self.first if start.received_at < self.anew else self.first | self.second
        return there[start.contract]


def anew() -> list[Contract]:
    """The second versions."""
    return [contract(which, which + 1) for which, name in enumerate(NAMES) if name != SWEPT]


NEVER = datetime.max.replace(tzinfo=UTC)


def laws(since: datetime = NEVER) -> Laws:
    """All of them; the second versions are in force from then on."""
    first = [contract(which) for which in range(len(NAMES))]
    return Laws({one.contract: _law(one) for one in first}, {one.contract: _law(one) for one in anew()}, since)


def _law(of: Contract) -> InForce:
    return law_of(of.model_dump(mode="json", by_alias=True, exclude_defaults=True))


def people() -> Directory:
    """Everybody behind the roles of all contracts."""
    roles = {name: {role: [person(name, role)] for role in ROLES} for name in NAMES}
    for name in NAMES:
        for role in TOLD_BY_TWO:
            roles[name][role].append(person(name, "handler.second"))
    everybody = dict.fromkeys(who for of in roles.values() for held in of.values() for who in held)
    return Directory(
        people={
            who: Member(name=who, email=f"{who}@example.com", language=("en", "zh-CN")[n % 2], zone="UTC")
            for n, who in enumerate(everybody)
        },
        roles={name: {role: tuple(held) for role, held in of.items()} for name, of in roles.items()},
    )


def person(name: str, role: str) -> str:
    """Who holds a role of a contract."""
    return f"{name}.{role.rpartition('.')[2]}"


def unreachable(address: str) -> bool:
    """Whether the mail server knows no such recipient."""
    return address.partition("@")[0].endswith(f".{GONE.rpartition('.')[2]}")
