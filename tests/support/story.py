"""A complaint told as a story to the pure core: open, tell, let time pass, look."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rules.clock_record import Clock
from rules.commands import COMMANDS, OpenComplaint
from rules.complaint import Complaint
from rules.contract import Contract
from rules.decide import Decision, decide, deliver, open_complaint, tick
from rules.judge import next_wake
from rules.law import InForce, law_of
from rules.ledger import Entry
from rules.notices import Outcome

SHANGHAI = ZoneInfo("Asia/Shanghai")

TITLE = {"en": "x"}

SMALL: dict[str, Any] = {
    "contract": "small",
    "title": TITLE,
    "language": "en",
    "term": {"from": "2026-01-01", "to": "2028-12-31"},
    "parties": {
        "handler": {"name": "H", "address": "a"},
        "principal": {"name": "P", "address": "b"},
    },
    "roles": {
        name: {"title": TITLE}
        for name in (
            "handler.owner",
            "handler.team_lead",
            "handler.manager",
            "handler.director",
            "principal.responsible_person",
        )
    },
    "channels": {"phone": {"title": TITLE}},
    "categories": {"product": {"title": TITLE, "default level": "2"}, "service": {"title": TITLE}},
    "levels": {"1": {"title": TITLE}, "2": {"title": TITLE}, "3": {"title": TITLE}},
    "calendar": {"zone": "Asia/Shanghai", "hours": {"mon-fri": ["09:00-18:00"]}},
    "stages": [
        {
            "applies to": {"kinds": ["complaint"]},
            "stages": ["received", "classified", "investigating", "proposed", "resolved", "confirming", "closed"],
        },
        {"stages": ["received", "answered", "closed"]},
    ],
    "owner": "handler.owner",
    "notices": {"propose": "principal.responsible_person", "explain": "principal.responsible_person"},
    "confirmation": {"silence": "7 working days", "reopenings": 1},
    "scripts": {"forbidden": ["unconditional refund"]},
    "obligations": {
        "first_response": {
            "clause": "E 2.1.1",
            "title": {"en": "First response"},
            "starts": "receipt",
            "due": {"in hours": "15 minutes", "outside": "09:30 on the next working day"},
            "met by": {"any of": ["respond", "answer", "update_customer"]},
            "ladder": [
                {"at": "50%", "tell": "handler.owner"},
                {"at": "80%", "tell": ["handler.owner", "handler.team_lead"]},
                {"at": "due", "tell": "handler.manager"},
                {"after": "30 minutes", "tell": "handler.director", "unless": "acknowledged"},
                {"after": "2 hours", "tell": "handler.director"},
            ],
        },
        "message_reply": {
            "clause": "E 2.1.1",
            "title": {"en": "Reply"},
            "starts": "customer message",
            "due": {"in hours": "15 minutes", "outside": "09:30 on the next working day"},
            "met by": {"any of": ["respond", "answer"]},
            "ladder": [{"at": "due", "tell": "handler.manager"}],
        },
        "handover": {
            "clause": "E 2.1.3",
            "title": {"en": "Handover"},
            "applies to": {"levels": ["2"]},
            "starts": "receipt",
            "due": "2 working hours",
            "met by": {"all of": ["hand_over", "update_customer"]},
            "ladder": [{"at": "50%", "tell": "handler.owner"}, {"at": "due", "tell": "handler.manager"}],
        },
        "closed_loop": {
            "clause": "E 2.1.3",
            "title": {"en": "Closed loop"},
            "applies to": {"levels": ["3"]},
            "starts": "level reached",
            "due": "24 hours",
            "met by": {"all of": ["tell_result.customer", "tell_result.principal"]},
            "urgent": True,
            "ladder": [{"at": "0%", "tell": "handler.manager"}, {"at": "due", "tell": "handler.director"}],
        },
        "proposal": {
            "clause": "B 8.1.2",
            "title": {"en": "Proposal"},
            "applies to": {"kinds": ["complaint"]},
            "starts": "receipt",
            "due": "15 working days",
            "met by": {"all of": ["propose", "notice of propose"]},
            "ladder": [{"at": "due", "tell": "handler.manager"}],
        },
        "resolution": {
            "clause": "B 8.1.3",
            "title": {"en": "Resolution"},
            "applies to": {"kinds": ["complaint"]},
            "starts": "receipt",
            "due": "30 working days",
            "met by": "resolve",
            "ladder": [{"at": "due", "tell": "handler.manager"}],
        },
        "explanation": {
            "clause": "B 8.2.1",
            "title": {"en": "Explanation"},
            "starts": {"miss of": "resolution"},
            "due": "3 working days",
            "met by": {"all of": ["explain.reason", "explain.plan", "notice of explain"]},
            "ladder": [{"at": "due", "tell": "handler.manager"}],
        },
    },
}
"""A contract small enough to know by heart: service hours 09:00–18:00, Monday to Friday, no holidays."""


def law(**changes: Any) -> InForce:
    """The small contract in force, with some of its parts replaced."""
    snapshot = Contract.model_validate(SMALL | changes).model_dump(mode="json", by_alias=True, exclude_none=True)
    return law_of(snapshot)


def at(text: str) -> datetime:
    """`2026-03-02 10:00` on the wall in Shanghai. 2 March 2026 is a Monday."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


