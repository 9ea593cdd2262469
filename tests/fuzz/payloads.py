"""What a foreign client may send through Temporal: any payloads to any handler, in any number, and odd starts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.client import (
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
)
from temporalio.common import RawValue
from temporalio.service import RPCError, RPCStatusCode

from rules.commands import COMMANDS
from rules.values import Value
from tests.fuzz.oddities import JSON, ODD_TEXT, bent
from tests.fuzz.target import Tally
from tests.support.random_stories import BODIES
from tests.support.system import System
from tests.support.wait import eventually

Handle = WorkflowHandle[Any, Any]

AT_ONCE = 8
PATIENCE = 30.0
"""Seconds for an answer: a workflow that is held up gives none."""
LONGEST = 3_000
"""Characters of a refusal."""

ENCODINGS = (
    *(b"json/plain",) * 16,
    *(b"", b"binary/null", b"binary/plain", b"json/protobuf", b"binary/protobuf", b"binary/encrypted", b"\xff", b"x/y"),
)
ODD_DATA = (
    *(b"", b"{", b"{}", b"null", b"nul", b'"words"', b"[]", b"1e999", b"-", b"\xef\xbb\xbf{}", b'{"text": "\xff"}'),
    *(b'{"text": "\\ud800"}', b'{"text": NaN}', b"[" * 5_000, b'{"a":' * 5_000, b"9" * 10_000, b"\x00" * 100),
)
OTHERS = {"Canary": {}, "Circular": {"id": "c1"}, "Post": "ann", "Retention": {"erased": 1}, "Webhook": "w1"}
"""Workflows besides Complaint that anybody may start by name, and what fits them more or less."""


def start_of(reference: str) -> dict[str, Any]:
    """A sound start."""
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


@st.composite
def arguments(draw: st.DrawFn, sound: Any) -> list[Payload]:
    """What a handler is called with: mostly one payload, mostly JSON near to what fits."""
    count = draw(st.sampled_from((1, 1, 1, 1, 1, 1, 0, 2, 3)))
    return [draw(_payload(sound)) for _ in range(count)]


@st.composite
def _payload(draw: st.DrawFn, sound: Any) -> Payload:
    if draw(st.integers(0, 4)) < 4:
        value = draw(bent(sound) | bent(sound) | JSON) if draw(st.booleans()) else sound
        data = json.dumps(value).encode()
    else:
        data = draw(st.sampled_from(ODD_DATA) | st.binary(max_size=40))
    encoding = draw(st.sampled_from(ENCODINGS))
    metadata = {"encoding": encoding} if encoding else {}
    if encoding == b"binary/encrypted":
        metadata["encryption-key-id"] = draw(st.sampled_from((b"", b"\xff", b"0123456789abcdef")))
    return Payload(metadata=metadata, data=data)


def samples(strategy: st.SearchStrategy[Any], count: int, number: int | None = None) -> list[Any]:
    """So many inputs: those of a seed, or the same in every run."""
    drawn: list[Any] = []

    def draw(value: Any) -> None:
        drawn.append(value)

    made = settings(
        max_examples=count,
        database=None,
        derandomize=number is None,
        phases=[Phase.generate],
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )(given(strategy)(draw))
    (made if number is None else seed(number)(made))()
    return drawn[:count]


async def unharmed(handle: Handle) -> bool:
    """No workflow task failed but for a message that came in while it was about to end."""
    race = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
    async for event in handle.fetch_history_events():
        if (
            event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
            and event.workflow_task_failed_event_attributes.cause != race
        ):
            return False
    return True


@dataclass
class Sender:
    """Somebody who sends whatever comes, and looks at what became of it."""

    system: System
    tally: Tally
    handles: list[Handle] = field(default_factory=list)

    async def each(self, cases: list[Any], one: Callable[[Any], Awaitable[bool]]) -> None:
        """Send each; `one` says whether it was taken. Some at once: one after the other would take long."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def gated(case: Any) -> None:
            async with gate:
                self.tally.inputs += 1
                try:
                    taken = await asyncio.wait_for(one(case), 2 * PATIENCE)
                except Exception as error:  # noqa: BLE001  whatever else comes of it is a defect
                    self.tally.crashed(error, case)
                    return
                self.tally.accepted += taken
                self.tally.refused += not taken

        await asyncio.gather(*(gated(case) for case in cases))

    async def start(self, kind: str, id_: str, payloads: list[Any]) -> Handle:
        queue = self.system.settings.task_queue
        args = [RawValue(p) if isinstance(p, Payload) else p for p in payloads]
        handle = await self.system.client.start_workflow(kind, args=args, id=id_, task_queue=queue)
        self.handles.append(handle)
        return handle

    async def complaint(self) -> Handle:
        """A sound complaint."""
        reference = f"F-{uuid4().hex[:12]}"
        return await self.start("Complaint", f"complaint/maintenance-service/{reference}", [start_of(reference)])

    async def healthy(self, *, answering: bool = True) -> None:
        """Count who is wedged; a complaint must answer a good command, unless it has closed."""
        for handle in self.handles:
            good = await unharmed(handle)
            if good and answering:
                said = await refusal(handle.execute_update("note", {"text": "Still here."}))
                state = await handle.query("state")
                good = bool(said) == bool(state["closed"])
            self.tally.wedged += not good


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


