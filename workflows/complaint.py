"""One complaint, from receipt to closure: the procedure. What it means is decided in `rules`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from activities.interface import (
        LOAD,
        OUTCOME,
        REGISTER,
        REJECT,
        REVIVE,
        Ledger,
        Registered,
        Registration,
        Rejected,
        Revival,
        Stream,
        complaint_id,
    )
    from rules.commands import COMMANDS, Command, OpenComplaint
    from rules.complaint import Complaint as Case
    from rules.complaint import fold
    from rules.decide import Decision, cancel, decide, deliver, open_complaint, refuse, tick
    from rules.divergence import go_on
    from rules.judge import InForce, Wake, next_wake
    from rules.law import law_of
    from rules.ledger import Refused, digest, explain_invalid
    from rules.notices import Outcome
    from rules.stage import reached
    from workflows import search_attributes
    from workflows.carried import Carried
    from workflows.details import label, markdown
    from workflows.recorder import Outbox, durable
    from workflows.updates import Taken, Updates, parse


class Stopped(Exception):
    """The complaint did not begin: a duplicate, a conflict or a bad start. Carries what the run ends with."""

    def __init__(self, result: dict[str, Any] | None = None, error: ApplicationError | None = None) -> None:
        self.result = result or {}
        self.error = error


@workflow.defn(name="Complaint")
class Complaint(Updates):
    """Runs one complaint under the contract version in force at its receipt."""

    def __init__(self) -> None:
        self.begun = False
        self.stopped = False
        self.cancelled = False
        self.case: Case
        self.law: InForce
        self.outbox: Outbox
        self.records: asyncio.Task[None]
        self.registered: Registered
        self.wake: Wake | None = None
        self.early: list[tuple[str, Sequence[RawValue]]] = []

    @workflow.run
    async def run(self, start: Any = None, *surplus: Any) -> dict[str, Any]:
        """`start` is an OpenComplaint as JSON (docs/wire.md), or what the run before carries on.

        Its life is a task of its own, so that a cancel request from the Web UI ends nothing but is put on record.
        """
        life = asyncio.create_task(self.life(start, surplus))
        while True:
            try:
                return await asyncio.shield(life)
            except asyncio.CancelledError:
                if life.cancelled():
                    raise
                self.cancelled = True
                if self.begun:
                    self.apply(cancel(self.case, workflow.now()))

    async def life(self, start: Any, surplus: tuple[Any, ...]) -> dict[str, Any]:
        """From registration to closure, or to the next run."""
        try:
            if workflow.info().continued_run_id:
                self.resume(Carried.model_validate(start))
            elif isinstance(start, dict) and start.keys() == Revival.model_fields.keys():
                await self.revive(start)
            else:
                await self.open(start, surplus)
        except Stopped as stop:
            self.stopped = True
            await workflow.wait_condition(workflow.all_handlers_finished)
            if stop.error:
                raise stop.error from None
            return stop.result
        self.records = asyncio.create_task(self.record())
        await self.watch()
        if self.case.closed:
            await workflow.wait_condition(lambda: self.records.done() or not self.outbox.entries)
        if self.records.done():
            self.records.result()  # a fault of ours holds the workflow task up, where a corrected worker resumes it
        self.records.cancel()
        await workflow.wait_condition(lambda: self.records.done() and workflow.all_handlers_finished())
        if self.case.closed and not self.outbox.entries:
            return {"complaint": self.case.id, "closed": self.case.closed.reason, "entries": self.case.seq}
        return workflow.continue_as_new(Carried.of(self.case, self.registered, self.outbox))

    async def open(self, start: Any, surplus: tuple[Any, ...]) -> None:
        """Registers (invariant 17) and starts the clocks. Raises Stopped when there is nothing to run."""
        info = workflow.info()
        try:
            if surplus:
                raise Refused("A complaint is started with one argument: an object as docs/wire.md describes it.")
            asked = OpenComplaint.model_validate(start)
            if info.workflow_id != complaint_id(asked.contract, asked.reference):
                raise Refused(f"The workflow id must be {complaint_id(asked.contract, asked.reference)}.")
        except ValidationError as error:
            raise await self.rejected(explain_invalid("The start of a complaint", error), start) from None
        except Refused as refusal:
            raise await self.rejected(str(refusal), start) from None
        registration = Registration(
            start=asked,
            digest=digest(asked),
            first_run=info.first_execution_run_id,
            recorded_at=info.start_time,
        )
        self.registered = await durable(REGISTER, registration, Registered, "register")
        match self.registered.standing:
            case "duplicate":
                raise Stopped(result={"complaint": f"{asked.contract}/{asked.reference}", "duplicate": True})
            case "conflict":
                raise Stopped(error=ApplicationError(self.registered.message, type="Conflict", non_retryable=True))
            case "unknown contract":
                raise await self.rejected(self.registered.message, start)
        self.law = law_of(self.registered.contract or {})
        try:
            decision = open_complaint(asked, self.law, info.start_time, workflow.now())
        except Refused as refusal:
            raise await self.rejected(str(refusal), start) from None
        self.outbox = Outbox(decision.case.id, self.registered.version)
        self.begin(decision)

    def resume(self, carried: Carried) -> None:
        """Goes on where the run before stopped; nothing was lost in between."""
        self.registered = carried.registered
        self.law = law_of(carried.registered.contract or {})
        self.outbox = carried.outbox()
        self.begin(Decision(carried.case))

    async def revive(self, start: Any) -> None:
        """Goes on from the ledger after Temporal lost the run before (invariant 18). What was missed is judged late."""
        try:
            revival = Revival.model_validate(start)
        except ValidationError as error:
            raise await self.rejected(explain_invalid("The revival of a complaint", error), start) from None
        stream = Stream(complaint=revival.revive)
        self.registered = await durable(REVIVE, stream, Registered, "revive")
        ledger = await durable(LOAD, stream, Ledger, "load the ledger")
        if self.registered.standing != "new" or not ledger.entries:
            raise Stopped(error=ApplicationError(self.registered.message, type="Rejected", non_retryable=True))
        case = fold(list(ledger.entries))
        if complaint_id(case.contract, case.reference) != workflow.info().workflow_id:
            raise Stopped(error=ApplicationError(f"This workflow cannot be {case.id}.", type="Rejected"))
        self.law = law_of(self.registered.contract or {})
        self.outbox = Outbox(case.id, self.registered.version)
        self.begin(tick(case, self.law, workflow.now()))

    def begin(self, decision: Decision) -> None:
        self.begun = True
        self.apply(decision)
        while self.early:
            self.signalled(*self.early.pop(0))

    async def watch(self) -> None:
        """Waits on one timer at a time, the earliest moment of all clocks, until the case is closed or grows long."""

        def over() -> bool:
            info = workflow.info()
            return self.case.closed is not None or info.is_continue_as_new_suggested() or self.records.done()

        while not over():
            armed = self.wake
            now = workflow.now()
            if armed is not None and armed.at <= now:
                self.apply(tick(self.case, self.law, now))
                continue
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self.wake != armed or over(),  # noqa: B023  armed stands still while we wait
                    timeout=armed.at - now if armed else None,
                    timeout_summary=label(self.law, self.case, armed) if armed else None,
                )

    async def record(self) -> None:
        """Keeps Postgres up with the ledger, beside the clocks."""
        while True:
            await workflow.wait_condition(lambda: bool(self.outbox.entries))
            recorded = await self.outbox.record(reached(self.case, self.law.contract))
            if recorded.diverged:
                await self.reload()
            for notice in recorded.nobody:
                nobody = Outcome(
                    notice=notice, accepted=False, at=workflow.now(), reason="nobody stands behind the role"
                )
                self.apply(deliver(self.case, self.law, nobody, workflow.now()))

    async def reload(self) -> None:
        """After a reset other entries may stand in the ledger than this run decided: the ledger is the truth."""
        ledger = await durable(LOAD, Stream(complaint=self.case.id), Ledger, "load the ledger")
        decision = go_on(list(ledger.entries), self.outbox.entries, self.outbox.texts, self.law, workflow.now())
        self.outbox.clear()
        self.apply(decision)

    def ready(self) -> bool:
        """Whether a command can be judged, or never will be."""
        return self.begun or self.stopped

    def check(self, command: type[Command], body: Any, surplus: tuple[Any, ...]) -> None:
        """Refuses a command before it is written. Until the complaint has begun only its form can be judged."""
        parsed = parse(command, body, surplus)
        if self.begun:
            self.decided(parsed)

    def take(self, command: type[Command], body: Any, surplus: tuple[Any, ...]) -> Taken:
        """Carries a command out; raises an ApplicationError that says why not."""
        if not self.begun:
            raise ApplicationError("The complaint was not opened; see why in its result.", type="Refused")
        decision = self.decided(parse(command, body, surplus))
        self.apply(decision)
        if decision.entries:
            return Taken(complaint=self.case.id, seq=decision.entries[0].seq, event=command.event)
        return Taken(complaint=self.case.id, seq=decision.repeats, event=command.event)

    def decided(self, command: Command) -> Decision:
        info = workflow.current_update_info()
        try:
            return decide(self.case, self.law, command, workflow.now(), key=info.id if info else None, via="ui")
        except Refused as refusal:
            raise ApplicationError(str(refusal), type="Refused", non_retryable=True) from None

    @workflow.query(description="The state of the complaint: facts, clocks and what was judged of them")
    def state(self) -> dict[str, Any]:
        return self.case.model_dump(mode="json") if self.begun else {}

    @workflow.signal(dynamic=True)
    def on_signal(self, name: str, args: Sequence[RawValue]) -> None:
        """A command as a signal, or what became of a notice. What cannot be taken becomes an entry in the queue."""
        if self.begun:
            self.signalled(name, args)
        else:
            self.early.append((name, args))

    def signalled(self, name: str, args: Sequence[RawValue]) -> None:
        now = workflow.now()
        try:
            values = workflow.payload_converter().from_payloads([arg.payload for arg in args])
            body, surplus = (values[0], tuple(values[1:])) if values else (None, ())
            if name == OUTCOME:
                self.apply(deliver(self.case, self.law, Outcome.model_validate(body), now))
            elif name in COMMANDS:
                command = parse(COMMANDS[name], body, surplus)
                self.apply(decide(self.case, self.law, command, now, key=None, via="signal"))
            else:
                raise Refused(f"Unknown signal; the commands are {', '.join(COMMANDS)}.")
        except (Refused, ApplicationError) as refusal:
            self.apply(refuse(self.case, name, str(refusal), now))
        except (ValidationError, RuntimeError, ValueError) as error:
            self.apply(refuse(self.case, name, f"Not readable: {type(error).__name__}", now))

    def apply(self, decision: Decision) -> None:
        """Takes a decision over: the new state, its entries on their way, and what people see."""
        self.case = decision.case
        self.outbox.add(decision.entries, decision.texts)
        self.wake = next_wake(self.case, self.law)
        shown = workflow.info().typed_search_attributes
        if changes := search_attributes.changes(self.case, reached(self.case, self.law.contract), shown):
            workflow.upsert_search_attributes(changes)
        workflow.set_current_details(markdown(self.law, self.case, self.cancelled))

    async def rejected(self, reason: str, start: Any) -> Stopped:
        """A start that cannot become a complaint: a row in the rejects and one clear failure."""
        info = workflow.info()
        named = start if isinstance(start, dict) else {}
        rejected = Rejected(
            workflow_id=info.workflow_id,
            first_run=info.first_execution_run_id,
            reason=reason,
            recorded_at=info.start_time,
            contract=str(named.get("contract", ""))[:100],
            reference=str(named.get("reference", ""))[:100],
        )
        await durable(REJECT, rejected, type(None), "reject")
        return Stopped(error=ApplicationError(reason, type="Rejected", non_retryable=True))
