"""What a complaint costs: history events and billable actions of five lives, their mails included.

`python -m bench.costs` prints the table and the trend over what earlier releases kept; `--keep` keeps this one's,
`--record FOLDER` the histories that the replay test replays. Actions are counted as Temporal's price list counts them:
starts, signals, updates, timers, activities with each retry, one for all local activities of a workflow task, search
attribute upserts; a signal-with-start is one.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import tempfile
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.testing import WorkflowEnvironment

from bench import trend
from bench.stories import LIVES, Life
from settings import Settings
from storage.settling import settle
from tests.support.postgres import cluster
from tests.support.smtp import SmtpSink
from tests.support.system import System, running
from tests.support.temporal import start_virtual
from tests.support.wait import eventually
from workflows.search_attributes import ALL


@dataclass(frozen=True)
class Cost:
    """Of the complaint itself, and of the Posts that delivered its mails."""

    events: int
    actions: int
    post_events: int
    post_actions: int
    mails: int
    size: int
    """Bytes of the complaint's history."""


async def live(env: WorkflowEnvironment, system: System, life: Life) -> WorkflowHandle[object, object]:
    """Live a life in virtual time, to its end."""
    handle = await system.open("maintenance-service", f"L-{uuid.uuid4().hex[:8]}", **life.opening)
    await handle.query("state")
    for step in life.steps:
        if step.wait:
            await env.fast_forward(handle, step.wait)
        taken = await handle.execute_update(step.command, step.body)
        await settle(system.engine, [(taken["complaint"], taken["seq"])])
        await eventually(lambda: _told(system))
    await handle.result()
    await eventually(lambda: _told(system))
    return handle


async def measure(env: WorkflowEnvironment, system: System, sink: SmtpSink, life: Life) -> tuple[Cost, WorkflowHistory]:
    """The cost of one life."""
    mails = len(sink.messages)
    before = await _posts(system.client, system.settings.task_queue)
    handle = await live(env, system, life)
    posts = await _posts(system.client, system.settings.task_queue)
    history = await handle.fetch_history()
    events, actions = count(history)
    cost = Cost(
        events,
        actions,
        sum(posts[run][0] for run in posts.keys() - before.keys()),
        sum(posts[run][1] for run in posts.keys() - before.keys()),
        len(sink.messages) - mails,
        sum(event.ByteSize() for event in history.events),
    )
    return cost, history


def count(history: WorkflowHistory) -> tuple[int, int]:
    """Events and billable actions of a history."""
    actions = 0
    local_in_task = False
    signalled_start = False
    for event in history.events:
        kind = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")
        match kind:
            case "WORKFLOW_EXECUTION_STARTED" | "TIMER_STARTED" | "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES":
                actions += 1
                signalled_start = kind == "WORKFLOW_EXECUTION_STARTED"
            case "WORKFLOW_EXECUTION_UPDATE_ACCEPTED":
                actions += 1
            case "WORKFLOW_EXECUTION_SIGNALED":
                actions += not signalled_start
                signalled_start = False
            case "ACTIVITY_TASK_STARTED":
                actions += event.activity_task_started_event_attributes.attempt
            case "WORKFLOW_TASK_COMPLETED":
                local_in_task = False
            case "MARKER_RECORDED":
                local = event.marker_recorded_event_attributes.marker_name == "core_local_activity"
                actions += local and not local_in_task
                local_in_task = local_in_task or local
    return len(history.events), actions


async def _told(system: System) -> bool:
    waiting = await system.rows("SELECT count(*) AS n FROM notices WHERE state IN ('planned', 'claimed')")
    running_ = await system.client.count_workflows(
        f"WorkflowType = 'Post' AND TaskQueue = '{system.settings.task_queue}' AND ExecutionStatus = 'Running'"
    )
    return waiting[0]["n"] == 0 and running_.count == 0


async def _posts(client: Client, queue: str) -> dict[str, tuple[int, int]]:
    found = {}
    async for execution in client.list_workflows(f"WorkflowType = 'Post' AND TaskQueue = '{queue}'"):
        handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
        found[execution.run_id] = count(await handle.fetch_history())
    return found


async def main(record: Path | None, keep: bool) -> None:
    costs: trend.Lives = {}
    table = Table(
        "life", "events", "actions", "bytes", "mails", "events of mails", "actions of mails", "actions in all"
    )
    with tempfile.TemporaryDirectory() as folder:
        sink = SmtpSink()
        await sink.start()
        async with (
            cluster(Path(folder) / "postgres") as databases,
            await start_virtual(list(ALL)) as env,
            running(env.client, _settings(await databases.fresh(), sink)) as system,
        ):
            for name, life in LIVES.items():
                cost, history = await measure(env, system, sink, life)
                costs[life.title] = {
                    "events": cost.events,
                    "actions": cost.actions,
                    "bytes": cost.size,
                    "mails": cost.mails,
                    "mail_events": cost.post_events,
                    "mail_actions": cost.post_actions,
                }
                numbers = (cost.events, cost.actions, cost.size, cost.mails, cost.post_events, cost.post_actions)
                table.add_row(life.title, *map(str, numbers), str(cost.actions + cost.post_actions))
                if record:
                    (record / f"{name}.json").write_text(history.to_json() + "\n", encoding="utf-8")
        await sink.stop()
    Console(width=120).print(table)
    if keep:
        trend.keep(costs, trend.FOLDER / f"{datetime.now(UTC):%Y-%m-%d}.json")
    trend.show(costs)


def _settings(url: str, sink: SmtpSink) -> Settings:
    return Settings(
        database_url=url,
        smtp_host=sink.host,
        smtp_port=sink.port,
        mail_from="Ombud <ombud@example.com>",
        signing_key="a key for measurements alone, 32+",
        master_key=base64.b64encode(bytes(32)).decode(),
        task_queue=f"ombud-{uuid.uuid4().hex[:8]}",
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, metavar="FOLDER", help="write each history there as JSON")
    parser.add_argument("--keep", action="store_true", help="keep the counts of this release for the trend")
    given = parser.parse_args()
    asyncio.run(main(given.record, given.keep))
