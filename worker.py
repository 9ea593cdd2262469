"""Runs a worker: `python worker.py`. Builds engine, mailer and activities once and registers them; no other logic."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, NoReturn

import uvloop
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.runtime import Runtime
from temporalio.service import RPCError
from temporalio.worker import Worker, WorkerDeploymentConfig, WorkflowRunner

from activities.between import Between
from activities.canary import CanaryDesk
from activities.circulars import Circulars
from activities.erasing import Eraser
from activities.interface import mails_queue, webhooks_queue
from activities.mailer import Mailer
from activities.post import PostOffice
from activities.records import Records
from activities.schedule import keep_schedules
from activities.webhooks import Dispatcher
from settings import Settings, SettingsError, load_settings
from storage.database import PostgresUnreachableError, SchemaMissingError, create_engine, transaction
from telemetry import logs, tracing
from telemetry.metrics import runtime
from wire.client import TemporalUnreachableError, connect_temporal
from workflows.canary import Canary
from workflows.circular import Circular
from workflows.complaint import Complaint
from workflows.post import Post
from workflows.retention import Retention
from workflows.runner import Light, in_one_batch
from workflows.search_attributes import ALL
from workflows.webhook import Webhook

LOGGER = logging.getLogger("ombud.worker")

WORKFLOW_TASKS = 16
"""Workflow tasks at a time. Each may hold a record in a local activity; more of them would only wait for each other."""

WORKFLOWS = [Canary, Circular, Complaint, Post, Retention, Webhook]

LIGHT = Light()
"""How workflows run here; tests put the sandbox in its place."""

MAILS = 100
"""Persons who are written to at a time, each by one round."""

CALLS = 50
"""Subscribers that are called at a time, each by one round."""

GRACE = timedelta(seconds=20)
"""For what is under way when the worker is to end."""

UNREACHABLE = 3
"""Exit code when a server that a worker cannot do without does not answer."""


class SearchAttributesError(Exception):
    """Search attributes are missing and could not be added; the message names them and says how to add them."""


@asynccontextmanager
async def worker(client: Client, settings: Settings, runner: WorkflowRunner = LIGHT) -> AsyncIterator[Worker]:
    """A worker that polls inside the block and finishes what it has begun when the block ends."""
    await _search_attributes(client)
    engine = create_engine(settings.database_url)
    try:
        records = Records(engine, client, settings)
        eraser = Eraser(engine, client, settings)
        between = Between(client, settings.task_queue)
        circulars = Circulars(engine, client, settings)
        posts = PostOffice(engine, client, Mailer(settings), settings)
        canary = CanaryDesk(engine, client, settings)
        hooks = Dispatcher(engine, client, settings)
        mails, webhooks = mails_queue(settings.task_queue), webhooks_queue(settings.task_queue)
        async with (
            _outward(client, settings, mails, posts.activities, MAILS),
            _outward(client, settings, webhooks, hooks.activities, CALLS),
            in_one_batch(
                Worker(
                    client,
                    task_queue=settings.task_queue,
                    workflows=WORKFLOWS,
                    activities=[
                        *records.activities,
                        posts.gathering.look,
                        *between.activities,
                        *canary.activities,
                        *circulars.activities,
                        *eraser.activities,
                    ],
                    graceful_shutdown_timeout=GRACE,
                    max_concurrent_workflow_tasks=WORKFLOW_TASKS,
                    workflow_runner=runner,
                    max_cached_workflows=settings.worker_cache,
                    deployment_config=versioned(settings),
                )
            ) as running,
        ):
            yield running
    finally:
        await engine.dispose()


def _outward(client: Client, settings: Settings, queue: str, activities: list[Any], most: int) -> Worker:
    """Does so much at a time that waits for servers of others, on a queue of its own."""
    return Worker(
        client,
        task_queue=queue,
        activities=activities,
        graceful_shutdown_timeout=GRACE,
        max_concurrent_activities=most,
        deployment_config=versioned(settings),
    )


def versioned(settings: Settings) -> WorkerDeploymentConfig | None:
    """Which release the worker is of. Complaints live for months, so that all of them move on to the release that is
    current; what a release changes in their course it guards with a patch (docs/upgrades.md).
    """
    if not settings.build_id:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(settings.deployment, settings.build_id),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )


async def main() -> int:
    """Work until SIGTERM or SIGINT; the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        settings = load_settings()
        logs.configure(settings)
        Runtime.set_default(runtime(settings))
        tracing.start("ombud-worker")
        client = await connect_temporal()
        await _look_at_postgres(settings)
        await _schedules(client, settings)
        async with worker(client, settings):
            LOGGER.info("working on task queue %s of namespace %s", settings.task_queue, client.namespace)
            if settings.build_id:
                version = f"{settings.deployment}/{settings.build_id}"
                LOGGER.info("as version %s: it gets work while it is current (`ombud release show`)", version)
            await stop.wait()
    except SettingsError as error:
        LOGGER.error("%s", error)  # noqa: TRY400  one clear line, no traceback
        return 2
    except ValueError as error:
        LOGGER.error("OMBUD_WORKER_METRICS %s cannot be listened on: %s", settings.worker_metrics, error)  # noqa: TRY400
        return 2
    except (TemporalUnreachableError, SearchAttributesError) as error:
        LOGGER.error("%s", error)  # noqa: TRY400
        return UNREACHABLE
    return 0


