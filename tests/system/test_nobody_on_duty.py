"""Nobody on duty does not hold a ladder up: the next step fires at once, and the gap is on record (invariant 13)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from rules.directory import Directory
from storage import contracts, directory
from storage.database import transaction
from tests.support.smtp import SmtpSink
from tests.support.story import SMALL, law
from tests.support.system import System
from tests.support.wait import eventually

LADDER = [
    {"at": "due", "tell": "handler.manager"},
    {"after": "100 days", "tell": "handler.director", "unless": "acknowledged"},
    {"after": "200 days", "tell": "handler.director"},
]


def roster(director: str) -> Directory:
    """A manager whose last shift is long over, and a director without shifts."""
    reached = {"name": "N", "email": "n@example.com", "language": "en", "zone": "UTC"}
    gone = {**reached, "shifts": [{"from": "2026-01-01 08:00", "to": "2026-01-01 16:00"}]}
    people = {"manager": gone, director: {**reached, "email": "director@example.com"}}
    roles = {"handler.manager": ["manager"], "handler.director": [director]}
    return Directory.model_validate({"people": people, "roles": {"night": roles}})


async def test_nobody_on_duty_fires_the_next_step_at_once(system: System, smtp_sink: SmtpSink) -> None:
    """The manager is off duty when a clock is missed: the director, due in 100 days, is mailed now instead."""
    promise: dict[str, Any] = {**SMALL["obligations"]["first_response"], "due": "1 second", "ladder": LADDER}
    contract = law(contract="night", obligations={"first_response": promise}, notices={}).contract
    since = datetime(2026, 1, 1, tzinfo=UTC)
    director = f"director.{uuid.uuid4().hex}"
    async with transaction(system.engine) as connection:
        await contracts.publish(connection, contract, since, "test", since)
        await directory.replace(connection, roster(director))
    handle = await system.open("night", "N-1")
    (told,) = await eventually(lambda: system.rows("SELECT * FROM notices WHERE accepted_at IS NOT NULL"), 60)
    assert (told["rung"], told["role"], told["person"]) == ("+100 days", "handler.director", director)
    assert [mail.recipients for mail in smtp_sink.messages] == [("director@example.com",)]
    (gap,) = await system.rows("SELECT * FROM notices WHERE role = 'handler.manager'")
    assert (gap["state"], gap["reason"], gap["person"]) == ("undeliverable", "nobody on duty", None)
    (entry,) = await system.rows("SELECT body FROM ledger WHERE type = 'notice_undeliverable'")
    assert entry["body"]["data"]["reason"] == "nobody on duty"
    await handle.terminate()
