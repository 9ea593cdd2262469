"""One command carried to many complaints. Each judges it for itself; what they answer is gathered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NoReturn, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from pydantic import TypeAdapter, ValidationError

    from activities.interface import (
        ADDRESS,
        FINISH,
        SEND,
        Addressed,
        Addressing,
        Counts,
        Finished,
        Sending,
        Sent,
        circular_id,
    )
    from rules.circular import Circular as Start
    from rules.circular import letter
    from rules.ledger import Refused, digest, explain_invalid
    from rules.values import Reference, Value
    from wire.labels import Label
    from workflows.details import circulated

RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1))
"""Without end: an outage delays a circular and loses none of its letters (invariant 15)."""
SILENCE = timedelta(seconds=45)
"""Of a round that is being sent: after so long without an answer from anybody its worker is taken for dead."""
AGAIN = timedelta(seconds=5), timedelta(minutes=10)
"""Between two passes over those who did not answer, at first and at most; each pause is twice the one before."""

Result = TypeVar("Result")


class Underway(Value):
    """A circular that is being carried round: also what a run hands to the next one."""

    id: str
    command: str
    body: dict[str, Any]
    counts: Counts
    language: str
    after: str = ""
    """The last complaint told in this pass."""
    passes: int = 0


@workflow.defn(name="Circular")
class Circular:
    """Carries one command to every open complaint of an incident, or re-plans those whose calendar is an older one."""

    def __init__(self) -> None:
        self.way: Underway | None = None

    @workflow.run
    async def run(self, start: Any = None, *surplus: Any) -> dict[str, Any]:
        """`start` is a Circular as JSON (docs/wire.md), or what the run before carries on."""
        if workflow.info().continued_run_id and not workflow.info().cron_schedule:
            # Not among the bad starts: what cannot be read here is our own fault and waits for a corrected worker.
            way = Underway.model_validate(start)
        else:
            way = await self.begun(start, surplus)
        while (way := await self.round(way)).counts.open:
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(way)
        finished = await _do(FINISH, way.id, Finished, "finish", silence=SILENCE)
        counts = finished.counts
        return {
            "circular": way.id,
            "command": way.command,
            **counts.model_dump(),
            "unmoved": [one.model_dump() for one in finished.unmoved],
            "more": counts.refused + counts.gone - len(finished.unmoved),
        }

    async def begun(self, start: Any, surplus: tuple[Any, ...]) -> Underway:
        """Validates and addresses it. A start that cannot become a circular ends with one clear failure."""
        info = workflow.info()
        id_ = info.workflow_id.removeprefix(circular_id(""))
        try:
            if info.cron_schedule:  # each of its runs is started as if by the one before
                raise Refused("A circular is sent once; start it without a schedule, and terminate this one.")
            if surplus or id_ == info.workflow_id:
                raise Refused(f"A circular is started with one argument, under the workflow id {circular_id('<id>')}.")
            TypeAdapter(Reference).validate_python(id_)
            asked = Start.model_validate(start)
            letter(asked, id_, info.start_time)  # refused before anybody is looked for
        except ValidationError as error:
            _fail(explain_invalid("The start of a circular", error))
        except Refused as refusal:
            _fail(str(refusal))
        addressing = Addressing(id=id_, circular=asked, digest=digest(asked), sent_at=info.start_time)
        addressed = await _do(ADDRESS, addressing, Addressed, "address", silence=SILENCE)
        if addressed.refusal or addressed.sent_at is None:
            _fail(addressed.refusal)
        command = letter(asked, id_, addressed.sent_at)
        return Underway(
            id=id_,
            command=command.name,
            body=command.model_dump(mode="json", exclude_none=True),
            counts=Counts(complaints=addressed.complaints),
            language=addressed.language,
        )

    async def round(self, way: Underway) -> Underway:
        """The next letters. A pass that reached the last of them leaves those who cannot answer now to another pass."""
        self.show(way)
        sending = Sending(id=way.id, command=way.command, body=way.body, after=way.after)
        answered = f"send · {way.counts.complaints - way.counts.open} answered"
        sent = await _do(SEND, sending, Sent, answered, silence=SILENCE)
        passes = way.passes if sent.last else way.passes + 1
        way = way.model_copy(update={"counts": sent.counts, "after": sent.last, "passes": passes})
        self.show(way)
        if not sent.last and sent.counts.open:
            await workflow.sleep(min(AGAIN[0] * 2 ** min(passes - 1, 10), AGAIN[1]), summary=Label("then ask again"))
        return way

    def show(self, way: Underway) -> None:
        self.way = way
        workflow.set_current_details(circulated(way.language, way.command, way.counts))

    @workflow.query(description="How many complaints took it, refused it, are gone")
    def progress(self) -> dict[str, int]:
        return self.way.counts.model_dump() if self.way else {}


async def _do(name: str, argument: Any, result: type[Result], summary: str, silence: timedelta | None = None) -> Result:
    done: Result = await workflow.execute_activity(
        name,
        argument,
        result_type=result,
        start_to_close_timeout=timedelta(minutes=15),
        heartbeat_timeout=silence,
        retry_policy=RETRY,
        summary=Label(summary),
    )
    return done


def _fail(reason: str) -> NoReturn:
    raise ApplicationError(reason, type="Refused", non_retryable=True) from None
