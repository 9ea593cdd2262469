"""The service standard and the flow chart say what the contract says, in both languages, and nothing else."""

import re

import httpx
import pytest

from rules.contract import LANGUAGES, Language
from starter.filed import standard
from templates.flow import ORDER
from templates.promises import standard_of
from templates.words import wrapped
from tests.support.shelf import Shelf, maintenance


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_promise_stands_in_it_with_clause_and_due(language: Language) -> None:
    """Rule 85: each obligation with its title, its clause and its due time, in the language asked for."""
    contract = maintenance()
    shown = standard(contract, language)
    for promise in standard_of(contract, language).promises:
        assert promise.title in shown
        assert promise.clause in shown
        assert promise.due in shown
    assert ("30个工作日" in shown) is (language == "zh-CN")
    assert ("30 working days" in shown) is (language == "en")


def test_every_time_point_stands_at_its_stage() -> None:
    """Rule 39: the stages in order, each with the time points that end there and the roles that are responsible."""
    complaints, others = standard_of(maintenance(), "en").flows
    placed = {step.stage: {point.name for point in step.points} for step in complaints.steps}
    assert placed == {
        "received": {"first_response", "message_reply"},
        "classified": {
            *("standard_answer", "department_handover", "principal_contact", "preliminary_plan", "leak_notice")
        },
        "investigating": {"investigation"},
        "proposed": {"proposal"},
        "resolved": {"resolution", "explanation"},
        "confirming": {"closed_loop"},
        "closed": set(),
    }
    assert [step.stage for step in complaints.steps] == sorted(placed, key=ORDER.index)
    assert all(step.who for step in complaints.steps)
    assert complaints.back == "investigating"
    assert others.kinds == ("suggestion", "request", "enquiry")
    assert "resolution" not in {point.name for step in others.steps for point in step.points}
    assert "explanation" not in {point.name for step in others.steps for point in step.points}


def test_who_handles_what_is_in_the_chart() -> None:
    """Each category leads to the role that the contract routes it to (rule 20)."""
    (complaints, _) = standard_of(maintenance(), "en").flows
    routes = {route.title: route.who for step in complaints.steps for route in step.routes}
    assert routes["Product quality"] == "Team lead"
    assert routes["Service attitude"] == "Service manager"
    assert routes["How to use"] == "Case owner"


def test_service_hours_are_weekdays_and_windows() -> None:
    """Successive days with the same hours are one line, a day off is none."""
    contract = maintenance()
    hours = {"mon-thu": ("09:00-12:00", "13:00-18:00"), "fri": ("09:00-12:00",), "sat": ("22:00-02:00",)}
    calendar = contract.calendar.model_copy(update={"hours": hours})
    found = standard_of(contract.model_copy(update={"calendar": calendar}), "en").hours
    assert [tuple(window) for window in found] == [
        (0, 3, ("09:00–12:00", "13:00–18:00")),
        (4, 4, ("09:00–12:00",)),
        (5, 5, ("22:00–02:00",)),
    ]


def test_markup_in_a_contract_is_text() -> None:
    """Titles of a contract are no markup, in the page and in the drawing."""
    contract = maintenance()
    evil = {"en": "</text><script>alert(1)</script>"}
    promises = {name: promise.model_copy(update={"title": evil}) for name, promise in contract.obligations.items()}
    shown = standard(contract.model_copy(update={"obligations": promises, "title": evil}), "en")
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown


def test_text_in_a_drawing_is_wrapped_and_whole() -> None:
    """Nothing is lost at a break, no line begins with a closing mark, and each fits."""
    for said in (
        "工作时间内15分钟，非工作时间下一工作日09:30（自收到之时起）。",
        "15 minutes in service hours; outside them 09:30",
        "",
    ):
        lines = wrapped(said, 90, 14)
        assert "".join(lines).replace(" ", "") == said.replace(" ", "")
        assert not any(re.match("[，。；：、）]", line) for line in lines)
        assert not any(line.endswith("（") for line in lines)
        assert all(len(line) <= 14 for line in lines)


async def test_holders_of_an_office_open_it_by_their_link(visitor: httpx.AsyncClient, shelf: Shelf) -> None:
    """The handler and the principal read the standard of their contract; others do not."""
    for person, status in (("maya.brandt", 200), ("gao.jie", 200), ("ada.novak", 403)):
        shown = await visitor.get(shelf.link("standard", "maintenance-service", person))
        assert shown.status_code == status
    assert (await visitor.get(shelf.link("standard", "unknown", "gao.jie"))).status_code == 403
