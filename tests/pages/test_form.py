"""The acknowledge form as it comes over the wire: read whole, or refused with the name of what is missing."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starter.acknowledging import Answered, IncompleteError, read_form

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
ROLES = ("handler.director",)

Form = dict[str, list[str]]


def read(form: Form) -> Answered:
    """A form about a message of three lines, from a recipient in Berlin at 13:00."""
    return read_form(form, range(3), ROLES, BERLIN, NOW)


@pytest.mark.parametrize(
    ("form", "missing"),
    [
        ({}, "nothing_chosen"),
        ({"follow": ["noted"]}, "nothing_chosen"),
        ({"line": ["3", "-1", "x", "9" * 5000, "٠"], "follow": ["noted"]}, "nothing_chosen"),
        ({"line": ["0"]}, "follow_missing"),
        ({"line": ["0"], "follow": ["ignored"]}, "follow_missing"),
        ({"line": ["0"], "follow": ["taken_over"]}, "until_missing"),
        ({"line": ["0"], "follow": ["taken_over"], "until": ["soon"]}, "until_missing"),
        ({"line": ["0"], "follow": ["taken_over"], "until": ["0001-01-01T00:00"]}, "until_past"),
        ({"line": ["0"], "follow": ["taken_over"], "until": ["2026-03-02T13:00"]}, "until_past"),
        ({"line": ["0"], "follow": ["passed"]}, "to_missing"),
        ({"line": ["0"], "follow": ["passed"], "to": ["handler.emperor"]}, "to_missing"),
    ],
)
def test_an_incomplete_form_is_refused(form: Form, missing: str) -> None:
    """Each thing that can be missing is named."""
    with pytest.raises(IncompleteError) as refused:
        read(form)
    assert str(refused.value) == missing


def test_a_complete_form_is_read() -> None:
    """Lines are taken in order and once; a time is on the recipient's wall; fields of other choices are left alone."""
    assert read({"line": ["2", "0", "2"], "follow": ["noted"], "until": ["soon"], "to": [""]}) == Answered(
        (0, 2), "noted"
    )
    until = datetime(2026, 3, 2, 13, 1, tzinfo=BERLIN)
    assert read({"line": ["1"], "follow": ["taken_over"], "until": ["2026-03-02T13:01"]}) == Answered(
        (1,), "taken_over", until=until
    )
    passed = read({"line": ["1"], "follow": ["passed"], "to": ["handler.director"]})
    assert passed == Answered((1,), "passed", to="handler.director")


@given(st.dictionaries(st.sampled_from(["line", "follow", "until", "to", "x"]), st.lists(st.text(), min_size=1)))
def test_no_form_is_stumbled_over(form: Form) -> None:
    """Whatever is sent, it is read or refused."""
    try:
        answered = read(form)
    except IncompleteError:
        return
    assert set(answered.lines) <= {0, 1, 2}
