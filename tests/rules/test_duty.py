"""Who is on duty at an instant, who stands in, and when nobody is there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import coverage
from rules.contract import Contract
from rules.directory import Directory, Member
from rules.duty import NOBODY, OFF_DUTY, ONLY_THEM, Gap, Nobody, gaps, held_throughout, holder, on_shift
from tests.support.story import SMALL

ROLE = "handler.manager"
WEEK = {"mon-fri": ["09:00-12:00", "13:00-18:00"]}
BERLIN = ZoneInfo("Europe/Berlin")


def member(zone: str = "Europe/Berlin", **roster: Any) -> dict[str, Any]:
    return {"name": "N", "email": "n@example.com", "language": "en", "zone": zone, **roster}


def one(zone: str = "Europe/Berlin", **roster: Any) -> Member:
    return Member.model_validate(member(zone, **roster))


def directory(held: list[str] | None = None, **people: dict[str, Any]) -> Directory:
    """The managers are these, or everybody in the order given."""
    return Directory.model_validate({"people": people, "roles": {"*": {ROLE: held or list(people)}}})


def at(text: str, zone: str = "Europe/Berlin") -> datetime:
    """A time on a wall; 2 March 2026 is a Monday."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def told(found: Directory, when: str, against: str | None = None) -> str | Nobody:
    return holder(found, "small", ROLE, at(when), against)


@pytest.mark.parametrize(
    ("when", "there"),
    [
        ("2026-03-02 08:59", False),
        ("2026-03-02 09:00", True),
        ("2026-03-02 12:00", False),
        ("2026-03-02 13:00", True),
        ("2026-03-02 18:00", False),
        ("2026-03-03 09:30", False),  # the shifts of that date stand in place of the week
        ("2026-03-03 21:30", True),
        ("2026-03-04 05:59", True),
        ("2026-03-04 06:00", False),
        ("2026-03-04 09:30", True),
        ("2026-03-05 10:00", False),  # a date without any hours
        ("2026-03-06 18:30", True),
        ("2026-03-08 03:00", True),
        ("2026-03-09 07:59", True),
        ("2026-03-09 08:00", False),
        ("2026-03-09 09:00", True),
    ],
)
def test_hours_and_shifts(when: str, *, there: bool) -> None:
    """Weekly hours hold unless the date has shifts of its own; shifts run past midnight and over whole weekends."""
    ann = one(
        hours=WEEK,
        shifts=[
            {"on": "2026-03-03", "hours": ["21:00-06:00"]},
            {"on": "2026-03-05", "hours": []},
            {"from": "2026-03-06 18:00", "to": "2026-03-09T07:00:00+00:00"},
        ],
    )
    assert on_shift(ann, at(when)) is there


def test_the_first_on_duty_is_told() -> None:
    """Holders are asked in order: the first who is on duty and not absent; hours count in each person's own zone."""
    found = directory(
        ann=member(hours=WEEK, absences=[{"from": "2026-03-04", "to": "2026-03-04"}]),
        bo=member("Asia/Shanghai", hours={"mon-fri": "09:00-18:00"}),
        cy=member(shifts=[{"on": "2026-03-02", "hours": "20:00-22:00"}]),
    )
    assert told(found, "2026-03-02 09:30") == "ann"
    assert told(found, "2026-03-02 08:30") == "bo"
    assert told(found, "2026-03-02 12:30") == Nobody(OFF_DUTY)  # 19:30 in Shanghai
    assert told(found, "2026-03-02 21:00") == "cy"
    assert told(found, "2026-03-04 09:30") == "bo"
    assert told(found, "2026-03-02 09:30", against="ann") == "bo"
    assert told(found, "2026-03-02 21:00", against="cy") == Nobody(OFF_DUTY)


def test_nobody_is_told_why() -> None:
    """A role that nobody holds, or only the person complained about, is another thing than nobody on duty."""
    found = directory(ann=member(hours=WEEK))
    assert holder(None, "small", ROLE, at("2026-03-02 10:00")) == Nobody(NOBODY)
    assert holder(found, "small", "handler.owner", at("2026-03-02 10:00")) == Nobody(NOBODY)
    assert told(found, "2026-03-02 10:00", against="ann") == Nobody(ONLY_THEM)
    assert told(found, "2026-03-02 08:00") == Nobody(OFF_DUTY)


