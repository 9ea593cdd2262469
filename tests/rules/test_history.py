"""Old cases go through the core as they would have gone then, and say what the source did not know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.commands import Answer, Close, Note, OpenComplaint, Respond
from rules.fold import fold
from rules.history import AT_IMPORT, DueOf, Past, relive
from rules.law import law_of
from rules.ledger import Refused
from tests.support.story import SMALL

LAW = law_of(SMALL)
RECEIVED = datetime(2026, 3, 2, 9, tzinfo=UTC)
IMPORTED = datetime(2027, 6, 1, tzinfo=UTC)


def start(**fields: object) -> OpenComplaint:
    return OpenComplaint.model_validate(
        {
            "contract": "small",
            "reference": "H-1",
            "kind": "enquiry",
            "channel": "phone",
            "received_at": RECEIVED,
            "content": "It does not work.",
            "history": True,
            **fields,
        }
    )


def answered(at: datetime) -> list[Past]:
    return [
        Past(Respond(text="We look.", key="1"), at),
        Past(Answer(text="So.", key="2"), at),
        Past(Close(key="3"), at),
    ]


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=400)))
def test_an_old_case_reads_as_if_it_had_been_run_then(after: timedelta) -> None:
    """Whenever it was answered: in time is met, late is missed and done, never missed and refuted; nobody is told."""
    past = relive(start(), answered(RECEIVED + after), LAW, IMPORTED).decision
    types = [entry.type for entry in past.entries]
    assert "miss_refuted" not in types
    assert not any(entry.notices for entry in past.entries)
    assert {entry.recorded_at for entry in past.entries} == {IMPORTED}
    assert [entry.seq for entry in past.entries] == list(range(1, len(types) + 1))
    case = fold(past.entries)
    assert case.closed is not None
    for clock in case.clocks:
        in_time = RECEIVED + after <= clock.due_at
        assert clock.status == ("met" if in_time else "missed"), clock


def test_in_time_without_a_time_is_the_due_and_says_so() -> None:
    """Where the source knows only `in time`, the due stands for when, flagged, and the clock is met."""
    obligation = next(iter(SMALL["obligations"]))
    acts = [Past(Respond(text="We look.", key="1"), DueOf(obligation))]
    relived = relive(start(), acts, LAW, IMPORTED)
    responded = next(entry for entry in relived.decision.entries if entry.type == "responded")
    clock = next(clock for clock in relived.decision.case.clocks if clock.obligation == obligation)
    assert responded.occurred_at == clock.due_at == relived.commands[0].occurred_at
    assert clock.status == "met"
    assert "time not in the source" in responded.data["flags"][0]


def test_an_unknown_time_is_the_import_and_says_so() -> None:
    """Where the source knows no time, the import stands for when, flagged: the lateness is an upper bound."""
    acts = [Past(act.command, AT_IMPORT) for act in answered(RECEIVED)]
    past = relive(start(), acts, LAW, IMPORTED).decision
    closed = past.entries[-1]
    assert (closed.type, closed.occurred_at) == ("closed", IMPORTED)
    assert "time not in the source" in closed.data["flags"][0]


def test_what_lies_ahead_of_the_import_is_refused() -> None:
    """An act later than the import has not happened, and a due ahead of it counts as the import."""
    with pytest.raises(Refused, match="future"):
        relive(start(), answered(IMPORTED + timedelta(hours=1)), LAW, IMPORTED)
    obligation = next(iter(SMALL["obligations"]))
    soon = relive(start(), [Past(Respond(text="x"), DueOf(obligation))], LAW, RECEIVED).decision
    assert next(e for e in soon.entries if e.type == "responded").occurred_at == RECEIVED


def test_silence_does_not_close_before_a_known_act() -> None:
    """What was done long after the answer shows that the case was not over by silence; after the last act it is."""
    long_after = RECEIVED + timedelta(days=200)
    acts = [*answered(RECEIVED)[:2], Past(Note(text="Still talking.", key="9"), long_after)]
    past = relive(start(), acts, LAW, IMPORTED).decision
    types = [entry.type for entry in past.entries]
    assert types.index("noted") < types.index("closed")
    assert past.entries[-1].data["reason"] == "silence"


def test_a_due_of_nothing_is_refused() -> None:
    """A map that takes the due of a clock this complaint does not have is told so."""
    with pytest.raises(Refused, match="no clock 'nothing'"):
        relive(start(), [Past(Respond(text="x"), DueOf("nothing"))], LAW, IMPORTED)
