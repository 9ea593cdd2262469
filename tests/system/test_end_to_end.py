"""A complaint from receipt to closure through every layer: Temporal, Postgres and a mail server, all real."""

from __future__ import annotations

from tests.support.smtp import SmtpSink
from tests.support.system import System
from tests.support.wait import eventually


async def test_a_quiet_complaint_leaves_its_results_in_postgres(system: System, smtp_sink: SmtpSink) -> None:
    """Open, respond, answer, accept: the case is closed, its clocks met, nobody mailed, its text unreadable at rest."""
    handle = await system.open("maintenance-service", "Q-1", level="1", category="usage")
    await handle.execute_update("respond", {"text": "We look into it."})
    await handle.execute_update("answer", {"text": "Press the red button."})
    await handle.execute_update("accept", {})
    assert (await handle.result())["closed"] == "accepted"
    (case,) = await system.rows("SELECT * FROM complaints")
    assert (case["id"], case["stage"], case["closed_reason"]) == ("maintenance-service/Q-1", "closed", "accepted")
    clocks = await system.rows("SELECT obligation, status FROM clocks ORDER BY obligation")
    assert [(c["obligation"], c["status"]) for c in clocks] == [("first_response", "met"), ("standard_answer", "met")]
    assert smtp_sink.messages == []
    at_rest = await system.rows("SELECT ciphertext FROM content")
    assert at_rest
    assert all(b"red button" not in row["ciphertext"] for row in at_rest)


async def test_a_missed_clock_is_mailed_and_acknowledged(system: System, smtp_sink: SmtpSink) -> None:
    """Seconds-long clocks run out; the manager's mail is accepted, acknowledged, and all of it stands in Postgres."""
    handle = await system.open("demo", "M-1")
    rows = await eventually(
        lambda: system.rows("SELECT * FROM notices WHERE rung = 'due' AND accepted_at IS NOT NULL"), 60
    )
    assert smtp_sink.messages
    role = rows[0]["role"]
    await handle.execute_update("acknowledge", {"by": {"role": role}, "notices": [rows[0]["key"]]})
    told = "SELECT 1 FROM notices WHERE key = :key AND acknowledged_at IS NOT NULL"
    await eventually(lambda: system.rows(told, key=rows[0]["key"]))
