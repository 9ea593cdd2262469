"""Circulars that nobody carries any more: those that Temporal lost are started again, as they were."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from activities.interface import circular_id
from rules.circular import Circular
from rules.ledger import digest
from starter.circulars import begin
from starter.reconcile.carriers import Carrier, carrier, replace
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
        carriers = await each([circular_id(id_) for id_, _ in open_], partial(carrier, self._client))
        remembers = await self._retention()
        found: list[tuple[Damage, Callable[[], Awaitable[str]] | None]] = []
        for (id_, sent_at), there in zip(open_, carriers, strict=True):
            if there.works:
                continue
            if there.status is not None and not there.failing:
                ended = f"not finished, and {there.status.name.lower()}"
                found.append((Damage("circular stopped", id_, ended, ENDED), None))
                continue
            start = await self._start(id_) if there.failing or now - sent_at < remembers else None
            said = f"not finished{there.said}" if there.failing else "not finished, and runs nowhere"
            damage = Damage("circular stopped", id_, said, "" if start else AGAIN)
            found.append((damage, partial(self._go_on, id_, start, there) if start else None))
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

    async def _go_on(self, id_: str, start: Circular, there: Carrier) -> str:
        """Whoever answered before gives the same answer; whoever was not told is told now."""
        ended = await replace(self._client, circular_id(id_), there)
        await begin(self._client, self._task_queue, start, id_)
        return f"{ended}it was started again; those who answered are not told twice"

    async def _retention(self) -> timedelta:
        """How long Temporal remembers what has ended."""
        asked = DescribeNamespaceRequest(namespace=self._client.namespace)
        found = await self._client.workflow_service.describe_namespace(asked, retry=True)
        return found.config.workflow_execution_retention_ttl.ToTimedelta()
