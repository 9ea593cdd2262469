"""Which releases of the worker Temporal knows, which one is current, and making another one current.

Temporal calls a release that workers run a worker deployment version. The current one gets every new complaint, and
every open one with its next step.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType, WorkerDeploymentVersionStatus, WorkerVersioningMode
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from starter.errors import NotFound, NoWorker

FRESH = timedelta(seconds=90)
"""A worker asks for work at least once a minute; one that asked longer ago than this is gone."""
KINDS = {
    "workflows": TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    "activities": TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}
LOOK_AGAIN = 0.5
"""Seconds between two tries to make a version current whose workers do not ask for work yet."""
UNVERSIONED = ""
"""The build of workers that have no version."""


@dataclass(frozen=True, slots=True)
class Release:
    """One version of a deployment."""

    build: str
    status: str
    """`current`, `ramping`, `inactive` before it was ever current; `draining`, then `drained` after it was."""
    since: datetime
    """Since when it stands so."""
    running: int
    """Open workflows whose last step it took. They go on under the current one with their next step."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks a task queue for work of one kind."""

    current: frozenset[str]
    """The versions that get work, as `deployment/build`; `UNVERSIONED` for workers without one."""
    workers: dict[str, int]
    """How many asked of late, by version."""

    @property
    def working(self) -> int:
        """Those that get work."""
        return sum(count for version, count in self.workers.items() if version in self.current)


async def releases(client: Client, deployment: str) -> list[Release]:
    """The versions of a deployment, the newest first. Raises NotFound, RPCError."""
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=deployment)
    try:
        answer = await client.workflow_service.describe_worker_deployment(request, retry=True)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise NotFound(
                f"No worker was ever of a version of {deployment}: set OMBUD_BUILD_ID (docs/upgrades.md says when)."
            ) from None
        raise
    found = []
    for one in answer.worker_deployment_info.version_summaries:
        build = one.deployment_version.build_id
        query = f"TemporalWorkerDeploymentVersion = '{deployment}:{build}' AND ExecutionStatus = 'Running'"
        running = await client.count_workflows(query)
        status = WorkerDeploymentVersionStatus.Name(one.status).removeprefix("WORKER_DEPLOYMENT_VERSION_STATUS_")
        changed = one.routing_update_time if one.HasField("routing_update_time") else one.create_time
        found.append(Release(build, status.lower(), changed.ToDatetime(UTC), running.count))
    return found


async def make_current(client: Client, deployment: str, build: str, patience: float) -> str:
    """Give all work to a version, once its workers ask for it; the build that had it, `UNVERSIONED` for none.

    Waits up to `patience` seconds for the workers. Raises NoWorker, RPCError.
    """
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace, deployment_name=deployment, build_id=build, identity=client.identity
    )
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    while True:
        try:
            answer = await client.workflow_service.set_worker_deployment_current_version(request, retry=True)
        except RPCError as error:
            if error.status not in {RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION}:
                raise
            if loop.time() >= deadline:
                raise NoWorker(
                    f"{deployment}/{build} cannot become current: {error.message}. Start its workers with "
                    f"OMBUD_BUILD_ID={build}; the version before goes on meanwhile."
                ) from None
            await asyncio.sleep(LOOK_AGAIN)
        else:
            return answer.previous_deployment_version.build_id


async def asking(client: Client, task_queue: str) -> dict[str, Asking]:
    """Who asks a task queue for workflows and for activities. Raises RPCError."""
    found = {}
    for name, kind in KINDS.items():
        answer = await client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=client.namespace, task_queue=TaskQueue(name=task_queue), task_queue_type=kind
            ),
            retry=True,
        )
        since = datetime.now(UTC) - FRESH
        fresh = {p.identity: p for p in answer.pollers if p.last_access_time.ToDatetime(UTC) > since}
        versions = [_version(poller) for poller in fresh.values()]
        routed = answer.versioning_info
        current = [(v.deployment_name, v.build_id) for v in (routed.current_deployment_version,)]
        if routed.HasField("ramping_deployment_version"):
            current.append(
                (routed.ramping_deployment_version.deployment_name, routed.ramping_deployment_version.build_id)
            )
        found[name] = Asking(
            frozenset(_named(*version) for version in current), {v: versions.count(v) for v in set(versions)}
        )
    return found


def _version(poller: PollerInfo) -> str:
    options = poller.deployment_options
    if options.worker_versioning_mode != WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED:
        return UNVERSIONED
    return _named(options.deployment_name, options.build_id)


def _named(deployment: str, build: str) -> str:
    return f"{deployment}/{build}" if build else UNVERSIONED
