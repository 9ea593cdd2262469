"""A directory file is taken whole or refused with every mistake, its line and its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rules.directory import Directory
from rules.directory_file import DirectoryError, read_directory

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
    return Directory.model_validate({"people": people, "roles": roles})


def away(first: int, last: int, deputy: str | None = None) -> dict[str, Any]:
    """From one day of March 2026 to another, both included."""
    return {"from": f"2026-03-{first:02}", "to": f"2026-03-{last:02}", "deputy": deputy}


ROLE = {"*": {"handler.manager": ["a", "b"], "handler.director": ["c"]}}


@pytest.mark.parametrize(
    ("absences", "reason"),
    [
        ({"c": [away(1, 5)]}, "no deputy, and nobody else holds handler.director in *; name a deputy"),
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
    with pytest.raises(ValueError) as refused:
        directory(ROLE, **absences)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    "absences",
    [
        {"a": [away(1, 5)]},
        {"d": [away(1, 5)]},
        {"a": [away(1, 5, "b")], "b": [away(6, 9, "a")]},
        {"a": [away(1, 9, "b")], "b": [away(1, 3, "c")], "c": [away(4, 6, "a")]},
        {"a": [away(1, 5, "b"), away(6, 6, "c")]},
    ],
)
def test_absences_with_somebody_there_are_taken(absences: dict[str, Any]) -> None:
    """Another holder, no role at all, or deputies that never meet at the same time are no ring and no gap."""
    assert directory(ROLE, **absences).people
