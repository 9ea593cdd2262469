"""A map says what columns mean, and nothing is guessed that it does not say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rules.history import AT_IMPORT, DueOf
from starter.errors import Invalid
from starter.import_fields import Moment, RowError, Text
from starter.import_map import Map, read_map
from tests.support.system import ROOT

PLAIN: dict[str, Any] = {
    "zone": "Asia/Shanghai",
    "reference": {"column": "id"},
    "kind": "complaint",
    "channel": {"column": "via", "values": {"Web": "web"}, "otherwise": "other"},
    "received": {"column": "day", "time": "09:00"},
    "content": {"column": "words", "otherwise": "No words. About {topic}."},
}
ROW = {"id": " 17 ", "via": "Web", "day": "2026-11-20", "words": "It leaks.", "topic": "taps", "state": "done"}


def test_a_row_becomes_a_complaint() -> None:
    """Columns, value lists, constants, and a bare date with the zone and time of day that the map gives it."""
    start = Map.model_validate(PLAIN).case(ROW, "c", history=False).start
    assert (start.contract, start.reference, start.channel, start.via) == ("c", "17", "web", "import")
    assert start.received_at == datetime(2026, 11, 20, 1, tzinfo=UTC)
    assert (start.content, start.history) == ("It leaks.", False)


def test_missing_text_is_composed() -> None:
    """Where the text is missing the map's own words stand in, with what other columns know."""
    start = Map.model_validate(PLAIN).case(ROW | {"words": "  "}, "c", history=False).start
    assert start.content == "No words. About taps."


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"id": ""}, "reference: is missing"),
        ({"id": "two words"}, "reference: "),
        ({"day": ""}, "received_at: is missing"),
        ({"day": "20/11/2026"}, "'20/11/2026' is no date"),
        ({"day": "2026-02-30"}, "'2026-02-30' is no date"),
    ],
)
def test_a_row_that_cannot_be_read_says_why(changed: dict[str, str], reason: str) -> None:
    """The reason names the field or the column, and what stands in it."""
    with pytest.raises(RowError, match=reason):
        Map.model_validate(PLAIN).case(ROW | changed, "c", history=False)


def test_a_value_that_is_not_listed_is_refused_or_otherwise() -> None:
    """A listed column takes no other value, unless the map says what stands in."""
    listed = Text(column="via", values={"Web": "web"})
    with pytest.raises(RowError, match="'Fax' is not among the map's values"):
        listed.read(ROW | {"via": "Fax"})
    assert Text(column="via", values={"Web": "web"}, otherwise="other").read(ROW | {"via": "Fax"}) == "other"
    assert listed.read(ROW | {"via": ""}) is None


@pytest.mark.parametrize(
    ("moment", "text", "at"),
    [
        ({"time": "09:00", "zone": "America/New_York"}, "2026-07-01", "2026-07-01T09:00:00-04:00"),
        ({"zone": "America/New_York"}, "2026-01-05 17:30:00", "2026-01-05T17:30:00-05:00"),
        ({"zone": "Asia/Shanghai"}, "2026-01-05T17:30:00Z", "2026-01-05T17:30:00+00:00"),
        ({"time": "00:00", "zone": "UTC", "format": "%m/%d/%y"}, "11/20/26", "2026-11-20T00:00:00+00:00"),
        ({"zone": "UTC", "format": "%d.%m.%Y %H:%M"}, "20.11.2026 08:15", "2026-11-20T08:15:00+00:00"),
    ],
)
def test_times_are_read_as_the_map_says(moment: dict[str, str], text: str, at: str) -> None:
    """Bare dates, local times, times with an offset and other people's formats."""
    assert Moment(column="x", **moment).read({"x": text}, None) == datetime.fromisoformat(at)


def test_a_time_is_never_guessed() -> None:
    """Without zone or time of day in the map, a bare date or local time is refused, not guessed."""
    for bare in ("2026-11-20", "20261120"):
        with pytest.raises(RowError, match="give `time` in the map"):
            Moment(column="x", zone="UTC").read({"x": bare}, None)
    with pytest.raises(RowError, match="give `zone` in the map"):
        Moment(column="x").read({"x": "2026-11-20T09:00"}, None)


