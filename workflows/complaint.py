"""One complaint, from receipt to closure: the procedure. What it means is decided in `rules`.

Time is heard with what comes from outside, a message or a timer, and stands still until more comes: behind a local
activity `workflow.now()` may be another in a replay, which may take in one workflow task what was done in two.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from activities.interface import (
        ASK,
        COMPARE,
        LOAD,
        OUTCOME,
        RENEW,
        Answer,
        Ledger,
        Question,
        Recorded,
        Registered,
        Stream,
        complaint_id,
    )
    from rules import merging
    from rules.commands import COMMANDS, Absorb, Command, Merge, OpenComplaint, UndoMerge
    from rules.commands.naming import unknown
    from rules.complaint import Complaint as Case
    from rules.decide import Decision, cancel, decide, deliver, refuse, tick
    from rules.divergence import agree, go_on
    from rules.duty import NOBODY
    from rules.judge import Wake, next_wake
    from rules.law import InForce
    from rules.ledger import Entry, Refused
    from rules.notices import Outcome
    from rules.stage import reached
    from wire.labels import Label
    from workflows import counting, search_attributes
    from workflows.beginning import Begun, Stopped, beginning
    from workflows.carried import Carried
    from workflows.details import label, markdown
    from workflows.recorder import LOADED, Outbox, durable, insistent
    from workflows.updates import Taken, Updates, parse
    from workflows.waiting import until


MERGING = "The complaint is being merged right now; try again in a moment."


@workflow.defn(name="Complaint")
class Complaint(Updates):
    """Runs one complaint under the contract version in force at its receipt."""

    def __init__(self) -> None:
        self.begun = False
        self.stopped = False
        self.cancelled = False
        self.renewed = False
        self.doubted = False
        self.case: Case
        self.law: InForce
        self.outbox: Outbox
        self.records: asyncio.Task[None]
        self.registered: Registered
        self.wake: Wake | None = None
        self.told = workflow.info().start_time
        """When something last came from outside."""
        self.early: list[tuple[str, Sequence[RawValue], datetime]] = []
        self.following: list[OpenComplaint] = []
        self.merging = False
        self.leaving = False

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
                    self.apply(cancel(self.case, self.heard(workflow.now())))

    async def life(self, start: Any, surplus: tuple[Any, ...]) -> dict[str, Any]:
        """From registration to closure, or to the next run."""
        try:
            self.begin(await beginning(start, surplus))
        except Stopped as stop:
            self.stopped = True
            await until(workflow.all_handlers_finished)
            if stop.error:
                raise stop.error from None
            return stop.result
        if isinstance(start, dict):
            start.clear()  # the case has it; the SDK would hold it for as long as the complaint runs
        self.records = asyncio.create_task(self.record())
        while True:
            await self.watch()
            if not self.case.closed or await self.finished():
                break
        if self.records.done():
            self.records.result()  # a fault of ours holds the workflow task up, where a corrected worker resumes it
        self.leaving = True  # a result that arrives in the same moment swallows the cancellation
        self.records.cancel()
        await until(lambda: self.records.done() and workflow.all_handlers_finished())
        if self.case.closed and not self.outbox.entries:
            return {"complaint": self.case.id, "closed": self.case.closed.reason, "entries": self.case.seq}
        return workflow.continue_as_new(Carried.of(self.case, self.registered, self.outbox))

    def begin(self, begun: Begun) -> None:
        self.registered, self.law, self.outbox = begun.registered, begun.law, begun.outbox
        self.begun = True
        self.apply(Decision(begun.case))
        self.outbox.was_recorded(begun.recorded)
        self.hear(begun.recorded)
        while self.early:
            self.signalled(*self.early.pop(0))

    def heard(self, at: datetime) -> datetime:
        """The time at which what came then is taken: no entry is dated before the one it follows."""
        self.told = max(self.told, at)
        return self.told

    async def watch(self) -> None:
        """Waits on one timer at a time, the earliest moment of all clocks, until the case is closed or grows long."""

        def over() -> bool:
            long = workflow.info().is_continue_as_new_suggested() and self.outbox.light()
            # Words on their way to their record must not pass into the next history.
            renewed = self.renewed and not self.outbox.entries
            return self.case.closed is not None or long or renewed or self.records.done()

        while not over():
            if not self.outbox.idle():
                # A timer runs from when its workflow task is over, and a record holds the task up: armed before it,
                # each rung would come late by the record before it.
                await until(lambda: self.outbox.idle() or over())
                continue
            armed = self.wake
            try:
                await until(
                    lambda: self.wake != armed or over(),  # noqa: B023  it stands still meanwhile
                    within=self.outbox.until(armed.at) if armed else None,
                    summary=Label(label(self.law, self.case, armed)) if armed else None,
                )
            except TimeoutError:
                self.judge()

    def judge(self) -> None:
        """What has come by now: a timer may be early, since `Outbox.until` believes the worker's clock."""
        now = self.heard(workflow.now())
        if self.wake is not None and self.wake.at <= now:
            decision = tick(self.case, self.law, now)
            if not decision.entries:  # held up where a corrected worker resumes it, rather than running in circles
                raise RuntimeError(f"nothing is to be judged at {self.wake}")
            self.apply(decision)

    async def finished(self) -> bool:
        """Of a closed case: once all is recorded and answered, whether it still is closed, since that may reopen it."""
        await until(lambda: self.records.done() or (not self.outbox.entries and workflow.all_handlers_finished()))
        while self.following:
            start = self.following.pop(0)
            with contextlib.suppress(WorkflowAlreadyStartedError):  # after a reset: it was started then
                await workflow.start_child_workflow(
                    "Complaint",
                    start,
                    id=complaint_id(start.contract, start.reference),
                    parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                )
        return self.records.done() or (self.case.closed is not None and not self.outbox.entries)

    async def record(self) -> None:
        """Keeps Postgres up with the ledger, beside the clocks."""
        while not self.leaving:
            await until(lambda: bool(self.outbox.entries) or self.doubted)
            if self.doubted:
                self.doubted = False
                await self.compare()
                continue
            recorded = await self.outbox.record(reached(self.case, self.law.contract))
            self.resume()
            if recorded.diverged:
                await self.reload()
            self.hear(recorded)

    def resume(self) -> None:
        """Postgres answered; where no task was held up meanwhile, some time after it was asked."""
        if self.outbox.resume():
            self.heard(workflow.now())

    def hear(self, recorded: Recorded) -> None:
        """Behind which notices nobody stands (invariant 13)."""
        for notice in recorded.nobody:
            reason = recorded.why.get(notice, NOBODY)
            nobody = Outcome(notice=notice, accepted=False, at=self.told, reason=reason)
            self.apply(deliver(self.case, self.law, nobody, self.told))

    async def reload(self) -> None:
        """After a reset other entries may stand in the ledger than this run decided: the ledger is the truth."""
        self.take_over(await self.ledger())

    def take_over(self, ledger: list[Entry], *, anew: bool = False) -> None:
        decision = go_on(ledger, self.outbox.entries, self.outbox.texts, self.law, self.told)
        self.outbox.clear()
        self.apply(decision, anew=anew)

    async def ledger(self) -> list[Entry]:
        """What is on record."""
        found = await durable(LOAD, Stream(complaint=self.case.id), Ledger, LOADED, away=self.outbox.wait)
        self.resume()
        return list(found.entries)

    async def compare(self) -> None:
        """What somebody doubts: whether the ledger holds more than this run, or something else. One that holds less
        was lost in Postgres, and is no reason to forget what this run knows."""
        ledger, pending = await self.ledger(), self.outbox.entries
        if len(ledger) + len(pending) >= self.case.seq and not agree(self.case, ledger, pending):
            self.take_over(ledger, anew=True)
        else:
            self.apply(tick(self.case, self.law, self.told), anew=True)

    def ready(self) -> bool:
        """Whether a command can be judged, or never will be."""
        return self.begun or self.stopped

    def check(self, command: type[Command], body: Any, surplus: tuple[Any, ...]) -> None:
        """Refuses a command before it is written. Until the complaint has begun only its form can be judged."""
        try:
            parsed = parse(command, body, surplus)
            if self.begun:
                self.decided(parsed, workflow.now())
        except ApplicationError:
            if self.begun:
                counting.command(self.case.contract, command.name, "refused")
            raise

    async def take(self, command: type[Command], body: Any, surplus: tuple[Any, ...], at: datetime) -> Taken:
        """Carries out a command that came at this time; raises an ApplicationError that says why not."""
        if not self.begun:
            raise ApplicationError("The complaint was not opened; see why in its result.", type="Refused")
        parsed = parse(command, body, surplus)
        decision = self.decided(parsed, self.heard(at))
        if decision.entries and isinstance(parsed, (Merge, UndoMerge)):
            decision = await self.agreed(parsed)
        due = self.wake is not None and self.wake.at <= self.told
        self.apply(decision, commanded=not due)
        counting.command(self.case.contract, command.name, "taken" if decision.entries else "repeated")
        opens = decision.opens.reference if decision.opens else None
        return Taken(complaint=self.case.id, seq=await self.place(parsed), event=command.event, opens=opens)

    async def place(self, command: Command) -> int:
        """Where the entry of a command stands. That may be elsewhere than it was decided to: a run that died may have
        recorded something there before anybody knew. While Postgres is away, nobody waits to see.
        """
        info = workflow.current_update_info()
        key = command.key or (info.id if info else "")
        await until(lambda: not self.outbox.holds(key) or self.records.done())
        if key not in self.case.keys:
            raise ApplicationError("The complaint was closed already.", type="Refused", non_retryable=True)
        return self.case.keys[key][1]

    async def agreed(self, command: Merge | UndoMerge) -> Decision:
        """The decision once the other complaint has agreed. Where this one cannot change after all, that is undone."""
        if self.merging:
            raise ApplicationError(MERGING, type="Refused", non_retryable=True)
        info = workflow.current_update_info()
        key = f"{self.case.id}:{command.key or (info.id if info else '')}"
        other, asked = merging.asks(self.case, self.law.contract, command)
        self.merging = True
        try:
            await self.ask(other, asked, key)
            try:
                return self.decided(command, self.heard(workflow.now()))
            except ApplicationError:
                await self.ask(other, merging.undone(self.case, self.law.contract, command), f"{key}:undone")
                raise
        finally:
            self.merging = False

    async def ask(self, other: str, command: Command, key: str) -> None:
        """Raises an ApplicationError with what the other complaint says against it."""
        question = Question(
            complaint=f"{self.case.contract}/{other}",
            command=command.name,
            body=command.model_dump(mode="json", exclude_none=True),
            key=f"{key}:{command.name}",
            also_when_closed=command.after_closure,
        )
        answer = await insistent(ASK, question, Answer, f"{command.name} {other}")
        if answer.refusal:
            raise ApplicationError(answer.refusal, type="Refused", non_retryable=True)

    def decided(self, command: Command, now: datetime) -> Decision:
        info = workflow.current_update_info()
        if self.merging and isinstance(command, Absorb):
            raise ApplicationError(MERGING, type="Refused", non_retryable=True)
        try:
            return decide(self.case, self.law, command, now, key=info.id if info else None, via="ui")
        except Refused as refusal:
            why = (refusal.reason,) if refusal.reason else ()
            raise ApplicationError(str(refusal), *why, type="Refused", non_retryable=True) from None

    @workflow.query(description="The state of the complaint: facts, clocks and what was judged of them")
    def state(self) -> dict[str, Any]:
        return self.case.model_dump(mode="json") if self.begun else {}

    @workflow.signal(dynamic=True)
    def on_signal(self, name: str, args: Sequence[RawValue]) -> None:
        """A command as a signal, or what became of a notice. What cannot be taken becomes an entry in the queue."""
        if self.begun:
            self.signalled(name, args, workflow.now())
        else:
            self.early.append((name, args, workflow.now()))

    def signalled(self, name: str, args: Sequence[RawValue], at: datetime) -> None:
        now = self.heard(at)
        try:
            values = workflow.payload_converter().from_payloads([arg.payload for arg in args])
            body, surplus = (values[0], tuple(values[1:])) if values else (None, ())
            if name == OUTCOME:
                self.apply(deliver(self.case, self.law, Outcome.model_validate(body), now))
            elif name == RENEW:
                self.renewed = True
            elif name == COMPARE:
                self.doubted = True
            elif name in ("merge", "undo_merge"):
                raise Refused(f"{name} concerns two complaints and is answered; send it as an update.")
            elif name in COMMANDS:
                command = parse(COMMANDS[name], body, surplus)
                decision = decide(self.case, self.law, command, now, key=None, via="signal")
                self.apply(decision)
                counting.command(self.case.contract, name, "taken" if decision.entries else "repeated")
            else:
                raise Refused(unknown(name))
        except (Refused, ApplicationError) as refusal:
            counting.command(self.case.contract, name if name in COMMANDS else "unknown", "refused")
            self.apply(refuse(self.case, name, str(refusal), now))
        except (ValidationError, RuntimeError, ValueError) as error:
            self.apply(refuse(self.case, name, f"Not readable: {type(error).__name__}", now))

    def apply(self, decision: Decision, *, anew: bool = False, commanded: bool = False) -> None:
        """Takes a decision over: the new state, its entries on their way, and what people see; `anew` all of that.
        `commanded` where a command alone decided, and not what was due by then."""
        self.case = decision.case
        self.following += [decision.opens] if decision.opens else []
        self.outbox.add(decision.entries, decision.texts, commanded=commanded)
        self.wake = next_wake(self.case, self.law)
        shown, stage = workflow.info().typed_search_attributes, reached(self.case, self.law.contract)
        if changes := search_attributes.changes(self.case, stage, shown, anew=anew):
            workflow.upsert_search_attributes(changes)
        workflow.set_current_details(markdown(self.law, self.case, self.cancelled))
