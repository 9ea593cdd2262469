"""A directory file is taken whole or refused with every mistake, its line and its reason."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rules.directory import Directory
from rules.directory_file import DirectoryError, build, read_directory

ANN = "{name: A, email: a@x, language: en, zone: UTC"
BAD = {
    "people: [": "people.yaml:1: is not valid YAML",
    "": "people.yaml:1: is empty",
    "people:\n  ann: {name: A, email: a@x, language: en, zone: Mars/Base}\nroles: {}": "2: people.ann.zone: unknown",
    "people:\n  ann: {name: A, email: a@x, language: en}\nroles: {}": "people.yaml:2: people.ann: `zone` is missing",
    'people:\n  ann: {name: "A\\nBcc: b@x", email: a@x, language: en, zone: UTC}\nroles: {}': "2: people.ann.name: ",
    'people:\n  ann: {name: A, email: "a@x, b@x", language: en, zone: UTC}\nroles: {}': "yaml:2: people.ann.email: ",
    f"people:\n  ann: {ANN}}}\nroles:\n  '*': {{h.m: [bob]}}": "yaml:4: roles.*.h.m: names bob, who is not among",
    f"people:\n  ann: {ANN}}}\nroles:\n  '*': {{h.m: [ann, ann]}}": "yaml:4: roles.*.h.m: names somebody twice",
    f"people:\n  ann: {ANN}}}\nroles:\n  '*': {{h.m: []}}": "yaml:4: roles.*.h.m: ",
    f"people:\n  ann: {ANN}, colour: red}}\nroles: {{}}": "people.ann.colour: unknown field",
    f"people:\n  ann: {ANN}, hours: {{mon: [9-18]}}}}\nroles: {{}}": "people.ann.hours.mon.0: '9-18' is no window",
    f"people:\n  ann: {ANN}, shifts: [{{on: tomorrow}}]}}\nroles: {{}}": "people.ann.shifts.0.on: must be a valid date",
    f"people:\n  ann: {ANN}, shifts: [{{from: 2026-03-02 18:00}}]}}\nroles: {{}}": "people.ann.shifts.0: `to` is",
    f"people:\n  ann: {ANN}, shifts: [{{from: 2026-03-02 18:00, to: 2026-03-02 17:00}}]}}\nroles: {{}}": (
        "people.ann: from 2026-03-02 18:00:00 to 2026-03-02 17:00:00 ends before it begins"
    ),
    f"people:\n  ann: {ANN}, absences: [{{from: 20260302, to: 2026-03-04}}]}}\nroles: {{}}": (
        "people.ann.absences.0.from: 20260302 is neither a date such as 2026-12-24 nor a time"
    ),
    f"people:\n  ann: {ANN}, absences: [{{from: 2026-03-02, to: 2066-02-30}}]}}\nroles: {{}}": "is not valid YAML",
    f"people:\n  ann: {ANN}, absences: [{{from: 2026-03-02, to: 9026-03-04}}]}}\nroles: {{}}": "mistyped",
}


@pytest.mark.parametrize("text", BAD)
def test_a_bad_file_is_refused(text: str) -> None:
    """Each fault of a directory file is refused with its file, line and reason."""
    with pytest.raises(DirectoryError) as refused:
        read_directory(text, "people.yaml")
    assert BAD[text] in str(refused.value)


def test_every_mistake_is_named() -> None:
    """Several mistakes are several lines, so that one more try is enough."""
    with pytest.raises(DirectoryError) as refused:
        read_directory("people:\n  ann: {name: A}\n  bo: {zone: UTC}\nroles: {}", "p.yaml")
    lines = str(refused.value).splitlines()
    assert len(lines) == 6
    assert {line.split(":")[1] for line in lines} == {"2", "3"}


def test_the_documented_example_is_sound() -> None:
    """What docs/directory.md shows can be imported as it stands."""
    text = Path("docs/directory.md").read_text(encoding="utf-8").split("```yaml\n")[1].partition("```")[0]
    assert read_directory(text, "directory.md").people["wu.fang"].absences[0].deputy == "chen.lin"


def directory(roles: dict[str, dict[str, list[str]]], **absences: list[dict[str, Any]]) -> Directory:
    """People a, b, c and d in UTC with these absences."""
    reached = {"name": "N", "email": "n@example.com", "language": "en", "zone": "UTC"}
    people = {id_: {**reached, "absences": absences.get(id_, [])} for id_ in "abcd"}
    return build({"people": people, "roles": roles}, lambda path: "here")


def away(first: int, last: int, deputy: str | None = None) -> dict[str, Any]:
    """From one day of March 2026 to another, both included."""
    return {"from": f"2026-03-{first:02}", "to": f"2026-03-{last:02}", "deputy": deputy}


ROLE = {"*": {"handler.manager": ["a", "b"], "handler.director": ["c"]}}


@pytest.mark.parametrize(
    ("absences", "reason"),
    [
        (
            {"c": [away(1, 5)]},
            "nobody else is on duty as handler.director in *; name a deputy, or say `deputy: none` to leave it so",
        ),
        ({"a": [away(3, 4)], "b": [away(1, 9)]}, "from 2026-03-03 to 2026-03-04 nobody else is on duty as"),
        ({"c": [away(1, 5, "d")], "d": [away(1, 5)]}, "people.c.absences.0: from 2026-03-01 to 2026-03-05 nobody else"),
        ({"a": [away(1, 5, "z")]}, "the deputy z is not among the people"),
        ({"a": [away(1, 5, "a")]}, "the deputies lead back: a → a"),
        ({"a": [away(1, 5, "b")], "b": [away(5, 9, "a")]}, "the deputies lead back: a → b → a"),
        (
            {"a": [away(1, 5, "b")], "b": [away(3, 9, "c")], "c": [away(4, 4, "a")]},
            "the deputies lead back: a → b → c → a",
        ),
        ({"a": [away(1, 5, "b"), away(5, 6, "c")]}, "two absences overlap"),
    ],
)
def test_absences_that_leave_nobody_are_refused(absences: dict[str, Any], reason: str) -> None:
    """An absence without a deputy where nobody else holds the role, and deputies in a ring, are one clear refusal."""
    with pytest.raises(DirectoryError) as refused:
        directory(ROLE, **absences)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    "absences",
    [
        {"a": [away(1, 5)]},
        {"d": [away(1, 5)]},
        {"c": [away(1, 5, "none")]},
        {"a": [away(1, 5)], "b": [away(5, 9)]},
        {"a": [away(1, 5, "b")], "b": [away(6, 9, "a")]},
        {"a": [away(1, 9, "b")], "b": [away(1, 3, "c")], "c": [away(4, 6, "a")]},
        {"a": [away(1, 5, "b"), away(6, 6, "c")]},
    ],
)
def test_absences_with_somebody_there_are_taken(absences: dict[str, Any]) -> None:
    """Another holder, no role at all, or deputies that never meet at the same time are no ring and no gap."""
    assert directory(ROLE, **absences).people


HOURS = {"morning": {"mon-fri": ["09:00-12:00"]}, "noon": {"mon-fri": ["12:00-15:00"]}}


@pytest.mark.parametrize(
    ("start", "end", "fine"),
    [
        ("2026-03-02", "2026-03-03", True),
        ("2026-03-02 09:00", "2026-03-02 12:00", False),
        ("2026-03-07", "2026-03-08", True),
    ],
)
def test_an_absence_is_judged_by_who_is_on_duty(start: str, end: str, *, fine: bool) -> None:
    """Others who hold the role are enough where they are on duty at some time of it; what an absence does not change,
    such as a day off on a weekend, leaves nobody either way."""
    reached = {"name": "N", "email": "n@example.com", "language": "en", "zone": "UTC"}
    gone = {**reached, "hours": HOURS["morning"], "absences": [{"from": start, "to": end}]}
    people = {"a": gone, "b": {**reached, "hours": HOURS["noon"]}}
    data = {"people": people, "roles": {"small": {"handler.manager": ["a", "b"]}}}
    if fine:
        assert build(data, lambda path: "here").people
    else:
        with pytest.raises(DirectoryError, match="nobody else is on duty as handler"):
            build(data, lambda path: "here")


def test_an_absence_that_is_over_refuses_nothing() -> None:
    """What lies in the past cannot be covered any more; a directory that is in place is never refused for it either."""
    reached = {"name": "N", "email": "n@example.com", "language": "en", "zone": "UTC"}
    data = {"people": {"a": {**reached, "absences": [away(1, 5)]}}, "roles": {"*": {"handler.manager": ["a"]}}}
    assert build(data, lambda path: "here", datetime(2026, 3, 6, tzinfo=UTC)).people
    with pytest.raises(DirectoryError):
        build(data, lambda path: "here", datetime(2026, 3, 5, tzinfo=UTC))
    assert Directory.model_validate(data).people


def test_nobody_is_called_none() -> None:
    """The word that stands for no deputy is nobody's id."""
    with pytest.raises(DirectoryError, match=r"people\.none: is what an absence without a deputy says"):
        read_directory(f"people:\n  none: {ANN}}}\nroles: {{}}", "p.yaml")
