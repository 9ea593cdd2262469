"""A year that the contract's owner states: it counts before any library has it, and what is wrong with it is said."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from rules.calendar_spec import CalendarSpec, Holiday
from rules.calendar_years import changed_days, differ, fingerprint, mistakes
from rules.contract_file import read
from rules.statutory import publish
from tests.rules.test_contract_file import GOOD, NOW, broken, errors_of, warnings_of

STATED = """  statutory: CN
  years:
    2027:
      - {name: {en: New Year, zh-CN: 元旦}, off: [2027-01-01, 2027-01-02, 2027-01-03], work: [2027-01-09]}
      - {name: Spring Festival, off: [2027-02-05, 2027-02-06]}
"""
CN = "  statutory: CN"


def stated(years: str) -> str:
    text, _ = broken(CN, STATED.rstrip("\n"))
    before, _, after = text.partition("      - {name: {en: New Year")
    return before + years + after[after.index("[2027-02-05, 2027-02-06]}") + len("[2027-02-05, 2027-02-06]}") :]


def test_a_stated_year_is_published_with_the_contract() -> None:
    """No library knows 2027; stated in the file, it is known, named, and no doubt is left about it."""
    assert "2027" in str(warnings_of(GOOD))
    text, _ = broken(CN, STATED.rstrip("\n"))
    calendar = read(text, "contract.yaml", NOW).contract.calendar
    assert calendar.knows(2027)
    assert calendar.years == {}, "there is one account of it, under `published`"
    assert calendar.on(date(2027, 1, 1)).name == {"en": "New Year", "zh-CN": "元旦"}
    assert calendar.on(date(2027, 1, 9)).hours
    assert "2027" not in str([warning for warning in warnings_of(text) if "no holidays" in warning])


def test_a_stated_year_stands_in_place_of_the_librarys() -> None:
    """The government changed days of a year that was published: the whole year as stated counts, and only it."""
    spec = CalendarSpec.model_validate(
        {
            "zone": "Asia/Shanghai",
            "hours": {"mon-fri": "09:00-18:00"},
            "statutory": "CN",
            "years": {2026: [{"name": "x", "off": ["2026-03-03"]}]},
        }
    )
    published = publish(spec, 2025, 2026)
    assert sorted(published.published) == [2025, 2026]
    assert [holiday.off for holiday in published.published[2026]] == [(date(2026, 3, 3),)]
    assert len(published.published[2025]) > 3
    assert publish(published, 2025, 2026).published[2026] != published.published[2026], "read again without the year"


@pytest.mark.parametrize(
    ("years", "line", "reason"),
    [
        ("      - {name: x, off: [2027-01-01, 2028-01-01]}", 3, "2028-01-01 lies in 2028, not in 2027"),
        (
            "      - name: x\n        off: [2027-01-01]\n        work: [2027-01-01]",
            5,
            "2027-01-01 is both off and worked",
        ),
        ("      - {name: x, off: [2027-01-01, 2027-01-01]}", 3, "2027-01-01 stands here twice"),
        ("      - {name: x, off: [2027-01-01]}\n      - {name: y, off: [2027-01-01]}", 4, "stands here twice"),
        ("      - {name: x}", 3, "gives no day"),
        ("      - {name: x, off: [tomorrow]}", 3, "tomorrow is no date"),
        ("      - {name: x, off: [2027-01-01], half: 1}", 3, "unknown key"),
        ("      []", 2, "leave 2027 out until they are published"),
    ],
)
def test_what_is_wrong_with_a_stated_year_is_said_with_its_line(years: str, line: int, reason: str) -> None:
    """Invariant 20: days of other years, both off and worked, named twice, none at all: found where they stand."""
    _, start = broken(CN, STATED)
    (error,) = errors_of(stated(years))
    assert reason in error.reason
    assert error.line == start + line


def test_a_stated_year_needs_a_country() -> None:
    """Without public holidays a year says nothing; closures and working days are what is meant."""
    text, start = broken(CN, STATED.rstrip("\n").replace("  statutory: CN\n", ""))
    (error,) = errors_of(text)
    assert (error.line, "names no country" in error.reason) == (start, True)


def test_the_year_in_the_docs_is_taken() -> None:
    """docs/contract-file.md shows 2027 as an owner would write it; it can be read."""
    page = (Path(__file__).parents[2] / "docs" / "contract-file.md").read_text(encoding="utf-8")
    example = page[page.index("  years:\n") :]
    example = example[: example.index("```")].rstrip("\n")
    text, _ = broken(CN, f"{CN}\n{example}")
    assert len(read(text, "contract.yaml", NOW).contract.calendar.published[2027]) >= 2


def holidays(*days: str, work: tuple[str, ...] = (), name: str = "x") -> tuple[Holiday, ...]:
    return (Holiday.model_validate({"name": name, "off": days, "work": work}),)


def test_days_decide_whether_a_year_differs_and_names_do_not() -> None:
    """Another name or another grouping of the same days moves no due; another day does."""
    one = holidays("2027-01-01", "2027-01-02")
    split = (*holidays("2027-01-02", name="y"), *holidays("2027-01-01", name="z"))
    assert differ({2027: one}, {2027: split}) == {}
    assert fingerprint(one) == fingerprint(split)
    more = holidays("2027-01-01")
    assert differ({2027: one}, {2027: more, 2028: more}) == {2027: more, 2028: more}
    assert changed_days(one, holidays("2027-01-01", work=("2027-01-09",))) == (
        set(),
        {date(2027, 1, 2), date(2027, 1, 9)},
    )


def test_every_mistake_of_a_year_is_found() -> None:
    """All of them at once, each with its place."""
    wrong = (*holidays("2026-01-01", name=""), *holidays("2027-01-01", work=("2027-01-01",)))
    assert [path for path, _ in mistakes({2027: wrong})] == [
        ("2027", 0, "name"),
        ("2027", 0, "off", 0),
        ("2027", 1, "work", 0),
    ]
