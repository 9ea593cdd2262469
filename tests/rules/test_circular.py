"""Which commands go to many, and what each complaint is told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from rules.circular import INSTEAD, TO_MANY, Circular, letter
from rules.commands import COMMANDS
from rules.ledger import Refused

LEAD = {"role": "handler.manager", "person": "wang"}
SENT = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


def circular(**fields: Any) -> Circular:
    return Circular.model_validate({"command": "note", "body": {"text": "x"}, "incident": "I-1", "by": LEAD} | fields)


def test_a_command_goes_to_many_or_says_why_not() -> None:
    """No command stands on both lists, and none on them that there is not; what is on neither goes to one complaint."""
    assert COMMANDS.keys() >= TO_MANY | INSTEAD.keys()
    assert TO_MANY.isdisjoint(INSTEAD)
    for name in COMMANDS.keys() - TO_MANY:
        with pytest.raises(Refused, match=f"{name} cannot go to many complaints: .+ Tell each complaint for itself"):
            letter(circular(command=name), "c", SENT)


def test_each_complaint_is_told_the_same_act_under_the_circulars_key() -> None:
    """Invariant 16: key, time and sender are those of the circular, whenever and however often it is sent."""
    told = letter(circular(), "c", SENT)
    assert (told.key, told.occurred_at, told.via) == ("circular/c", SENT, "client")
    assert told.by is not None
    assert told.by.person == "wang"
    assert letter(circular(), "c", SENT) == told


def test_an_act_of_somebody_else_is_reported_by_the_sender() -> None:
    """The body may say who did it and when; then the sender is the one who tells."""
    other = {"role": "handler.owner", "person": "li"}
    told = letter(circular(body={"text": "x", "by": other, "occurred_at": "2026-03-02T09:00:00+08:00"}), "c", SENT)
    assert told.by is not None
    assert told.reported_by is not None
    assert (told.by.person, told.reported_by.person) == ("li", "wang")
    assert told.occurred_at == datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def test_nobody_chooses_the_key_or_a_proved_identity() -> None:
    """What the body claims of them counts for nothing."""
    told = letter(circular(body={"text": "x", "key": "mine", "authenticated_as": "token:other"}), "c", SENT)
    assert (told.key, told.authenticated_as) == ("circular/c", None)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"command": "nonsense"}, "Unknown command"),
        ({"command": "replan"}, "name the contract and no incident"),
        ({"incident": None, "contract": "small"}, "name it as `incident`"),
        ({"body": {}}, "text"),
        ({"incident": None}, "name an incident"),
        ({"by": None}, "by"),
    ],
)
def test_what_cannot_be_sent_is_refused(fields: dict[str, Any], why: str) -> None:
    """Unknown commands, a re-plan of an incident, an act without one, bodies that do not fit: each in clear words."""
    with pytest.raises((Refused, ValidationError), match=why):
        letter(circular(**fields), "c", SENT)
