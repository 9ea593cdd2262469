"""Whatever JSON arrives as a start, an update or a signal: nothing is held up, and what was taken is on record."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowFailureError, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import RawValue
from temporalio.service import RPCError, RPCStatusCode

from rules.commands import COMMANDS, OpenComplaint
from rules.values import Value
from tests.support.history import unharmed
from tests.support.system import System
from tests.support.wait import eventually

EACH = 120
"""Inputs of each kind."""

PATIENCE = 30.0

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
    | st.sampled_from(
        ["2", "3", 2, "handler.owner", "new_facts", "reached", "refund", "maintenance-service", "\x00", "🙂"]
    )
)
_JSON: st.SearchStrategy[Any] = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def bodies(model: type[Value], sound: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Anything at all, or a sound input with some of its fields changed, left out or made up."""
    fields = st.sampled_from([*model.model_fields, "colour"])
    changed = st.dictionaries(fields, _JSON, max_size=3).map(lambda some: sound | some)
    gone = st.sets(st.sampled_from(list(sound))) if sound else st.just(set())
    without = gone.map(lambda some: {k: v for k, v in sound.items() if k not in some})
    return _JSON | changed | without


def samples(strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    """The same inputs in every run."""
    drawn: list[Any] = []

    @settings(
        max_examples=count,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def draw(value: Any) -> None:
        drawn.append(value)

    draw()
    return drawn[:count]


def sent(body: Any) -> RawValue:
    """The body as a careless client would send it: NaN, Infinity and halves of characters included."""
    return RawValue(Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(body).encode()))


def start_of(reference: str) -> dict[str, Any]:
    return {
        "contract": "maintenance-service",
        "reference": reference,
        "kind": "complaint",
        "category": "product_quality",
        "level": "2",
        "channel": "wechat",
        "received_at": datetime.now(UTC).isoformat(),
        "content": "It leaks.",
    }


def texts_of(model: type[Value]) -> dict[str, Any]:
    """A sound input of a command, as far as text goes."""
    return {name: "Some words." for name in ("text", "cause", "reason", "plan") if name in model.model_fields}


async def side_by_side(cases: list[Any], one: Callable[[Any], Any]) -> list[Any]:
    """One after the other would take long; all at once would be a load test."""
    gate = asyncio.Semaphore(8)

    async def gated(case: Any) -> Any:
        async with gate:
            return await one(case)

    return list(await asyncio.gather(*(gated(case) for case in cases)))


def reference() -> str:
    return f"F-{uuid4().hex[:12]}"


async def begin(system: System, name: str, body: Any) -> WorkflowHandle[Any, Any]:
    return await system.client.start_workflow(
        "Complaint", sent(body), id=f"complaint/maintenance-service/{name}", task_queue=system.settings.task_queue
    )


async def refusal(call: Awaitable[Any]) -> str:
    """Why a command was refused; nothing when it was taken. A complaint that has ended refuses by its absence."""
    try:
        await asyncio.wait_for(call, PATIENCE)
    except WorkflowUpdateFailedError as refused:
        return str(refused.cause)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return error.message
    return ""


async def test_any_start_ends_with_a_reason_or_runs(system: System) -> None:
    """Each start is refused in words or answers a command; no workflow task fails, and every one that runs is a row."""

    async def one(body: Any) -> str:
        name = reference()
        whole = body | {"reference": name} if isinstance(body, dict) and "contract" in body else body
        handle = await begin(system, name, whole)
        why = await refusal(handle.execute_update("note", {"text": "Is it there?"}))
        if why:
            with pytest.raises(WorkflowFailureError) as caught:
                await asyncio.wait_for(handle.result(), PATIENCE)
            why = str(caught.value.cause)
        await unharmed(handle)
        return why

    whys = await side_by_side(samples(bodies(OpenComplaint, start_of("R")), EACH), one)
    refused = [why for why in whys if why]
    ran = len(whys) - len(refused)
    print(f"{len(whys)} starts tried, {ran} run, {len(refused)} refused")  # noqa: T201
    assert all(why.startswith(("Rejected: The start", "Rejected: Unknown")) and len(why) < 3_000 for why in refused)
    assert ran
    assert refused
    await eventually(lambda: _counts(system, "SELECT count(*) AS n FROM ledger WHERE type = 'noted'", ran))
    assert await _counts(system, "SELECT count(*) AS n FROM complaints", ran)
    assert await _counts(system, "SELECT count(*) AS n FROM rejects", len(refused))


async def test_any_update_is_answered(system: System) -> None:
    """Each update is taken or refused, at once; what was taken is in the ledger, and the complaints go on."""
    handles = await _a_complaint_a_command(system)
    cases = _commands()
    whys = await side_by_side(
        cases, lambda case: refusal(handles[case[0]].execute_update(case[0], sent(case[1]), id=uuid4().hex))
    )
    refused = [why for why in whys if why]
    taken = len(whys) - len(refused)
    print(f"{len(cases)} updates tried, {taken} taken, {len(refused)} refused")  # noqa: T201
    assert all(10 < len(why) < 3_000 for why in refused)
    assert taken
    assert refused
    await _still_there(system, list(handles.values()))


async def test_any_signal_is_taken_or_on_record(system: System) -> None:
    """A signal cannot be refused: each that was not taken is an entry of its own, and the complaints go on."""
    handles = await _a_complaint_a_command(system)
    other = await begin(system, name := reference(), start_of(name))
    names = [name for name in samples(st.text("abc 投🙂\x7f", min_size=1, max_size=30), 20) if name not in COMMANDS]
    outcomes = [("notice_outcome", body) for body in samples(_JSON, 20)]
    cases = [*_commands(), *((name, {}) for name in names), *outcomes]
    for name, body in cases:
        with suppress(RPCError):  # withdrawn by one of them
            await handles.get(name, other).signal(name, sent(body))
    await _still_there(system, [*handles.values(), other])
    (refused,) = await system.rows("SELECT count(*) AS n FROM ledger WHERE type = 'refused'")
    print(f"{len(cases)} signals tried, {refused['n']} refused on record")  # noqa: T201
    assert len(names) + len(outcomes) <= refused["n"] < len(cases)


def _commands() -> list[tuple[str, Any]]:
    each = -(-EACH // len(COMMANDS))
    return [(name, body) for name, model in COMMANDS.items() for body in samples(bodies(model, texts_of(model)), each)]


async def _a_complaint_a_command(system: System) -> dict[str, WorkflowHandle[Any, Any]]:
    """So that the one that is withdrawn takes no other with it."""
    return {command: await begin(system, name, start_of(name)) for command in COMMANDS for name in [reference()]}


async def _still_there(system: System, handles: list[WorkflowHandle[Any, Any]]) -> None:
    """Every complaint answers or has closed in good order, all it decided is recorded, and no task ever failed."""
    for handle in handles:
        why = await refusal(handle.execute_update("note", {"text": "Still here."}))
        state = await handle.query("state")
        assert bool(why) == bool(state["closed"]), why
        query = f"SELECT count(*) AS n FROM ledger WHERE stream = '{handle.id}' AND seq <= {state['seq']}"
        await eventually(partial(_counts, system, query, state["seq"]))
        await unharmed(handle)


async def _counts(system: System, query: str, expected: int) -> bool:
    (row,) = await system.rows(query)
    return bool(row["n"] == expected)