def test_a_contract_has_lines_of_its_own() -> None:
    """A contract's own line for a role replaces that of `*`, even when nobody of it is on duty."""
    found = Directory.model_validate(
        {
            "people": {"ann": member(), "bo": member(hours=WEEK)},
            "roles": {"*": {ROLE: ["ann"], "handler.owner": ["ann"]}, "small": {ROLE: ["bo"]}},
        }
    )
    assert told(found, "2026-03-02 10:00") == "bo"
    assert told(found, "2026-03-02 19:00") == Nobody(OFF_DUTY)
    assert holder(found, "other", ROLE, at("2026-03-02 10:00")) == "ann"
    assert holder(found, "small", "handler.owner", at("2026-03-02 10:00")) == "ann"


def test_deputies_stand_in() -> None:
    """Nobody of the holders there: the deputy of an absent one, or the deputy's deputy; never the accused (rule 37)."""
    away = {"from": "2026-03-02", "to": "2026-03-03"}
    found = directory(
        ["ann"],
        ann=member(absences=[{**away, "deputy": "bo"}]),
        bo=member(absences=[{"from": "2026-03-03 12:00", "to": "2026-03-03 18:00", "deputy": "cy"}]),
        cy=member(hours=WEEK),
    )
    assert told(found, "2026-03-01 10:00") == "ann"
    assert told(found, "2026-03-02 00:00") == "bo"
    assert told(found, "2026-03-03 12:00") == Nobody(OFF_DUTY)  # cy has lunch
    assert told(found, "2026-03-03 13:00") == "cy"
    assert told(found, "2026-03-03 18:00") == "bo"
    assert told(found, "2026-03-04 00:00") == "ann"
    assert told(found, "2026-03-02 10:00", against="bo") == Nobody(OFF_DUTY)
    assert told(found, "2026-03-02 10:00", against="ann") == Nobody(ONLY_THEM)
    assert found.reach("cy") == {ROLE}
    assert found.reach("nobody") == set()


def test_a_holder_on_duty_comes_before_a_deputy() -> None:
    """A second holder who is there is told before the deputy of the first."""
    found = directory(
        ["ann", "bo"],
        ann=member(absences=[{"from": "2026-03-02", "to": "2026-03-03", "deputy": "cy"}]),
        bo=member(hours=WEEK),
        cy=member(),
    )
    assert told(found, "2026-03-02 10:00") == "bo"
    assert told(found, "2026-03-02 20:00") == "cy"


def test_a_night_shift_over_the_change_of_the_clocks() -> None:
    """22:00 to 06:00 is 7 hours when the clocks go forward and 9 when they go back, and never has a hole."""
    night = one(hours={"sat": "22:00-06:00"})
    for saturday, hours in (("2026-03-28", 7), ("2026-10-24", 9), ("2026-06-06", 8)):
        start = at(f"{saturday} 22:00").astimezone(UTC)
        minutes = [on_shift(night, start + timedelta(minutes=n)) for n in range(-60, 11 * 60)]
        assert sum(minutes) == hours * 60
        assert minutes[60 : 60 + hours * 60] == [True] * (hours * 60)


ZONES = st.sampled_from(["Europe/Berlin", "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe"])
WINDOW = st.tuples(st.integers(0, 47), st.integers(1, 47)).map(
    lambda drawn: (
        f"{drawn[0] // 2:02}:{drawn[0] % 2 * 30:02}-"
        f"{(drawn[0] + drawn[1]) % 48 // 2:02}:{(drawn[0] + drawn[1]) % 2 * 30:02}"
    )
)
DAYS = st.integers(0, 9).map(lambda n: datetime(2026, 3, 24, tzinfo=UTC).date() + timedelta(days=n))
ROSTERS = st.fixed_dictionaries(
    {"zone": ZONES},
    optional={
        "hours": st.fixed_dictionaries({}, optional=dict.fromkeys(("mon", "wed", "fri", "sun"), WINDOW)).filter(bool),
        "shifts": st.lists(st.fixed_dictionaries({"on": DAYS, "hours": WINDOW}), max_size=2),
        "absences": st.lists(st.fixed_dictionaries({"from": DAYS, "to": DAYS}), max_size=1).map(
            lambda drawn: [{"from": min(a.values()), "to": max(a.values()), "deputy": "z"} for a in drawn]
        ),
    },
)


