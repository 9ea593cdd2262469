"""Names planted in every text that people can give, and looked for everywhere but where texts belong."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError

from rules.commands import COMMANDS, CONTENT
from starter.client import Ombud
from storage.database import transaction
from tests.starter.conftest import opening
from tests.support.people import everybody
from tests.support.recorded import published
from tests.support.smtp import SmtpSink
from tests.support.system import System
from tests.support.wait import eventually

NAME = "Ms-Wexford-of-Larkspur-Lane"
"""Plain enough to survive any encoding of a text as it is."""

LIFE: list[tuple[str, dict[str, Any]]] = [
    ("respond", {}),
    ("hand_over", {"to": "handler.manager"}),
    ("update_customer", {}),
    ("contact", {"role": "principal.responsible_person", "outcome": "reached"}),
    ("preliminary_plan", {}),
    ("customer_writes", {}),
    ("no_reply_needed", {}),
    ("reclassify", {"level": "3", "reason": "new_facts"}),
    ("assign", {"person": "p.wang"}),
    ("recuse", {"person": "p.zhao"}),
    ("link", {"to": "R-9", "relation": "part_of"}),
    ("findings", {}),
    ("propose", {}),
    ("explain", {}),
    ("acknowledge", {"by": {"role": "handler.manager"}}),
    ("note", {}),
    ("resolve", {"outcome": "upheld"}),
    ("tell_result", {}),
    ("reject", {}),
    ("answer", {}),
    ("propose", {}),
    ("resolve", {"outcome": "partly"}),
]
"""Every command that carries text and leaves the complaint open, in an order that is taken."""

PRINCIPAL = {"role": "principal.responsible_person", "person": "p.gao"}
SOON = (datetime.now(UTC) + timedelta(days=1)).isoformat()

FACTS: list[tuple[str, Callable[[dict[str, int]], dict[str, Any]]]] = [
    ("request", lambda _: {"of": PRINCIPAL["role"], "due": SOON}),
    ("contest_request", lambda at: {"request": at["request"], "by": PRINCIPAL}),
    ("request", lambda _: {"of": PRINCIPAL["role"], "due": SOON}),
    ("answer_request", lambda at: {"request": at["request"], "by": PRINCIPAL}),
    ("demand", lambda _: {"wants": "detail", "by": PRINCIPAL}),
    ("answer_demand", lambda at: {"demand": at["demand"]}),
    ("note", lambda _: {}),
    ("give_up", lambda at: {"refused": at["note"]}),
    ("correct", lambda at: {"entry": at["note"], "void": True, "by": {"role": "handler.owner", "person": "p.li"}}),
    ("approve_correction", lambda at: {"entry": at["correct"], "by": {"role": "handler.manager", "person": "p.wu"}}),
    ("waive", lambda _: {"clock": "resolution#1", "by": PRINCIPAL, "evidence": [{"id": "l-1", "sha256": "0" * 64}]}),
]
"""What speaks of entries before it: their numbers by the command that made them."""

ENDS: list[tuple[str, dict[str, Any]]] = [
    ("withdraw", {}),
    ("take_back", {}),
    ("merge", {"into": "R-3"}),
    ("undo_merge", {}),
]
"""What ends the complaint, and what brings it back by another run."""

INPUTS = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
}
"""Events whose input has to carry a text to where it is sealed."""


def planted(command: str, body: dict[str, Any]) -> dict[str, Any]:
    """The command with the name in each of its texts."""
    fields = COMMANDS[command].model_fields
    return body | {field: f"{NAME} says so." for field, info in fields.items() if CONTENT in info.metadata}


async def test_a_name_stands_only_where_texts_belong(
    system: System, smtp_sink: SmtpSink, caplog: pytest.LogCaptureFixture
) -> None:
    """Invariant 19: no name in ids, attributes, memo, summaries, details, state, answers, logs, tables or mails."""
    caplog.set_level(logging.DEBUG)
    await everybody(system)
    async with transaction(system.engine) as connection:
        await published(connection)
    received = datetime.now(UTC) - timedelta(days=4)
    texts = {"content": f"{NAME} is angry.", "remedy_sought": f"An apology to {NAME}"}
    start = opening(
        contract="small", reference="R-1", category="product", channel="phone", received_at=received, **texts
    )
    ombud = Ombud(system.client, system.engine, task_queue=system.settings.task_queue)
    opened = await ombud.open(start)
    await ombud.open(start.model_copy(update={"reference": "R-3"}))
    handle = system.client.get_workflow_handle(opened.workflow_id)
    said: list[str] = []
    at: dict[str, int] = {}
    for name, about in FACTS:
        taken = await handle.execute_update(name, planted(name, about(at)))
        at[name] = taken["seq"]
        said.append(str(taken))
    said += [str(await handle.execute_update(name, planted(name, body))) for name, body in LIFE]
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update("answer", {"text": NAME, "colour": "red"})
    said.append(str(refused.value.cause))
    await handle.signal("accept", {"text": NAME, "occurred_at": "2020-01-01T00:00:00Z"})
    await handle.signal("respond", {"text": NAME, "colour": "red"})
    wrong = await system.client.start_workflow(
        "Complaint",
        {"content": NAME, "contract": f"{NAME} says so."},
        id="complaint/small/R-2",
        task_queue=system.settings.task_queue,
    )
    await eventually(lambda: system.rows("SELECT 1 FROM rejects"))
    await eventually(lambda: _recorded(system, handle))
    await eventually(lambda: _nothing_waits(system))
    for name, body in ENDS:
        told = COMMANDS[name].model_validate(planted(name, body))
        said.append(str(await ombud.tell(opened.complaint, told)))
    said += [str(await handle.query("state")), str(await handle.query("__temporal_workflow_metadata"))]
    said += [record.getMessage() for record in caplog.records if record.name != "mail.log"]  # the mail server's own
    said += await _tables(system)
    assert smtp_sink.messages
    for mail in smtp_sink.messages:
        parts = [part.get_content() for part in mail.message.walk() if not part.is_multipart()]
        said += [str(mail.message.items()), *map(str, parts)]
    _nowhere(said)
    for each in (handle, wrong):
        assert NAME.encode() not in (await each.describe()).raw_description.SerializeToString()
        async for event in each.fetch_history_events():
            if event.event_type in INPUTS:
                assert NAME.encode() not in event.user_metadata.SerializeToString()
            else:
                assert NAME.encode() not in event.SerializeToString(), EventType.Name(event.event_type)
    await handle.terminate()


def test_every_text_is_planted() -> None:
    """The life above has every command that carries text, but for those that need a case or a contract of their own."""
    carrying = {name for name in COMMANDS if planted(name, {})}
    told = {name for name, _ in (*LIFE, *FACTS, *ENDS)}
    assert carrying - told == {"accept", "answer_survey", "close", "confirm_report", "replan"}


def _nowhere(said: Iterable[str]) -> None:
    for text in said:
        assert NAME not in text
        assert NAME.encode().hex() not in text


async def _tables(system: System) -> list[str]:
    """Every row of every table."""
    tables = await system.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return [
        row["row"]
        for table in tables
        for row in await system.rows(f"SELECT t::text AS row FROM {table['tablename']} t")
    ]


async def _recorded(system: System, handle: WorkflowHandle[Any, Any]) -> bool:
    """Whether Postgres has all that the complaint decided, both refused signals among it."""
    rows = await system.rows("SELECT type FROM ledger WHERE stream = 'complaint/small/R-1'")
    case = await handle.query("state")
    return len(rows) == case["seq"] and [row["type"] for row in rows].count("refused") == 2


async def _nothing_waits(system: System) -> bool:
    return not await system.rows("SELECT 1 FROM notices WHERE state IN ('planned', 'claimed')")
