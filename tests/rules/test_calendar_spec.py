"""The calendar section of a contract: what it may say, and what it is told when it says something else."""

import json
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from rules.calendar_spec import CalendarSpec, label
from rules.statutory import publish

HOURS = {"mon-fri": ["09:00-12:00", "13:00-18:00"], "sat": ["10:00-14:00"]}


def spec(**more: Any) -> CalendarSpec:
    return CalendarSpec.model_validate({"zone": "Asia/Shanghai", "hours": HOURS, **more})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"zone": "Asia/Shangai"}, "unknown time zone 'Asia/Shangai'"),
        ({"zone": "../Shanghai"}, "unknown time zone"),
        ({"hours": {}}, "empty calendar"),
        ({"hours": {"mon-fri": []}}, "empty calendar"),
        ({"hours": {"mon-fry": "09:00-18:00"}}, "'mon-fry' names no weekdays"),
        ({"hours": {"mon-fri": "09:00-18:00", "fri": "10:00-11:00"}}, "fri is named twice"),
        ({"hours": {"mon": ["09:00-12:00", "11:30-18:00"]}}, "overlapping hours: 09:00-12:00 and 11:30-18:00"),
        ({"hours": {"sun": "22:00-06:00", "mon": "05:00-09:00"}}, "overlapping hours"),
        ({"hours": {"mon": "9-18"}}, "'9-18' is no window"),
        ({"hours": {"mon": "09:00-09:00"}}, "is empty; the whole day is 00:00-24:00"),
        ({"hours": {"mon": "09:00-25:00"}}, "no clock shows"),
        ({"closures": [{"from": "2026-08-03", "to": "2026-08-01", "name": "Move"}]}, "reversed range"),
        ({"closures": [{"from": "2026-08-03", "to": "2062-08-04", "name": "Move"}]}, "longer than a year"),
        ({"closures": [{"on": "2026-08-03", "to": "2026-08-04", "name": "Move"}]}, "not both"),
        ({"half days": [{"on": "2026-12-31", "hours": [], "name": "Eve"}]}, "at least 1 item"),
        ({"holidays": []}, "Extra inputs are not permitted"),
    ],
)
def test_a_bad_calendar_is_refused_with_its_reason(wrong: dict[str, Any], said: str) -> None:
    """Each mistake an owner can make in the calendar is refused in words that name it (invariant 20)."""
    with pytest.raises(ValidationError) as refused:
        spec(**wrong)
    assert said in str(refused.value)
    assert len(refused.value.errors()) == 1


def test_dates_that_contradict_are_refused() -> None:
    """A date cannot be closed and worked, and two shifts cannot hold at once."""
    with pytest.raises(ValidationError, match="2026-12-24 is named twice"):
        spec(
            closures=[{"from": "2026-12-23", "to": "2026-12-25", "name": "Break"}],
            **{"working days": [{"on": "2026-12-24", "name": "Sale"}]},
        )
    summer = {"from": "2026-07-01", "to": "2026-08-31", "hours": HOURS, "name": "Summer"}
    with pytest.raises(ValidationError, match="overlap on 2026-08-31"):
        spec(shifts=[summer, {**summer, "from": "2026-08-31", "to": "2026-09-30"}])


def test_the_mistake_is_located() -> None:
    """The loader can find the line: an error carries the path of keys to the value that is wrong."""
    with pytest.raises(ValidationError) as refused:
        spec(**{"half days": [{"on": "2026-12-31", "hours": ["09:00-12:00", "noon"], "name": "Eve"}]})
    assert refused.value.errors()[0]["loc"] == ("half days", 0, "hours", 1)


def test_weekdays_may_be_ranges_lists_and_wrap_around() -> None:
    """`sat-mon` and `tue, thu` name the days one expects."""
    ours = spec(hours={"sat-mon": "09:00-10:00", "tue, thu": "11:00-12:00"})
    assert [bool(ours.on(date(2026, 11, 23 + n)).hours) for n in range(7)] == [
        True,
        True,
        False,
        True,
        False,
        True,
        True,
    ]


def test_a_year_of_china_is_a_small_snapshot() -> None:
    """A calendar pinned with a year of China stays under 4 KB of JSON and comes back equal (invariant 8)."""
    pinned = publish(spec(statutory="CN"), 2026, 2026)
    text = pinned.model_dump_json()
    assert len(text) < 4096
    assert CalendarSpec.model_validate(json.loads(text)) == pinned
    assert CalendarSpec.model_validate_json(pinned.model_dump_json(by_alias=True)) == pinned


def test_a_copy_forgets_what_was_derived() -> None:
    """A calendar used before its holidays were published does not go on answering without them."""
    bare = spec(statutory="CN")
    assert bare.on(date(2026, 10, 1)).hours
    assert not publish(bare, 2026, 2026).on(date(2026, 10, 1)).hours


def test_what_the_contract_says_outranks_what_the_state_says() -> None:
    """A half day or working day of the contract works on a public holiday; a closure shuts a make-up day."""
    ours = publish(
        spec(
            statutory="CN",
            closures=[{"on": "2026-10-10", "name": "Stocktaking"}],
            **{
                "half days": [{"on": "2026-10-01", "hours": "09:00-10:00", "name": "Stand-by"}],
                "working days": [{"on": "2026-10-02", "name": "Stand-by"}],
            },
        ),
        2026,
        2026,
    )
    assert ours.on(date(2026, 10, 1)).hours == ((540, 600),)
    assert ours.on(date(2026, 10, 2)).hours == ((540, 720), (780, 1080))
    assert ours.on(date(2026, 10, 10)) == ((), "Stocktaking")
    assert label(ours.on(date(2026, 10, 3)).name or "", "zh-CN") == "国庆节"


def test_a_make_up_saturday_works_as_a_weekday_does() -> None:
    """A make-up Saturday works ordinary weekday hours, in a shift those of the shift, not the short Saturday."""
    early = {"from": "2026-10-08", "to": "2026-10-12", "hours": {"mon-fri": "07:00-15:00"}, "name": "Early"}
    ours = publish(spec(statutory="CN", shifts=[early]), 2026, 2026)
    assert ours.on(date(2026, 5, 9)).hours == ((540, 720), (780, 1080))
    assert ours.on(date(2026, 10, 10)).hours == ((420, 900),)