def test_outcomes_become_acts_for_old_cases_alone() -> None:
    """The first outcome that fits gives the acts, with their times and fields; a live import has none."""
    acts = [
        {"command": "respond", "at": "due of first", "text": "{topic}: done"},
        {"command": "resolve", "at": {"column": "day", "time": "12:00"}, "outcome": {"column": "how"}},
        {"command": "note", "at": "import", "text": "never", "when": {"state": "other"}},
        {"command": "close", "at": "import"},
    ]
    mapping = Map.model_validate(
        PLAIN | {"outcomes": [{"when": {"state": "open"}}, {"when": {"state": ["gone", "done"]}, "acts": acts}]}
    )
    row = ROW | {"how": "upheld"}
    past = mapping.case(row, "c", history=True).acts
    assert [act.command.name for act in past] == ["respond", "resolve", "close"]
    assert [act.at for act in past] == [DueOf("first"), datetime(2026, 11, 20, 4, tzinfo=UTC), AT_IMPORT]
    assert past[0].command.texts() == {"text": "taps: done"}
    assert len({act.command.key for act in past}) == 3
    assert mapping.case(row, "c", history=False).acts == []
    assert mapping.case(row | {"state": "open"}, "c", history=True).acts == []
    with pytest.raises(RowError, match="no outcome of the map fits"):
        mapping.case(row | {"state": "lost"}, "c", history=True)
    assert mapping.columns() == {"id", "via", "day", "words", "topic", "state", "how"}
    assert mapping.obligations() == {"first"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "map.yaml:1: is empty"),
        ("a: [", "map.yaml:1: is not valid YAML"),
        ("kind: x\ncolour: red", "map.yaml:2: colour: unknown field"),
        ("zone: UTC", "map.yaml:1: reference: is missing"),
        ("encoding: morse", "encoding: 'morse' is no encoding of text"),
        ("encoding: base64", "encoding: 'base64' is no encoding of text"),
        ("delimiter: ;;", "delimiter: "),
        ("a: " + "[" * 5_000, "map.yaml:1: is nested too deeply"),
        ("colour: red\nkind: x", "colour: unknown field"),
        ("zone: Mars/Olympus", "'Mars/Olympus' is no time zone"),
        ("received: {column: day, time: '25:00'}", "received.time"),
        ("outcomes: [{acts: [{command: shout, at: import}]}]", "unknown command 'shout'"),
        ("outcomes: [{acts: [{command: note, at: import, colour: red}]}]", "note has no field colour"),
        ("outcomes: [{acts: [{command: note, at: import, text: {column: a, colour: b}}]}]", "colour: unknown field"),
        ("outcomes: [{acts: [{command: note, at: someday}]}]", "write `import`, `due of <obligation>`"),
    ],
)
def test_a_bad_map_is_refused_before_any_row(tmp_path: Path, text: str, reason: str) -> None:
    """Every mistake in a map is named by its place in it."""
    file = tmp_path / "map.yaml"
    file.write_text(text)
    with pytest.raises(Invalid) as caught:
        read_map(file)
    assert reason in str(caught.value)


def test_the_map_that_ships_can_be_read() -> None:
    """contracts/maps/cfpb.yaml is a map, and its flags for old customers and servicemembers are kept."""
    mapping = read_map(ROOT / "contracts" / "maps" / "cfpb.yaml")
    row = dict.fromkeys(mapping.columns(), "") | {
        "complaint_id": "1",
        "product": "Mortgage",
        "submitted_via": "Web",
        "date_received": "2019-03-29",
        "date_sent_to_company": "2019-04-01",
        "tags": "Older American, Servicemember",
        "company_response": "Closed with explanation",
        "timely_response": "Yes",
        "issue": "Escrow",
    }
    case = mapping.case(row, "consumer-finance", history=True)
    assert case.start.complainant.needs == ("older", "servicemember")
    assert case.start.raised_at is not None
    assert case.start.received_at - case.start.raised_at == timedelta(days=3, hours=9)
    assert "Issue: Escrow" in case.start.content
    assert [act.command.name for act in case.acts] == ["respond", "resolve", "tell_result", "close"]
