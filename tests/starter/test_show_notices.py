"""What `ombud show` says of a notice beyond its state."""

from datetime import UTC, datetime, timedelta
from typing import Any

from starter.cli_reading import _since, _told
from storage.reading import NoticeState

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def notice(**changes: Any) -> NoticeState:
    """Told to the director at noon."""
    plain = dict.fromkeys(NoticeState.model_fields)
    given = {"key": "k", "seq": 1, "role": "handler.director", "state": "accepted", "planned_at": NOON, "joined": False}
    return NoticeState.model_validate(plain | given | {"accepted_at": NOON} | changes)


def test_a_crowd_is_named() -> None:
    """Told once for an incident, or joined what was told of it."""
    crowd = "small/INC-7/first_response@due/handler.director"
    assert _told(notice(crowd=crowd)) == "once for incident INC-7"
    assert _told(notice(crowd=crowd, joined=True)) == "joined what was told of incident INC-7"
    assert _told(notice(crowd=crowd, follow="noted", acknowledged_by="di")) == "noted by di, once for incident INC-7"
    assert _told(notice()) == ""


def test_since_when_it_stands_there() -> None:
    """Of a notice that was undeliverable at first and mailed at the next shift, the time of the mail."""
    early = NOON - timedelta(hours=2)
    assert _since(notice(undeliverable_at=early)) == NOON
    assert _since(notice(undeliverable_at=early, accepted_at=None, state="undeliverable")) == early
    assert _since(notice(accepted_at=None, state="planned", planned_at=early)) == early
