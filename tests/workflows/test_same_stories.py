"""One story, two drivers: what the workflow records is what the core decides alone (DESIGN, “The heart”)."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from rules.commands import COMMANDS, OpenComplaint
from rules.decide import decide, open_complaint, tick
from rules.judge import next_wake
from rules.law import law_of
from rules.ledger import Entry, Refused
from tests.support.memory import Memory
from tests.support.random_stories import BODIES, OPENINGS, command
from tests.support.story import SMALL, Story
from tests.support.wait import eventually

STORIES, STEPS = 16, 12
APART = timedelta(seconds=30)
"""Virtual timers fire up to a second late, so nothing is told that near to one."""

TOLD = sorted(COMMANDS.keys() & BODIES.keys() - {"merge", "undo_merge"})
"""What one complaint decides alone."""


async def test_the_same_stories_give_the_same_ledger(
    time_skipping_env: WorkflowEnvironment, record_property: Callable[[str, object], None]
) -> None:
    """Random commands at random times, through Temporal in virtual time and through the core: entry by entry alike."""
    memory, queue = Memory(), f"q-{uuid.uuid4()}"
    figures: Counter[str] = Counter()
    client = time_skipping_env.client
    async with memory.serving(client, queue):
        played = await asyncio.gather(
            *(_play(time_skipping_env, queue, memory, seed, figures) for seed in range(STORIES))
        )
    for story, recorded in played:
        assert [_said(entry) for entry in recorded] == [_said(entry) for entry in story.entries]
    for name, count in figures.items():
        record_property(name, count)
    assert figures["refused"] < figures["steps"]


async def _play(
    env: WorkflowEnvironment, queue: str, memory: Memory, seed: int, figures: Counter[str]
) -> tuple[Story, list[Entry]]:
    """One story by both drivers, until its steps are done or the complaint is over."""
    random, reference = Random(seed), f"S-{seed}-{uuid.uuid4().hex[:8]}"
    opening = random.choice(OPENINGS)
    start = OpenComplaint.model_validate(
        {
            "contract": "small",
            "reference": reference,
            "kind": "enquiry",
            "channel": "phone",
            "content": "It does not work.",
            "received_at": datetime.now().astimezone() - timedelta(minutes=seed),
            **opening,
        }
    )
    handle: WorkflowHandle[Any, Any] = await env.client.start_workflow(
        "Complaint", start, id=f"complaint/small/{reference}", task_queue=queue
    )
    await eventually(lambda: memory.ledger.get(f"small/{reference}"))
    story, stored = Story(law_of(SMALL)), memory.ledger[f"small/{reference}"]
    begun = stored[0].recorded_at
    story.note(open_complaint(start, story.law, begun, begun))
    figures["stories"] += 1
    for step in range(STEPS):
        if story.case.closed:
            break
        delay = _delay(story, random, await env.get_current_time(handle))
        try:
            await env.fast_forward(handle, delay)
        except RPCError:
            assert story.case.closed, "only silence ends a story while time passes"
        if story.case.closed:
            break
        now = await env.get_current_time(handle)
        figures["steps"] += 1
        figures["refused"] += not await _tell(handle, story, random, now, f"k{step}")
    await eventually(lambda: len(stored) >= len(story.entries))
    return story, list(stored)


def _delay(story: Story, random: Random, now: datetime) -> timedelta:
    """To a moment apart from every timer; the core passes the time up to it."""
    until = now + timedelta(minutes=random.randint(1, 60 * 24 * random.choice((1, 6))))
    while (wake := next_wake(story.case, story.law)) is not None and wake.at <= until + APART:
        if wake.at >= until - APART:
            until = wake.at + 2 * APART
        story.note(tick(story.case, story.law, wake.at))
    return until - now


async def _tell(handle: WorkflowHandle[Any, Any], story: Story, random: Random, now: datetime, key: str) -> bool:
    """Both are told the same; both take it, or both refuse."""
    which = random.randint(0, 10)
    happened = now - timedelta(minutes=random.randint(0, 300))
    told = command(story.case, random.choice(TOLD), which, now, happened).model_copy(update={"key": key})
    body = told.model_dump(mode="json", exclude_none=True)
    try:
        await handle.execute_update(told.name, body, id=f"{key}-{uuid.uuid4()}")
        taken = True
    except WorkflowUpdateFailedError:
        taken = False
    try:
        story.note(decide(story.case, story.law, told, now, None, "ui"))
    except Refused:
        alone = False
    else:
        alone = True
    assert taken == alone, f"{told.name} is taken by one and refused by the other"
    return taken


def _said(entry: Entry) -> dict[str, Any]:
    """The entry without the seconds by which a virtual clock comes late."""
    body = entry.model_dump(mode="json", exclude={"recorded_at", "digest"})
    body["data"] = {name: value for name, value in entry.data.items() if name not in ("lag_seconds", "known_at")}
    if entry.via is None:
        body["occurred_at"] = entry.occurred_at.replace(microsecond=0).isoformat()
    return body
