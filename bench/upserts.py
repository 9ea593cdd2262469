"""What a change of search attributes costs Temporal, beside the step of a workflow that it comes with.

`python -m bench.upserts`: workflows that wake at one instant, call a local activity that does nothing and sleep on, as
a complaint does at a miss; by turns with and without such a change, on the server that `ombud up` runs.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import psutil
from temporalio import activity, workflow
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from bench.desks import side_by_side
from bench.ground import Ground, ground, workers
from workflows.search_attributes import DUE

QUEUE = "upserts"
STILL = 0.05
"""Seconds of processor in half a second below which a server has nothing to do any more."""


@activity.defn
async def nothing(_: str) -> None:
    """Stands for the record."""


@workflow.defn
class Step:
    """Sleeps, takes one step, and sleeps on."""

    @workflow.run
    async def run(self, start: dict[str, Any]) -> None:
        await workflow.sleep(datetime.fromisoformat(start["due"]) - workflow.now())
        if start["changes"]:
            workflow.upsert_search_attributes([DUE.value_set(workflow.now())])
        await workflow.execute_local_activity(nothing, "", start_to_close_timeout=timedelta(seconds=3))
        await workflow.sleep(timedelta(days=3))


async def step(at: Ground, server: psutil.Process, count: int, name: str, *, changes: bool) -> float:
    """Milliseconds of Temporal's processor for one step."""
    due = datetime.now(UTC) + timedelta(seconds=3 + count / 50)
    await side_by_side(
        partial(_start, at, f"{name}-{n}", {"due": due.isoformat(), "changes": changes}) for n in range(count)
    )
    if (left := (due - datetime.now(UTC)).total_seconds()) < 0:
        raise RuntimeError("starting took longer than it was given; measure fewer")
    await asyncio.sleep(left)
    began = last = _seconds(server)
    while True:
        await asyncio.sleep(0.5)
        now = _seconds(server)
        if now - last < STILL and now - began > count / 10_000:
            return (now - began) / count * 1000
        last = now


async def _start(at: Ground, name: str, start: dict[str, Any]) -> None:
    await at.client.start_workflow(Step.run, start, id=f"upserts/{name}", task_queue=QUEUE)


def _seconds(server: psutil.Process) -> float:
    used = server.cpu_times()
    return float(used.user + used.system)


async def main(count: int, rounds: int) -> None:
    async with ground() as at:
        async with workers(at):
            pass  # it has registered the search attributes
        server = next(one for one in psutil.Process().children(recursive=True) if one.name().startswith("temporal"))
        runner = UnsandboxedWorkflowRunner()
        found: dict[bool, list[float]] = {False: [], True: []}
        async with Worker(at.client, task_queue=QUEUE, workflows=[Step], activities=[nothing], workflow_runner=runner):
            for number in range(rounds):
                for changes in (False, True) if number % 2 == 0 else (True, False):
                    found[changes].append(await step(at, server, count, f"{number}-{changes}", changes=changes))
    for changes, said in ((False, "a step"), (True, "with a change of search attributes")):
        print(f"{said}: {statistics.median(found[changes]):.1f} ms of Temporal")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=4)
    given = parser.parse_args()
    asyncio.run(main(given.count, given.rounds))