async def _look_at_postgres(settings: Settings) -> None:
    """Clocks run without Postgres (invariant 15), so its absence is said and not fatal."""
    engine = create_engine(settings.database_url, connections=1)
    try:
        async with transaction(engine):
            pass
    except (PostgresUnreachableError, SchemaMissingError) as error:
        LOGGER.warning("%s\nClocks run meanwhile; records and notices wait.", error)
    finally:
        await engine.dispose()


async def _schedules(client: Client, settings: Settings) -> None:
    """Without its schedule nothing is erased by itself; complaints run all the same."""
    try:
        await keep_schedules(client, settings.task_queue)
    except RPCError as error:
        LOGGER.warning("The daily sweep cannot be scheduled: %s. `ombud retention` does one by hand.", error)


async def _search_attributes(client: Client) -> None:
    """Register what is missing before the first complaint is run: upserting an unknown one would hold it up."""
    service = client.operator_service
    try:
        known = await service.list_search_attributes(ListSearchAttributesRequest(namespace=client.namespace))
    except RPCError as error:
        raise SearchAttributesError(
            f"The search attributes of namespace {client.namespace} cannot be looked up: {error}"
        ) from error
    if wrong := [
        f"{key.name} must be {key.indexed_value_type.name.title()}"
        for key in ALL
        if known.custom_attributes.get(key.name, key.indexed_value_type) != key.indexed_value_type
    ]:
        raise SearchAttributesError(
            f"Search attributes of namespace {client.namespace} have a wrong type: {', '.join(wrong)}.\n"
            "Remove them with: temporal operator search-attribute remove --name NAME"
        )
    missing = {key.name: key.indexed_value_type for key in ALL if key.name not in known.custom_attributes}
    if not missing:
        return
    request = AddSearchAttributesRequest(
        namespace=client.namespace,
        search_attributes={name: IndexedValueType.ValueType(int(kind)) for name, kind in missing.items()},
    )
    try:
        await service.add_search_attributes(request)
    except RPCError as error:
        names = " ".join(f"--name {name} --type {kind.name.title()}" for name, kind in missing.items())
        raise SearchAttributesError(
            f"Search attributes are missing in namespace {client.namespace} and could not be added: {error}\n"
            f"Add them with: temporal operator search-attribute create {names}"
        ) from error


def end(code: int) -> NoReturn:
    """At the interpreter's own end a process that spoke to Temporal may crash, whose exit code would then be wrong."""
    tracing.stop()
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    end(uvloop.run(main()))
