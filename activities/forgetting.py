"""What Temporal holds of a complaint, deleted: histories carry what was sent to it until retention ends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.interface import RENEW, complaint_id

PATIENCE = timedelta(seconds=15)
"""So long an open complaint has to go on in a new run; a worker that runs needs less than one second."""


class Forgotten(NamedTuple):
    """What became of a complaint's histories."""

    runs: int
    """Deleted."""
    left: bool
    """Whether a run that carries words could not be left: no worker ran, or Postgres was away."""
    running: bool
    """Whether a run goes on: of a complaint that is open, or is about to end, or was woken by a command."""


async def forget_all(client: Client, carriers: Sequence[str]) -> Forgotten:
    """Forget a complaint and those out of which it was opened; what is said to run is the first alone.

    Raises RPCError.
    """
    gone = [await forget(client, carrier) for carrier in carriers]
    return Forgotten(sum(one.runs for one in gone), any(one.left for one in gone), gone[0].running)


async def forget(client: Client, complaint: str, patience: timedelta = PATIENCE) -> Forgotten:
    """Delete every closed run of a complaint. An open one goes on in a new run first, so that it has no past.

    Done again it deletes what is left. Raises RPCError.
    """
    id_ = complaint_id(*complaint.split("/", 1))
    now = await _described(client, id_)
    left = False
    if now is not None and now.status == WorkflowExecutionStatus.RUNNING:
        left = not await _renewed(client, id_, now.run_id, patience)
        now = await _described(client, id_)
    runs = {run.run_id async for run in client.list_workflows(f"WorkflowId = '{id_}'")}
    if now is not None:
        runs |= await _chain(client, id_, now.run_id)
    deleted = [run for run in sorted(runs) if await _delete(client, id_, run)]
    now = await _described(client, id_)
    return Forgotten(len(deleted), left, now is not None and now.status == WorkflowExecutionStatus.RUNNING)


async def _renewed(client: Client, id_: str, run: str, patience: timedelta) -> bool:
    """Whether another run, or none, has taken the place of this one."""
    try:
        await client.get_workflow_handle(id_, run_id=run).signal(RENEW)
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return True
    try:
        async with asyncio.timeout(patience.total_seconds()):
            while (now := await _described(client, id_)) is not None and now.run_id == run:
                if now.status != WorkflowExecutionStatus.RUNNING:
                    break
                await asyncio.sleep(0.1)
    except TimeoutError:
        return False
    return True


async def _chain(client: Client, id_: str, run: str) -> set[str]:
    """A run and those it goes on from, told by the runs themselves: lists lag behind."""
    found: set[str] = set()
    while run and run not in found:
        found.add(run)
        before = ""
        try:
            async for event in client.get_workflow_handle(id_, run_id=run).fetch_history_events(page_size=1):
                before = event.workflow_execution_started_event_attributes.continued_execution_run_id
                break
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
        run = before
    return found


async def _delete(client: Client, id_: str, run: str) -> bool:
    """Delete a run that is closed; false for one that runs, since that would end it, or is gone."""
    described = await _described(client, id_, run)
    if described is None or described.status == WorkflowExecutionStatus.RUNNING:
        return False
    request = DeleteWorkflowExecutionRequest(
        namespace=client.namespace, workflow_execution=WorkflowExecution(workflow_id=id_, run_id=run)
    )
    try:
        await client.workflow_service.delete_workflow_execution(request, retry=True)
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return False
    return True


async def _described(client: Client, id_: str, run: str | None = None) -> WorkflowExecutionDescription | None:
    try:
        return await client.get_workflow_handle(id_, run_id=run).describe()
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return None
