"""Who reads what, and in whose name: offices held now, and what a party may see."""

from datetime import UTC, datetime

import pytest

from rules.directory import Absence, Directory, Member
from rules.duty import offices
from rules.sight import Sight, sight

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def member(*absences: Absence, **more: object) -> Member:
    fields = {"name": "N", "email": "n@example.com", "language": "en", "zone": "UTC", "absences": absences}
    return Member.model_validate(fields | more)


@pytest.mark.parametrize(
    ("roles", "seen"),
    [
        (("handler.owner",), Sight(content=True, internal=True)),
        (("principal.responsible_person",), Sight(content=True, internal=False)),
        (("principal.supervisor", "handler.owner"), Sight(content=True, internal=True)),
        (("third_party.mediator",), Sight(content=False, internal=False)),
        (("complainant",), Sight(content=False, internal=False)),
        ((), Sight(content=False, internal=False)),
    ],
)
def test_what_a_party_sees(roles: tuple[str, ...], seen: Sight) -> None:
    """The handler everything, the principal nothing internal, anybody else no words."""
    assert sight(roles) == seen


def test_an_office_is_held_off_duty_too() -> None:
    """Whoever holds a role may read outside their hours; what a role is told is another matter."""
    directory = Directory(
        people={"ann": member(hours={"sat": ["09:00-10:00"]})}, roles={"*": {"handler.owner": ("ann",)}}
    )
    assert offices(directory, "c", ("handler.owner", "handler.manager"), "ann", NOW) == ("handler.owner",)


def test_a_deputy_holds_it_while_the_holder_is_away() -> None:
    """A deputy reads during the absence, through a chain of deputies too, and not after it."""
    march = {"from": "2026-03-01", "to": "2026-03-31"}
    people = {
        "ann": member(Absence.model_validate({**march, "deputy": "bo"})),
        "bo": member(Absence.model_validate({**march, "deputy": "cy"})),
        "cy": member(),
    }
    directory = Directory(people=people, roles={"c": {"handler.owner": ("ann",)}})
    held = {id_: offices(directory, "c", ("handler.owner",), id_, NOW) for id_ in people}
    assert held == {"ann": ("handler.owner",), "bo": (), "cy": ("handler.owner",)}
    april = datetime(2026, 4, 2, 12, tzinfo=UTC)
    assert offices(directory, "c", ("handler.owner",), "cy", april) == ()
    assert offices(directory, "other", ("handler.owner",), "ann", NOW) == ()
    assert offices(directory, "c", ("handler.owner",), "stranger", NOW) == ()