async def starts(system: System, count: int, number: int | None = None) -> Tally:
    """Starts of a complaint: each runs and answers, or ends with its reason and stands among the rejects."""
    sender = Sender(system, Tally("starts through Temporal"))

    async def one(case: tuple[str, list[Payload]]) -> bool:
        reference, payloads = case
        handle = await sender.start("Complaint", f"complaint/maintenance-service/{reference}", payloads)
        try:
            await asyncio.wait_for(handle.execute_update("note", {"text": "Is it there?"}), PATIENCE)
        except (WorkflowUpdateFailedError, RPCError):
            return await _ended(handle)
        return True

    drawn = samples(arguments(start_of("R-0")), count, number)
    cases = []
    for payloads in drawn:
        reference = f"F-{uuid4().hex[:12]}"
        fitted = [_renamed(payload, reference) for payload in payloads]
        cases.append((reference, fitted))
    await sender.each(cases, one)
    await sender.healthy(answering=False)
    (rejects,) = await system.rows("SELECT count(*) AS n FROM rejects")
    assert rejects["n"] >= sender.tally.refused, "a start that was refused stands among the rejects"
    return sender.tally


def _renamed(payload: Payload, reference: str) -> Payload:
    return Payload(metadata=payload.metadata, data=payload.data.replace(b"R-0", reference.encode()))


async def _ended(handle: Handle) -> bool:
    """False where the run failed with a reason. AssertionError for any other end."""
    try:
        await asyncio.wait_for(handle.result(), PATIENCE)
    except WorkflowFailureError as failed:
        said = str(failed.cause)
        assert 10 < len(said) < LONGEST, said[:200]
        assert not said.startswith("Workflow "), said
        return False
    return True


async def updates(system: System, count: int, number: int | None = None) -> Tally:
    """Commands as updates: each is taken, or refused in words."""
    sender = Sender(system, Tally("updates through Temporal"))
    handles = {name: await sender.complaint() for name in COMMANDS}  # so that a withdrawn one takes no other with it

    async def one(case: tuple[str, list[Payload]]) -> bool:
        name, payloads = case
        handle = handles[name]
        said = await refusal(
            handle.execute_update(name, args=[RawValue(payload) for payload in payloads], id=uuid4().hex)
        )
        assert len(said) < LONGEST
        return not said

    await sender.each(_commands(count, number), one)
    await sender.healthy()
    return sender.tally


