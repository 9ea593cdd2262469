"""What a foreign client may send through Temporal, sent to a real worker: nothing is wedged, nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import uuid4

from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
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
from tests.fuzz.oddities import ODD_TEXT
from tests.fuzz.payloads import OTHERS, arguments, commands, samples, sendable, start_of
from tests.fuzz.target import Tally
from tests.support.history import failures
from tests.support.system import System
from tests.support.wait import eventually

Handle = WorkflowHandle[Any, Any]

AT_ONCE = 8
PATIENCE = 30.0
"""Seconds for an answer: a workflow that is held up gives none."""
LONGEST = 3_000
"""Characters of a refusal."""


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
        """Count who is wedged; a complaint must answer a good command, unless it has closed, and be on record."""
        for handle in self.handles:
            good = await _unharmed(handle)
            if good and answering:
                said = await refusal(handle.execute_update("note", {"text": "Still here."}))
                state = await handle.query("state")
                good = bool(said) == bool(state["closed"])
                await eventually(partial(_recorded, self.system, handle.id, state["seq"]))
            self.tally.wedged += not good


async def _unharmed(handle: Handle) -> bool:
    """No task failed, but for one that a loaded machine held up: a deadlock to Temporal, which has it done again."""
    messages = [event.workflow_task_failed_event_attributes.failure.message async for event in failures(handle)]
    return all("TMPRL1101" in message for message in messages)


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
    await eventually(partial(_rows, system, sender.tally.accepted))
    return sender.tally


async def _rows(system: System, ran: int) -> bool:
    """Whether every start that became a complaint is a row."""
    return bool((await system.rows("SELECT count(*) AS n FROM complaints"))[0]["n"] >= ran)


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

    await sender.each(commands(count, number), one)
    await sender.healthy()
    return sender.tally


async def signals(system: System, count: int, number: int | None = None) -> Tally:
    """Commands and anything else as signals: what is not taken is an entry in the ledger, refused."""
    sender = Sender(system, Tally("signals through Temporal"))
    handles = {name: await sender.complaint() for name in COMMANDS}
    stranger = await sender.complaint()
    odd = samples(st.tuples(ODD_TEXT.filter(sendable), arguments({})), max(1, count // 5), number)
    outcome = {"notice": "none", "accepted": True, "at": "2026-11-20T10:00:00Z"}
    outcomes = [("notice_outcome", payloads) for payloads in samples(arguments(outcome), max(1, count // 10), number)]

    async def one(case: tuple[str, list[Payload]]) -> bool:
        name, payloads = case
        handle = handles.get(name, stranger)
        with suppress(RPCError):  # closed by one of them
            await handle.signal(name, args=[RawValue(payload) for payload in payloads])
        return True

    await sender.each([*commands(count, number), *odd, *outcomes], one)
    await sender.healthy()
    refused = 0
    for handle in sender.handles:
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
        sendable
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
        handle = await sender.start(kind, f"{kind.lower()}/{uuid4().hex[:12]}", payloads)
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


ALL = (starts, updates, signals, queries, other_workflows)
