"""Nobody on duty does not hold a ladder up: the next step fires at once, and the gap is on record (invariant 13)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError

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


async def test_an_act_told_to_nobody_is_mailed_when_a_shift_begins(system: System, smtp_sink: SmtpSink) -> None:
    """An act is told while nobody is on duty: undeliverable at once, mailed by itself when the shift begins, and
    accepted on the complaint's record after that."""
    manager = f"manager.{uuid.uuid4().hex}"
    promise: dict[str, Any] = {**SMALL["obligations"]["first_response"], "ladder": LADDER[2:]}
    contract = law(
        contract="night", obligations={"first_response": promise}, notices={"note": "handler.manager"}
    ).contract
    since = datetime(2026, 1, 1, tzinfo=UTC)
    async with transaction(system.engine) as connection:
        await contracts.publish(connection, contract, since, "test", since)
    handle = await system.open("night", f"N-{uuid.uuid4().hex[:8]}")
    await eventually(lambda: system.rows("SELECT 1 FROM complaints WHERE contract = 'night'"))
    begins = datetime.now(UTC) + timedelta(seconds=20)
    shift = {"from": begins.isoformat(), "to": (begins + timedelta(hours=1)).isoformat()}
    reached = {"name": "N", "email": "manager@example.com", "language": "en", "zone": "UTC", "shifts": [shift]}
    people = {"people": {manager: reached}, "roles": {"night": {"handler.manager": [manager]}}}
    async with transaction(system.engine) as connection:
        await directory.replace(connection, Directory.model_validate(people))
    await handle.execute_update("note", {"text": "Look at this."})
    await eventually(lambda: system.rows("SELECT 1 FROM notices WHERE state = 'undeliverable'"))
    (entry,) = await system.rows("SELECT body FROM ledger WHERE type = 'notice_undeliverable'")
    assert entry["body"]["data"]["reason"] == "nobody on duty"
    (told,) = await eventually(lambda: system.rows("SELECT * FROM notices WHERE state = 'accepted'"))
    assert (told["person"], told["accepted_at"] >= begins) == (manager, True)
    assert [mail.recipients for mail in smtp_sink.messages] == [("manager@example.com",)]
    await handle.terminate()


async def test_a_step_for_the_person_complained_about_alone_goes_on(system: System, smtp_sink: SmtpSink) -> None:
    """Rule 37: the manager is complained about and nobody else holds the role, so the director is mailed at once; the
    gap is on record with its reason, and the manager can neither acknowledge nor own the case."""
    promise: dict[str, Any] = {**SMALL["obligations"]["first_response"], "due": "1 second", "ladder": LADDER}
    contract = law(contract="night", obligations={"first_response": promise}, notices={}).contract
    since = datetime(2026, 1, 1, tzinfo=UTC)
    director = f"director.{uuid.uuid4().hex}"
    reached = {"name": "N", "language": "en", "zone": "UTC"}
    people = {name: {**reached, "email": f"{name[:8]}@example.com"} for name in ("manager", director)}
    roles = {"handler.manager": ["manager"], "handler.director": [director]}
    async with transaction(system.engine) as connection:
        await contracts.publish(connection, contract, since, "test", since)
        await directory.replace(connection, Directory.model_validate({"people": people, "roles": {"night": roles}}))
    handle = await system.open("night", f"N-{uuid.uuid4().hex[:8]}", against="manager")
    (told,) = await eventually(lambda: system.rows("SELECT * FROM notices WHERE accepted_at IS NOT NULL"))
    assert (told["rung"], told["person"]) == ("+100 days", director)
    (gap,) = await system.rows("SELECT * FROM notices WHERE role = 'handler.manager'")
    assert gap["reason"] == "nobody but the person complained about stands behind the role"
    by = {"role": "handler.manager", "person": "manager"}
    for command, body in (("acknowledge", {"by": by}), ("assign", {"person": "manager"})):
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await handle.execute_update(command, body)
        assert "rule 37" in str(refused.value.cause)
    assert [mail.recipients for mail in smtp_sink.messages] == [("director@example.com",)]
    await handle.terminate()