async def signals(system: System, count: int, number: int | None = None) -> Tally:
    """Commands and anything else as signals: what is not taken is an entry in the ledger, refused."""
    sender = Sender(system, Tally("signals through Temporal"))
    handles = {name: await sender.complaint() for name in COMMANDS}
    stranger = await sender.complaint()
    odd = samples(st.tuples(ODD_TEXT.filter(_sendable), arguments({})), max(1, count // 5), number)
    outcome = {"notice": "none", "accepted": True, "at": "2026-11-20T10:00:00Z"}
    outcomes = [("notice_outcome", payloads) for payloads in samples(arguments(outcome), max(1, count // 10), number)]

    async def one(case: tuple[str, list[Payload]]) -> bool:
        name, payloads = case
        handle = handles.get(name, stranger)
        with suppress(RPCError):  # closed by one of them
            await handle.signal(name, args=[RawValue(payload) for payload in payloads])
        return True

    await sender.each([*_commands(count, number), *odd, *outcomes], one)
    await sender.healthy()
    refused = 0
    for handle in sender.handles:
        state = await handle.query("state")
        await eventually(partial(_recorded, system, handle.id, state["seq"]))
        refused += (await _counted(system, handle.id))["refused"]
    assert refused >= len(odd), "a signal that nobody knows is in the ledger, refused"
    sender.tally.refused = refused
    sender.tally.accepted = sender.tally.inputs - refused
    return sender.tally


async def _recorded(system: System, stream: str, seq: int) -> bool:
    return bool((await _counted(system, stream))["n"] >= seq)


async def _counted(system: System, stream: str) -> dict[str, Any]:
    """How many entries stand in the ledger of a complaint, and how many of them are signals that were refused."""
    query = "SELECT count(*) AS n, count(*) FILTER (WHERE type = 'refused') AS refused FROM ledger WHERE stream = :s"
    return (await system.rows(query, s=stream))[0]


async def queries(system: System, count: int, number: int | None = None) -> Tally:
    """Queries with any name and arguments: answered or refused, and nothing changes."""
    sender = Sender(system, Tally("queries through Temporal"))
    handle = await sender.complaint()
    names = st.sampled_from(("state", "state", "__stack_trace", "__temporal_workflow_metadata")) | ODD_TEXT.filter(
        _sendable
    )

    async def one(case: tuple[str, list[Payload]]) -> bool:
        name, payloads = case
        try:
            await asyncio.wait_for(handle.query(name, args=[RawValue(payload) for payload in payloads]), PATIENCE)
        except (WorkflowQueryFailedError, WorkflowQueryRejectedError, RPCError):
            return False
        return True

    await sender.each(samples(st.tuples(names, arguments({})), count, number), one)
    await sender.healthy()
    return sender.tally


async def other_workflows(system: System, count: int, number: int | None = None) -> Tally:
    """Starts and pokes of the workflows that only Ombud itself has a use for: each ends by itself or in words."""
    sender = Sender(system, Tally("other workflows"))
    cases = samples(
        st.sampled_from(sorted(OTHERS)).flatmap(
            lambda kind: st.tuples(st.just(kind), arguments(OTHERS[kind]), arguments({}))
        ),
        count,
        number,
    )

    async def one(case: tuple[str, list[Payload], list[Payload]]) -> bool:
        kind, payloads, poke = case
        handle = await sender.start(kind, f"fuzz/{kind}/{uuid4().hex[:12]}", payloads)
        with suppress(RPCError):
            await handle.signal("poke", args=[RawValue(payload) for payload in poke])
        try:
            await asyncio.wait_for(handle.result(), 3)
        except WorkflowFailureError:
            return False
        except TimeoutError:  # it waits for something; whether in health is looked at below
            pass
        return True

    await sender.each(cases, one)
    await sender.healthy(answering=False)
    for handle in sender.handles:
        with suppress(RPCError):
            await handle.terminate()
    return sender.tally


def _commands(count: int, number: int | None) -> list[tuple[str, list[Payload]]]:
    """Some of every command."""
    named = st.sampled_from(sorted(COMMANDS)).flatmap(
        lambda name: st.tuples(st.just(name), arguments(texts_of(COMMANDS[name]) | BODIES[name][0]))
    )
    return samples(named, count, number)


def _sendable(name: str) -> bool:
    """What gRPC carries as the name of a handler that is none of ours."""
    return bool(name) and len(name) < 900 and name not in COMMANDS and not any("\ud800" <= c <= "\udfff" for c in name)


ALL = (starts, updates, signals, queries, other_workflows)
