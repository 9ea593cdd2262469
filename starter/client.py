"""The Python client: open a complaint, tell it what was done, read where it stands.

    async with Ombud.connect() as ombud:
        opened = await ombud.open(OpenComplaint(contract="maintenance-service", reference="K-17", ...))
        told = await ombud.tell(opened.complaint, Respond(text="..."), key="desk-4711")
        state = await ombud.state(opened.complaint)

Everything it raises is a `starter.errors.OmbudError` whose message says what to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import uuid4

from pydantic import ConfigDict
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.common import RawValue, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from activities import waking
from activities.answering import answered
from activities.interface import complaint_id
from rules import ledger
from rules.circular import Circular
from rules.closing import ended
from rules.commands import Command, OpenComplaint
from rules.decide import admit
from rules.fold import fold
from rules.ledger import digest
from rules.values import Actor, Value
from settings import Settings
from starter import circulars
from starter.errors import (
    Closed,
    Conflict,
    Invalid,
    Misconfigured,
    NotFound,
    Refused,
    Unreachable,
)
from starter.foresight import Foresight
from starter.postgres import postgres, settings_in_force
from starter.temporal_errors import SEALED, temporal_errors
from storage import reading
from storage.database import PostgresUnreachableError, SchemaMissingError, transaction
from storage.settling import settle
from telemetry.logs import from_now_about
from wire.client import TemporalUnreachableError, connect_temporal
from wire.labels import Label

PATIENCE = 10.0
"""Seconds to wait for the answer to a command. A worker that runs gives it in well under one."""


class Opened(NamedTuple):
    """An open complaint: what commands and reads name it by, and the proof of its start."""

    complaint: str
    """`contract/reference`."""
    workflow_id: str
    run_id: str
    """The run that it began with."""
    new: bool
    """Whether this call opened it; the same content sent again opens nothing."""


class Told(Value):
    """The answer to a command. The same key gets the same answer, also after closure."""

    model_config = ConfigDict(extra="ignore")

    complaint: str
    seq: int
    """The ledger entry that records it."""
    event: str
    """The type of that entry."""
    opens: str | None = None
    """The reference of the complaint that was opened to follow this one, since the customer wrote after its end."""


class Ombud:
    """Opens, commands and reads complaints. Safe for concurrent use within one event loop.

    Without `database` it opens and commands with nothing but Temporal; what must read Postgres raises Unreachable.
    """

    def __init__(
        self,
        temporal: Client,
        database: AsyncEngine | None = None,
        *,
        task_queue: str = "ombud",
        patience: float = PATIENCE,
    ) -> None:
        self.temporal = temporal
        self.task_queue = task_queue
        self.patience = patience
        self._database = database
        self._foresight = Foresight(database) if database is not None else None

    @classmethod
    @asynccontextmanager
    async def connect(cls, settings: Settings | None = None) -> AsyncIterator[Ombud]:
        """A client on the settings in force. Raises Misconfigured, and Unreachable when Temporal does not answer.

        Postgres is not asked before something is read.
        """
        settings = settings or settings_in_force()
        try:
            temporal = await connect_temporal()
        except TemporalUnreachableError as error:
            raise Unreachable(str(error)) from None
        async with postgres(settings) as database:
            yield cls(temporal, database, task_queue=settings.task_queue)

    async def open(self, start: OpenComplaint) -> Opened:
        """Open a complaint, or find the one that the same content opened before. On return it will run.

        It needs no worker and no Postgres. Where Postgres answers, what the contract does not allow is refused here
        and nothing starts; otherwise the complaint ends with that reason as soon as it runs.
        Raises Conflict, Refused, Unreachable.
        """
        from_now_about(f"{start.contract}/{start.reference}")
        known = await self._foreseen(start)
        if known is not None:
            return known
        workflow_id = complaint_id(start.contract, start.reference)
        with temporal_errors(self.task_queue, self.patience):
            try:
                handle = await self.temporal.start_workflow(
                    "Complaint",
                    start.model_dump(mode="json", exclude_none=True),
                    id=workflow_id,
                    task_queue=self.task_queue,
                    # A start that failed for a reason may be sent again, corrected. The register sees to the rest.
                    id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                )
            except WorkflowAlreadyStartedError:
                return await self._already(start, self.temporal.get_workflow_handle(workflow_id))
        return Opened(f"{start.contract}/{start.reference}", workflow_id, handle.first_execution_run_id or "", True)

    async def tell(self, complaint: str, command: Command, *, key: str | None = None) -> Told:
        """Tell a complaint (`contract/reference`) what was done, and have it judged at once. Who reads next sees it.

        `key` names the command for ever: sent again with the same content it changes nothing and gets the same answer.
        Raises Refused, NotFound, Closed, NoWorker, Misconfigured, Unreachable.
        """
        command = _keyed(command, key)
        update_id = f"{command.key}:{command.name}:{digest(command)[:16]}"
        try:
            with temporal_errors(self.task_queue, self.patience):
                async with asyncio.timeout(self.patience):
                    handle, body = self._handle(complaint), _body(command)
                    answer = await answered(
                        lambda: handle.execute_update(command.name, body, id=update_id, result_type=dict)
                    )
        except NotFound:
            known = await self._after_the_end(complaint, command)
            if known is not None:
                return known
            with temporal_errors(self.task_queue, self.patience):
                async with asyncio.timeout(self.patience):
                    answer = await waking.update(
                        self.temporal, self.task_queue, complaint, command.name, _body(command), update_id
                    )
        if isinstance(answer, RawValue):
            raise Misconfigured(f"{command.name} was taken, but the answer is sealed. {SEALED}")
        told = Told.model_validate(answer)
        if self._database is not None:
            await settle(self._database, [(told.complaint, told.seq)])
        return told

    async def send(self, complaint: str, command: Command, *, key: str | None = None) -> None:
        """Leave a command with the complaint, durable at once even while no worker runs.

        Nobody waits for an answer: a command that is refused becomes an entry of the ledger and stands in `ombud
        stuck`. Raises NotFound, Closed, Unreachable.
        """
        command = _keyed(command, key)
        try:
            with temporal_errors(self.task_queue, self.patience):
                await self._handle(complaint).signal(command.name, _body(command))
        except NotFound:
            if await self._after_the_end(complaint, command) is None:
                with temporal_errors(self.task_queue, self.patience):
                    await waking.signal(self.temporal, self.task_queue, complaint, command.name, _body(command))

    async def tell_incident(
        self,
        incident: str,
        command: Command,
        *,
        by: Actor,
        contract: str | None = None,
        why: str | None = None,
        id_: str | None = None,
        watch: circulars.Watch | None = None,
    ) -> circulars.Carried:
        """Tell every open complaint of an incident the same: one act in each, each clock judged on its own.

        `by` sends it, and did it unless the command says otherwise. Under the same `id_` nothing is repeated. Raises
        Refused (a command for one complaint only, an incident of nobody or of two contracts), NoWorker, Unreachable.
        """
        body = command.model_dump(mode="json", exclude_none=True, exclude_defaults=True, exclude={"key", "via"})
        circular = Circular(
            command=command.name,
            body=body,
            incident=incident,
            contract=contract,
            by=by,
            why=why,
            via=command.via or "client",
        )
        return await circulars.carry(self, circular, id_ or uuid4().hex, watch)

    async def runs(self, complaint: str) -> bool:
        """Whether a workflow runs this complaint now. Raises Unreachable."""
        try:
            with temporal_errors(self.task_queue, self.patience):
                described = await self._handle(complaint).describe()
        except NotFound:
            return False
        return described.status == WorkflowExecutionStatus.RUNNING

    async def revive(self, complaint: str) -> None:
        """Run a complaint again from its ledger, after Temporal lost it. One that runs is left alone."""
        handle = self._handle(complaint)
        with temporal_errors(self.task_queue, self.patience), suppress(WorkflowAlreadyStartedError):
            await self.temporal.start_workflow(
                "Complaint",
                {"revive": complaint},
                id=handle.id,
                task_queue=self.task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                static_summary=Label("revived"),
            )

    async def state(self, complaint: str) -> reading.State:
        """How a complaint stands in Postgres, a moment behind its workflow. Raises NotFound, Unreachable."""
        async with self.reading() as connection:
            found = await reading.state(connection, complaint)
        if found is None:
            raise NotFound(f"There is no complaint {complaint}; write it as contract/reference.")
        return found

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for the queries of `storage`. Raises Unreachable."""
        if self._database is None:
            raise Unreachable("This needs Postgres, and the client was made without it.")
        try:
            async with transaction(self._database) as connection:
                yield connection
        except (PostgresUnreachableError, SchemaMissingError) as error:
            raise Unreachable(str(error)) from None

    def _handle(self, complaint: str) -> WorkflowHandle[Any, Any]:
        contract, _, reference = complaint.partition("/")
        if not contract or not reference:
            raise Invalid(f"{complaint!r} names no complaint; write contract/reference.")
        from_now_about(complaint)
        return self.temporal.get_workflow_handle(complaint_id(contract, reference))

    async def _foreseen(self, start: OpenComplaint) -> Opened | None:
        """What Postgres already knows of this start; nothing when it is new, or when Postgres does not answer."""
        if self._foresight is None:
            return None
        try:
            known, law = await self._foresight.of(start)
        except (PostgresUnreachableError, SchemaMissingError):
            return None
        if known:
            return self._same(start, *known)
        if law is None:
            raise Refused(f"Unknown contract {start.contract!r}; publish it: ombud contract publish FILE.")
        try:
            admit(start, law, datetime.now(UTC))
        except ledger.Refused as refusal:
            raise Refused(str(refusal)) from None
        return None

    async def _already(self, start: OpenComplaint, handle: WorkflowHandle[Any, Any]) -> Opened:
        """The complaint that holds this id was started with the content that its first run has on record."""
        described = await handle.describe()
        first_run = described.raw_description.workflow_execution_info.first_run_id or described.run_id
        first = self.temporal.get_workflow_handle(handle.id, run_id=first_run)
        async for event in first.fetch_history_events(page_size=1):
            sent = event.workflow_execution_started_event_attributes.input.payloads
            try:
                (value,) = await self.temporal.data_converter.decode(sent)
                return self._same(start, digest(OpenComplaint.model_validate(value)), first_run)
            except ValueError:  # pydantic's too: what holds the id is no complaint as we would start it
                return self._same(start, "", first_run)
        raise NotFound(f"Temporal holds {handle.id} without its history.")

    def _same(self, start: OpenComplaint, registered: str, first_run: str) -> Opened:
        name = f"{start.contract}/{start.reference}"
        if registered != digest(start):
            raise Conflict(
                f"{name} was opened before with other content. Use a new reference, or send exactly what was sent "
                "before; to change an open complaint, tell it so."
            )
        return Opened(name, complaint_id(start.contract, start.reference), first_run, new=False)

    async def _after_the_end(self, complaint: str, command: Command) -> Told | None:
        """Temporal runs no such complaint. The same key still gets the same answer, from the ledger (invariant 16).

        Nothing when the command is one that a closed complaint may take. Raises NotFound, Refused, Closed.
        """
        async with self.reading() as connection:
            entries = await reading.entries(connection, complaint)
        if not entries:
            raise NotFound(f"There is no complaint {complaint}; write it as contract/reference.")
        known = next((entry for entry in entries if entry.key == command.key), None)
        if known is not None and known.digest == digest(command):
            return Told(complaint=complaint, seq=known.seq, event=known.type)
        if known is not None:
            raise Refused(
                f"The key {command.key!r} was used for another command; give a new command a new key.", "key_used"
            )
        closed = next((entry for entry in reversed(entries) if entry.type in ("closed", "reopened")), None)
        if closed is None or closed.type == "reopened":
            raise NotFound(f"{complaint} stands open in Postgres, but Temporal does not run it. Tell operations.")
        if command.after_closure:
            return None
        raise Closed(f"{ended(fold(entries))} It was closed at {closed.occurred_at.isoformat()}.")


def _keyed(command: Command, key: str | None) -> Command:
    """The command under its key: the one given, the one it has, or a new one that lets the SDK send it twice.

    It says the same of itself as an update and as a signal, so that one may stand in for the other.
    """
    return command.model_copy(update={"key": key or command.key or uuid4().hex, "via": command.via or "client"})


def _body(command: Command) -> dict[str, Any]:
    return command.model_dump(mode="json", exclude_none=True)
