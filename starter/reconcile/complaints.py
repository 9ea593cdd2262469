"""Every complaint, as Postgres has it and as Temporal runs it.

Two ways over all of them: the open complaints of Postgres, a page at a time, each held against the end of its history;
and what Temporal lists, for what Postgres does not have or has closed. What looks wrong is looked at a second time
before it is called damage: a complaint may have opened, recorded or closed in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus

from activities.interface import complaint_id
from starter.reconcile.damage import Damage, Report
from starter.reconcile.replayed import account
from starter.reconcile.tails import Tail, effective
from storage import ledger, standing
from storage.database import transaction
from storage.standing import Standing
from workflows.search_attributes import CATEGORY, DUE, KIND, LEVEL, MISSED, STAGE

AT_ONCE = 20
"""Questions to Temporal at a time."""

TRIES = 3
"""An activity that failed more often than this is not only unlucky."""

T = TypeVar("T")
R = TypeVar("R")
Moved = Callable[[str, int], None]
"""Is told what goes on, and how many more are done."""


def silent(_what: str, _more: int) -> None:
    """Nobody watches."""


def verdict(row: Standing | None, tail: Tail) -> tuple[str, str] | None:
    """What is wrong with a complaint, and in which way; nothing when both sides tell the same story."""
    known, on_record = tail.known, row.seq if row else 0
    if known > on_record:
        there = f"the ledger ends at {on_record}" if on_record else "there is no ledger"
        return "ledger short", f"{there}, Temporal knows {known} entries"
    if tail.running:
        return _of_running(row, tail)
    if row is None or row.closed:
        return None
    how = "nothing of it is in Temporal" if tail.state == "gone" else f"its latest run {_ended(tail)}"
    return "lost", f"open at entry {row.seq}, and {how}"


def _of_running(row: Standing | None, tail: Tail) -> tuple[str, str] | None:
    if tail.failing:
        return "held up", tail.failing.partition("\n")[0]
    if row is None or tail.busy:
        return None  # it begins, or is about to record
    if row.closed:
        return "closed and running", f"closed at entry {row.seq}, and its workflow stands at {tail.recorded}"
    if row.seq > tail.recorded:
        return "workflow behind", f"the ledger ends at {row.seq}, its workflow stands at {tail.recorded}"
    if row.overdue:
        return "overdue", f"{row.overdue} is past its due"
    return None


def _ended(tail: Tail) -> str:
    return "came to its end" if tail.ended == "completed" else f"was {tail.ended}" if tail.ended else "ended"


def mislabelled(row: Standing, run: WorkflowExecution) -> str:
    """Which search attributes do not show what Postgres says of an open complaint."""
    shown = run.typed_search_attributes
    due = shown.get(DUE)
    pairs = {
        KIND.name: (shown.get(KIND), row.kind),
        CATEGORY.name: (shown.get(CATEGORY), row.category),
        LEVEL.name: (shown.get(LEVEL), row.level),
        STAGE.name: (shown.get(STAGE), row.stage),
        MISSED.name: (shown.get(MISSED) or 0, row.missed),
        DUE.name: (_milliseconds(due), _milliseconds(row.due)),
    }
    return ", ".join(f"{name} {had} for {wanted}" for name, (had, wanted) in pairs.items() if had != wanted)


def _milliseconds(at: datetime | None) -> str:
    """As far as every store of search attributes keeps a time."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds") if at else "nothing"


