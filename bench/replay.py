"""How long the recorded histories take to replay: `python -m bench.replay`.

A worker that has not the complaint in memory does so before it can judge anything, and so without the sandbox.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from pathlib import Path

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from wire.client import DATA_CONVERTER
from worker import LIGHT, WORKFLOWS

HISTORIES = sorted((Path(__file__).parents[1] / "tests" / "histories").glob("*/*.json"))


def recorded(file: Path) -> WorkflowHistory:
    """A history that the tests replay too."""
    text = file.read_text("utf-8")
    id_ = json.loads(text)["events"][0]["workflowExecutionStartedEventAttributes"]["workflowId"]
    return WorkflowHistory.from_json(id_, text)


async def measure(history: WorkflowHistory, times: int) -> list[float]:
    """Seconds of each replay."""
    replayer = Replayer(workflows=WORKFLOWS, data_converter=DATA_CONVERTER, workflow_runner=LIGHT)
    took = []
    for _ in range(times + 1):
        began = time.perf_counter()
        await replayer.replay_workflow(history)
        took.append(time.perf_counter() - began)
    return took[1:]


async def main() -> None:
    for file in HISTORIES:
        history = recorded(file)
        took = await measure(history, 20)
        median, best = statistics.median(took) * 1000, min(took) * 1000
        print(f"{file.stem}: {len(history.events)} events, median {median:.0f} ms, best {best:.0f} ms")


if __name__ == "__main__":
    asyncio.run(main())
