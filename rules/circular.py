"""One command for many complaints: which commands may go to many, and what each complaint is told.

Each complaint judges the command for itself, as if it alone had been told.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from pydantic import model_validator

from rules.commands import COMMANDS, Command, Replan, Via
from rules.commands.base import Authenticated
from rules.ledger import Refused
from rules.values import Actor, Code, Name, Reference, Text, Value

TO_MANY = frozenset(
    {
        *("respond", "answer", "hand_over", "update_customer", "contact", "preliminary_plan", "findings", "propose"),
        *("tell_result", "resolve", "explain", "request", "reclassify", "assign", "no_reply_needed", "note", "close"),
        "replan",
    }
)
"""Commands that say the same of many complaints. A new command is told to one complaint until it is listed here."""

INSTEAD = {
    "acknowledge": "a notice is answered by whoever got it; use the link in the mail",
    "give_up": "each notice and each refused signal is given up by itself",
    "waive": "a promise is waived in writing, complaint by complaint",
    "correct": "it names an entry, and the numbers mean something else in every complaint",
    "approve_correction": "it names an entry, and the numbers mean something else in every complaint",
    "answer_request": "it names an entry, and the numbers mean something else in every complaint",
    "contest_request": "it names an entry, and the numbers mean something else in every complaint",
    "demand": "a demand follows the misses of one complaint",
    "answer_demand": "it names an entry, and the numbers mean something else in every complaint",
    "answer_survey": "each customer speaks for one complaint",
    "confirm_report": "each late report has a proof of its own",
    "accept": "each customer speaks for one complaint",
    "reject": "each customer speaks for one complaint",
    "withdraw": "each customer speaks for one complaint",
    "take_back": "each customer speaks for one complaint",
    "customer_writes": "each customer speaks for one complaint",
}
"""Why a command is told to one complaint only."""


class Circular(Value):
    """One command for every open complaint of an incident, or for every one under a contract that is counted by other
    days than are known now: the argument of the workflow `Circular`, whose id is `circular/<id>`."""

    command: Code
    """One of `rules.circular.TO_MANY`; for a contract without an incident `replan`."""
    body: dict[str, Any] = {}
    """The command's fields. `key` and `occurred_at` are filled in when they are left out."""
    incident: Reference | None = None
    contract: Name | None = None
    by: Actor
    """Who sends it; who did what it reports, unless the body says otherwise."""
    why: Text | None = None
    via: Via = "client"
    authenticated_as: Authenticated | None = None
    """Whose identity was proved: filled by the front door and by nobody else."""

    @model_validator(mode="after")
    def _addressed(self) -> Self:
        if self.incident is None and self.contract is None:
            raise ValueError("name an incident, or a contract whose calendar changed")
        return self


def command_of(circular: Circular) -> type[Command]:
    """The command that is sent. Raises Refused for one that makes no sense for many."""
    if circular.command not in COMMANDS:
        raise Refused(f"Unknown command {circular.command!r}; to many go {', '.join(sorted(TO_MANY))}.")
    if circular.command not in TO_MANY:
        why = INSTEAD.get(circular.command, "it concerns one complaint")
        raise Refused(f"{circular.command} cannot go to many complaints: {why}. Tell each complaint for itself.")
    if (circular.command == Replan.name) != (circular.incident is None):
        raise Refused(
            "A re-plan goes to every open complaint of a contract: name the contract and no incident."
            if circular.incident
            else f"{circular.command} goes to the complaints of an incident; name it as `incident`."
        )
    return COMMANDS[circular.command]


def letter(circular: Circular, id_: str, sent_at: datetime) -> Command:
    """What each complaint is told: the same act at the same time, under the circular's own key (invariant 16).

    Raises Refused, and ValidationError for a body that does not fit.
    """
    kind = command_of(circular)
    filled: dict[str, Any] = {"by": circular.by}
    if "by" in circular.body:
        filled["reported_by"] = circular.by
    if kind is not Replan:
        filled["occurred_at"] = sent_at
    # What the sender cannot say: the key that makes it count once, and how it came here.
    own = {"key": f"circular/{id_}", "via": circular.via, "authenticated_as": circular.authenticated_as}
    return kind.model_validate(filled | circular.body | own)