class Complaints:
    """Looks at every complaint. Raises RPCError and what `transaction` raises."""

    def __init__(
        self, client: Client, engine: AsyncEngine, task_queue: str, report: Report, *, thorough: bool, second: float
    ) -> None:
        self._client = client
        self._engine = engine
        self._task_queue = task_queue
        self._report = report
        self._thorough = thorough
        self._second = second
        """Seconds until the second look."""

    async def look(self, moved: Moved = silent) -> list[Damage]:
        """Everything that is wrong, after a second look."""
        suspects: dict[str, None] = {}
        labels: dict[str, None] = {}
        async for suspect in self._of_postgres(moved):
            suspects[suspect] = None
        async for suspect, label in self._of_temporal(moved):
            (labels if label else suspects)[suspect] = None
        if not suspects and not labels:
            return []
        await asyncio.sleep(self._second)
        again = await each(list(suspects), self.judge)
        shown = await each([one for one in labels if one not in suspects], self.labels)
        return [damage for damage in (*again, *shown) if damage]

    async def judge(self, complaint: str) -> Damage | None:
        """What is wrong with one complaint now."""
        # Temporal first: what it knows to be recorded was recorded before.
        tail = await effective(self._client, complaint_id(*complaint.split("/", 1)))
        row = (await self._rows([complaint])).get(complaint)
        found = verdict(row, tail)
        if found is None and self._thorough and row is not None and tail.running:
            found = await self._differs(complaint)
        if found is None and tail.running and tail.acting:
            found = await self._unable(complaint)
        if found is None:
            return None
        do = ""
        if found[0] == "not recorded":
            do = "Mend what it says; it is tried once a minute, and nothing is lost meanwhile."
        if found[0] == "held up":
            do = (
                "Deploy a corrected worker and it goes on. Where none can, terminate it in the Web UI and run "
                "`ombud reconcile --apply`: it goes on from its ledger."
            )
        return Damage(found[0], complaint, found[1], do)

    async def _unable(self, complaint: str) -> tuple[str, str] | None:
        """Whether an activity of a complaint fails again and again, and why."""
        described = await self._client.get_workflow_handle(complaint_id(*complaint.split("/", 1))).describe()
        for activity in described.raw_description.pending_activities:
            if activity.attempt > TRIES and activity.HasField("last_failure"):
                why = await self._client.data_converter.decode_failure(activity.last_failure)
                said = str(why).partition("\n")[0]
                return "not recorded", f"{activity.activity_type.name}, tried {activity.attempt} times: {said}"
        return None

    async def unsettled(self, complaint: str) -> bool:
        """Whether a complaint has something to do yet, or something is wrong with it."""
        tail = await self._tail_of(complaint)
        return tail.busy or await self.judge(complaint) is not None

    async def labels(self, complaint: str) -> Damage | None:
        """Whether Temporal's lists show an open complaint otherwise than Postgres does, to which nothing happened of
        late: they may lag behind."""
        workflow_id = complaint_id(*complaint.split("/", 1)).replace("\\", "\\\\").replace("'", "\\'")
        query = f"WorkflowId = '{workflow_id}' AND ExecutionStatus = 'Running'"
        runs = [run async for run in self._client.list_workflows(query)]
        row = (await self._rows([complaint])).get(complaint)
        if not runs or row is None or row.closed or not (wrong := mislabelled(row, runs[0])):
            return None
        async with transaction(self._engine) as connection:
            changed = await standing.recorded_at(connection, complaint)
        if changed is None or changed > datetime.now(UTC) - standing.GRACE:
            return None
        return Damage("labels", complaint, wrong)

    async def _of_postgres(self, moved: Moved) -> AsyncIterator[str]:
        """Open complaints that do not look right."""
        after = ""
        while True:
            async with transaction(self._engine) as connection:
                page = await standing.open_page(connection, after, datetime.now(UTC) - standing.GRACE)
            if not page:
                return
            tails = await each(page, self._tail)
            for row, tail in zip(page, tails, strict=True):
                if tail.busy:
                    self._report.count("about to go on")
                wrong = verdict(row, tail)
                if wrong is None and self._thorough and tail.running and not tail.busy:
                    wrong = await self._differs(row.id)
                if wrong or tail.acting:
                    yield row.id
            after = page[-1].id
            self._report.count("open complaints", len(page))
            moved("comparing", len(page))

    async def _of_temporal(self, moved: Moved) -> AsyncIterator[tuple[str, bool]]:
        """What Temporal has and Postgres has not, or has closed; with true, what is only shown wrongly."""
        query = (
            f"WorkflowType = 'Complaint' AND TaskQueue = '{self._task_queue}' AND ExecutionStatus != 'ContinuedAsNew'"
        )
        async for runs in _batches(self._client.list_workflows(query), standing.PAGE):
            names = {run.id.removeprefix(_ID): run for run in runs if _is_complaint(run.id)}
            rows = await self._rows(names)
            for name, run in names.items():
                row = rows.get(name)
                running = run.status == WorkflowExecutionStatus.RUNNING
                if row and running and not row.closed and mislabelled(row, run):
                    yield name, True
            doubtful = [name for name in names if (row := rows.get(name)) is None or row.closed]
            for name, tail in zip(doubtful, await each(doubtful, self._tail_of), strict=True):
                if verdict(rows.get(name), tail) or tail.acting:
                    yield name, False
            self._report.count("runs in Temporal", len(runs))
            moved("comparing", len(runs))

    async def _differs(self, complaint: str) -> tuple[str, str] | None:
        """Whether some entry in the ledger is not the one that Temporal knows: every history is run again."""
        known = await account(self._client, complaint_id(*complaint.split("/", 1)))
        async with transaction(self._engine) as connection:
            stored = await ledger.read(connection, ledger.stream_of(complaint))
        for entry in stored:
            decided = known.entries.get(entry.seq)
            if decided is not None and ledger.storable(decided) != entry:
                return "differs", f"entry {entry.seq} is {entry.type} in the ledger, {decided.type} in Temporal"
        return None

    async def _tail(self, row: Standing) -> Tail:
        return await self._tail_of(row.id)

    async def _tail_of(self, complaint: str) -> Tail:
        return await effective(self._client, complaint_id(*complaint.split("/", 1)))

    async def _rows(self, ids: Iterable[str]) -> dict[str, Standing]:
        async with transaction(self._engine) as connection:
            return await standing.of(connection, list(ids), datetime.now(UTC) - standing.GRACE)


_ID = complaint_id("", "").rstrip("/") + "/"


def _is_complaint(workflow_id: str) -> bool:
    """Whether it has the id of one; anybody can start a workflow of this type under any."""
    contract, slash, reference = workflow_id.removeprefix(_ID).partition("/")
    return workflow_id.startswith(_ID) and bool(contract and slash and reference)


async def each(items: Sequence[T], do: Callable[[T], Awaitable[R]]) -> list[R]:
    """The same for each of them, some at a time, in order."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(item: T) -> R:
        async with limit:
            return await do(item)

    return await asyncio.gather(*(one(item) for item in items))


async def _batches(found: AsyncIterator[WorkflowExecution], most: int) -> AsyncIterator[list[WorkflowExecution]]:
    batch: list[WorkflowExecution] = []
    async for run in found:
        batch.append(run)
        if len(batch) == most:
            yield batch
            batch = []
    if batch:
        yield batch