class Story:
    """One complaint and everything that was recorded of it."""

    def __init__(self, in_force: InForce | None = None) -> None:
        self.law = in_force or law()
        self.case: Complaint
        self.entries: list[Entry] = []
        self.texts: dict[int, dict[str, str]] = {}
        self.opened: list[OpenComplaint] = []
        """Complaints that follow this one."""

    def open(self, received: str, recorded: str = "", now: str = "", **fields: Any) -> Story:
        """Opened and looked at in the moment of receipt, unless said otherwise."""
        start = OpenComplaint.model_validate(
            {
                "contract": self.law.contract.contract,
                "reference": "R-1",
                "kind": "enquiry",
                "channel": "phone",
                "received_at": at(received),
                "content": "It does not work.",
                **fields,
            }
        )
        heard = at(recorded or received)
        self.note(open_complaint(start, self.law, heard, at(now) if now else heard))
        return self

    def tell(self, command: str, when: str, occurred: str = "", key: str | None = None, **fields: Any) -> list[Entry]:
        """A command as it reaches us at `when`."""
        cls = COMMANDS[command]
        needed = {name for name, info in cls.model_fields.items() if info.is_required()}
        body: dict[str, Any] = {"text": "Words."} if "text" in needed and "text" not in fields else {}
        if occurred:
            body["occurred_at"] = at(occurred)
        decision = decide(self.case, self.law, cls.model_validate(body | fields), at(when), key, "cli")
        return self.note(decision)

    def wait(self, until: str) -> list[Entry]:
        """Nobody looks before `until`, as after an outage: then the judge catches up at once."""
        return self.note(tick(self.case, self.law, at(until)))

    def live(self, until: str) -> list[Entry]:
        """Time passes and every timer is served on the instant."""
        seen: list[Entry] = []
        while (wake := next_wake(self.case, self.law)) is not None and wake.at <= at(until):
            seen += self.note(tick(self.case, self.law, wake.at))
        return seen + self.wait(until)

    def outcome(self, notice: str, when: str, *, accepted: bool = True) -> list[Entry]:
        """The mail server's word about a notice."""
        told = Outcome(notice=notice, accepted=accepted, at=at(when), reason="said the server")
        return self.note(deliver(self.case, self.law, told, at(when)))

    def note(self, decision: Decision) -> list[Entry]:
        self.case = decision.case
        self.entries += decision.entries
        self.texts |= decision.texts
        self.opened += [decision.opens] if decision.opens else []
        return decision.entries

    def clock(self, name: str) -> Clock:
        return self.case.clock(name if "#" in name else f"{name}#1")

    def notices(self) -> list[str]:
        """Every notice planned, as `clock@rung/role` or `command#entry/role`."""
        prefix = f"{self.case.id}/"
        return [notice.key.removeprefix(prefix) for entry in self.entries for notice in entry.notices]


def types(entries: list[Entry]) -> list[str]:
    """The types of some entries, in order."""
    return [entry.type for entry in entries]
