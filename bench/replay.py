"""How long the recorded histories take to replay: `python -m bench.replay`.

A worker that has not the complaint in memory does so before it can judge anything. The sandbox is made anew each time,
as a worker does it for a complaint.
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
from workflows.circular import Circular
from workflows.complaint import Complaint

HISTORIES = sorted((Path(__file__).parents[1] / "tests" / "histories").glob("*/*.json"))


async def measure(file: Path, times: int) -> tuple[int, list[float]]:
    """Events of a recorded history, and seconds of each replay."""
    text = file.read_text("utf-8")
    id_ = json.loads(text)["events"][0]["workflowExecutionStartedEventAttributes"]["workflowId"]
    history = WorkflowHistory.from_json(id_, text)
    replayer = Replayer(workflows=[Circular, Complaint], data_converter=DATA_CONVERTER)
    took = []
    for _ in range(times + 1):
        began = time.perf_counter()
        await replayer.replay_workflow(history)
        took.append(time.perf_counter() - began)
    return len(history.events), took[1:]


async def main() -> None:
    for file in HISTORIES:
        events, took = await measure(file, 20)
        print(
            f"{file.stem}: {events} events, median {statistics.median(took) * 1000:.0f} ms, best {min(took) * 1000:.0f} ms"
        )


if __name__ == "__main__":
    asyncio.run(main())