@given(st.lists(ROSTERS, min_size=1, max_size=3), ROSTERS)
def test_gaps_are_exactly_when_nobody_is_told(drawn: list[dict[str, Any]], deputy: dict[str, Any]) -> None:
    """Over a change of the clocks, in any zones: an instant lies in a gap if and only if nobody is told then."""
    deputy.pop("absences", None)
    people = {id_: member(**roster) for id_, roster in zip("abc", drawn, strict=False)}
    try:
        found = directory(list(people), z=member(**deputy), **people)
    except ValueError:  # hours that overlap across midnight
        return
    since = datetime(2026, 3, 27, 12, tzinfo=UTC)
    until = since + timedelta(days=4)
    missing = list(gaps(found, "small", ROLE, since, until))
    assert all(earlier.end < later.start for earlier, later in pairwise(missing))
    for minutes in range(0, 4 * 24 * 60, 15):
        instant = since + timedelta(minutes=minutes)
        inside = any(gap.start <= instant < gap.end for gap in missing)
        assert inside == isinstance(holder(found, "small", ROLE, instant), Nobody)
    assert held_throughout(found, "small", ROLE, since, until) == (
        len({holder(found, "small", ROLE, since + timedelta(minutes=15 * n)) for n in range(4 * 24 * 4 + 1)}) == 1
    )


def contract(*, on_call: bool) -> Contract:
    """The small contract, whose hours are 09:00 to 18:00 in Shanghai, Monday to Friday."""
    roles = {name: {**role, "on call": on_call} for name, role in SMALL["roles"].items()}
    return Contract.model_validate(SMALL | {"roles": roles})


def everybody(**manager: Any) -> Directory:
    """Every role is held by somebody always there, but the managers'."""
    always = {name: ["ann"] for name in SMALL["roles"] if name != ROLE}
    people = {"ann": member(), "mo": member("Asia/Shanghai", **manager)}
    return Directory.model_validate({"people": people, "roles": {"*": {**always, ROLE: ["mo"]}}})


def test_the_days_to_come_are_checked_in_the_hours_that_matter() -> None:
    """A role with office hours is missed in the contract's hours only, a role on call at any hour (rule 23)."""
    since, until = at("2026-03-02 00:00", "Asia/Shanghai"), at("2026-03-04 00:00", "Asia/Shanghai")

    def missing(found: Directory, *, on_call: bool, **more: bool) -> list[tuple[str, str, str]]:
        listed = coverage.gaps(found, contract(on_call=on_call), since, until, **more)
        return [(role, f"{gap.start:%d %H:%M}", f"{gap.end:%d %H:%M}") for role, gap in listed]

    office = everybody(hours={"mon-fri": "09:00-18:00"})
    assert missing(office, on_call=False) == []
    nights = [(ROLE, "02 00:00", "02 09:00"), (ROLE, "02 18:00", "03 09:00"), (ROLE, "03 18:00", "04 00:00")]
    assert missing(office, on_call=True) == nights
    assert missing(office, on_call=False, day_and_night=True) == nights
    late = everybody(hours={"mon": "10:00-17:00", "tue": "09:00-18:00"})
    assert missing(late, on_call=False) == [(ROLE, "02 09:00", "02 10:00"), (ROLE, "02 17:00", "02 18:00")]
    assert missing(everybody(), on_call=True) == []


def test_a_role_nobody_holds_is_one_long_gap() -> None:
    """Without any directory every role that is told something has nobody, and the reason says so."""
    since = at("2026-03-02 10:00", "Asia/Shanghai")
    found = dict(coverage.gaps(None, contract(on_call=True), since, since + timedelta(days=1)))
    assert found.keys() == coverage.told(contract(on_call=True))
    assert set(found.values()) == {Gap(since, since + timedelta(days=1), NOBODY)}
