"""The whole of Ombud for a test: a worker on a real Temporal, a real Postgres with contracts and people, real mail."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from activities.interface import post_id
from rules.commands import OpenComplaint
from rules.contract_file import read
from rules.directory_file import read_directory
from settings import Settings
from storage import contracts, directory
from storage.database import create_engine, transaction
from tests.support.wait import eventually
from worker import worker

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "contracts").glob("*.yaml"))


@dataclass
class System:
    """A running Ombud with a task queue of its own; every shipped contract is in force since 2000."""

    client: Client
    engine: AsyncEngine
    settings: Settings

    async def open(self, contract: str, reference: str = "", **fields: Any) -> WorkflowHandle[Any, Any]:
        """Start a complaint as a backend would."""
        reference = reference or f"R-{uuid.uuid4().hex[:12]}"
        start = OpenComplaint.model_validate(
            {
                "contract": contract,
                "reference": reference,
                "kind": "enquiry",
                "channel": "phone",
                "received_at": datetime.now(UTC),
                "content": "It does not work.",
                **fields,
            }
        )
        return await self.client.start_workflow(
            "Complaint",
            start,
            id=f"complaint/{contract}/{reference}",
            task_queue=self.settings.task_queue,
        )

    async def rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        """What Postgres answers."""
        async with transaction(self.engine) as connection:
            return [dict(row) for row in (await connection.execute(text(query), parameters)).mappings()]


@asynccontextmanager
async def running(client: Client, settings: Settings) -> AsyncIterator[System]:
    """Contracts and people published, a worker at work."""
    engine = create_engine(settings.database_url)
    try:
        for person in await publish(engine):
            with suppress(RPCError):  # a Post left over from another test would keep this person's mail
                await client.get_workflow_handle(post_id(person)).terminate()
        async with worker(client, settings, SandboxedWorkflowRunner()):
            yield System(client, engine, settings)
            await _end(client, settings.task_queue)
    finally:
        await engine.dispose()


async def _end(client: Client, task_queue: str) -> None:
    """End what runs: a Post is known by its person alone, so one left over would keep mail from the next test."""

    async def nothing_runs() -> bool:
        query = f"TaskQueue = '{task_queue}' AND ExecutionStatus = 'Running'"
        found = [run async for run in client.list_workflows(query)]
        for run in found:
            with suppress(RPCError):  # it ended by itself
                await client.get_workflow_handle(run.id).terminate()
        return not found

    await eventually(nothing_runs)


async def publish(engine: AsyncEngine) -> list[str]:
    """Every shipped contract and the directory into an empty database; the ids of its people."""
    now = datetime.now(UTC)
    since = datetime(2000, 1, 1, tzinfo=UTC)
    people = ROOT / "contracts" / "people" / "directory.yaml"
    async with transaction(engine) as connection:
        for file in SHIPPED:
            contract = read(file.read_text(encoding="utf-8"), file.name, now).contract
            await contracts.publish(connection, contract, since, "test", now)
        found = read_directory(people.read_text(encoding="utf-8"), people.name)
        await directory.replace(connection, found)
    return list(found.people)
