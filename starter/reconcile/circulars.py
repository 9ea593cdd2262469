"""Circulars that nobody carries any more: those that Temporal lost are started again, as they were."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.interface import circular_id
from rules.circular import Circular
from rules.ledger import digest
from starter.circulars import begin
from starter.reconcile.complaints import each
from starter.reconcile.damage import Damage
from storage import circulars, standing
from storage.content import Vault
from storage.database import transaction

AGAIN = "Send it again as it was, under the same id: whoever answered it gives the same answer."
ENDED = "If it should go on, send it again as it was, under the same id."


class Circulars:
    """Looks for them. Raises RPCError, MasterKeyError and what `transaction` raises."""

    def __init__(self, client: Client, engine: AsyncEngine, vault: Vault, task_queue: str) -> None:
        self._client = client
        self._engine = engine
        self._vault = vault
        self._task_queue = task_queue

    async def look(self) -> list[tuple[Damage, Callable[[], Awaitable[str]] | None]]:
        """Each that is not finished and runs nowhere.

        One that somebody ended is left alone, and so is one that may have been ended before what Temporal remembers.
        """
        now = datetime.now(UTC)
        async with transaction(self._engine) as connection:
            open_ = await standing.unfinished(connection, now - standing.GRACE)
        if not open_:
            return []
        ends = await each([circular_id(id_) for id_, _ in open_], self._end)
        remembers = await self._retention()
        found: list[tuple[Damage, Callable[[], Awaitable[str]] | None]] = []
        for (id_, sent_at), end in zip(open_, ends, strict=True):
            if end is WorkflowExecutionStatus.RUNNING:
                continue
            if end is not None:
                found.append((Damage("circular stopped", id_, f"not finished, and {end.name.lower()}", ENDED), None))
                continue
            start = await self._start(id_) if now - sent_at < remembers else None
            damage = Damage("circular stopped", id_, "not finished, and runs nowhere", "" if start else AGAIN)
            found.append((damage, partial(self._go_on, id_, start) if start else None))
        return found

    async def _start(self, id_: str) -> Circular | None:
        """What it was started with, where that was kept and is what was sent."""
        async with transaction(self._engine) as connection:
            head = await circulars.head(connection, id_)
            kept = await circulars.start_of(connection, self._vault, id_)
        try:
            start = Circular.model_validate_json(kept)
        except ValueError:
            return None
        return start if head and digest(start) == head["digest"] else None

    async def _go_on(self, id_: str, start: Circular) -> str:
        """Whoever answered before gives the same answer; whoever was not told is told now."""
        await begin(self._client, self._task_queue, start, id_)
        return "started again; those who answered are not told twice"

    async def _end(self, workflow_id: str) -> WorkflowExecutionStatus | None:
        """How it stands; nothing where Temporal knows nothing of it."""
        try:
            described = await self._client.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None
        return described.status

    async def _retention(self) -> timedelta:
        """How long Temporal remembers what has ended."""
        asked = DescribeNamespaceRequest(namespace=self._client.namespace)
        found = await self._client.workflow_service.describe_namespace(asked, retry=True)
        return found.config.workflow_execution_retention_ttl.ToTimedelta()
