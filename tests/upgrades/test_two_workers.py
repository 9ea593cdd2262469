"""A release takes the place of another while complaints are open: two real worker processes, and nothing is lost."""

from __future__ import annotations

import asyncio
import signal
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from activities.answering import answered
from activities.cloudevents import fresh_secret
from rules.events import EVENTS
from rules.values import Actor
from settings import Settings
from starter.doctor import _worker
from starter.errors import NotFound, NoWorker
from starter.releases import Release, make_current, releases
from storage import webhooks
from storage.content import Vault
from storage.database import create_engine, transaction
from storage.rebuild import rebuild
from tests.starter.conftest import command_line
from tests.support.history import unharmed
from tests.support.receiver import Receiver
from tests.support.smtp import SmtpSink
from tests.support.system import System, publish
from tests.support.trees import GUARDED, another_release
from tests.support.wait import eventually
from tests.support.worker_process import environment, worker_process
from wire.client import DATA_CONVERTER
from workflows.complaint import Complaint

pytestmark = pytest.mark.timeout(300)

Handle = WorkflowHandle[Any, Any]


@dataclass
class Agents:
    """People who keep writing notes to complaints, whichever worker runs; what was answered is counted."""

    handles: list[Handle]
    told: Counter[str] = field(default_factory=Counter)
    _over: bool = False

    def start(self) -> None:
        self._task = asyncio.create_task(self._write())

    async def stop(self) -> None:
        """After the note that is being written. Raises what a complaint refused, or why one did not answer."""
        self._over = True
        await self._task

    async def _write(self) -> None:
        while not self._over:
            for handle in self.handles:
                note = {"text": f"Note {self.told[handle.id]}."}
                await tell(handle, "note", note, str(self.told[handle.id]))
                self.told[handle.id] += 1


async def tell(handle: Handle, command: str, body: dict[str, str], number: str = "") -> None:
    """Send a command as our clients do: again where the server gives it back, as it may while one worker takes over
    from another."""
    await answered(lambda: handle.execute_update(command, body, id=f"{handle.id}:{command}:{number}"))


async def version(handle: Handle) -> str:
    """The release that took the complaint's latest step; nothing for workers without one."""
    described = await handle.describe()
    info = described.raw_description.workflow_execution_info.versioning_info
    return str(info.deployment_version.build_id)


@pytest.fixture
async def stage(temporal_env: WorkflowEnvironment, settings: Settings, smtp_sink: SmtpSink) -> AsyncIterator[System]:
    """Contracts and people in place, queue and deployment of this test's own, and no worker yet."""
    mark = uuid.uuid4().hex[:12]
    named = {"task_queue": f"ombud-{mark}", "deployment": f"ombud-{mark}", "webhook_allow": "127.0.0.1"}
    own = settings.model_copy(update=named)
    engine = create_engine(own.database_url)
    await publish(engine)
    yield System(temporal_env.client, engine, own)
    await engine.dispose()


@pytest.fixture
async def receiver(stage: System) -> AsyncIterator[Receiver]:
    """A backend that hears of everything under the contract, on a task queue of its own."""
    made = Receiver()
    await made.start()
    async with transaction(stage.engine) as connection:
        await webhooks.subscribe(
            connection,
            Vault(stage.settings.keyring),
            contract="demo",
            format_="cloudevents",
            events=EVENTS,
            origin="http://127.0.0.1",
            url=made.url,
            secret=fresh_secret(),
            by=Actor(role="operations", person="p.ops"),
            at=datetime.now(UTC),
        )
    yield made
    await made.stop()


@pytest.mark.parametrize(
    ("before", "end"),
    [("0.1.0", signal.SIGTERM), ("0.1.0", signal.SIGKILL), ("", signal.SIGTERM)],
    ids=["ended", "killed", "without a release before"],
)
async def test_open_complaints_finish_under_the_next_release(
    stage: System, receiver: Receiver, tmp_path: Path, before: str, end: signal.Signals
) -> None:
    """Opened under one release, told things while both run, finished under the next: each entry, miss and mail once."""
    client, settings = stage.client, stage.settings
    tree = await asyncio.to_thread(another_release, tmp_path / "next", GUARDED)
    address = client.service_client.config.target_host
    named = {"OMBUD_DEPLOYMENT": settings.deployment}
    old_ = environment(settings, address, OMBUD_BUILD_ID=before, **named)
    new_ = environment(settings, address, OMBUD_BUILD_ID="0.2.0", **named)
    async with worker_process(tmp_path, old_) as old:
        if before:
            assert await make_current(client, settings.deployment, before, 60) == ""
        handles = [await stage.open("demo", channel="chat", kind="enquiry", category="usage") for _ in range(4)]
        idle = await stage.open("maintenance-service", kind="enquiry", category="usage", level="1")
        assert (await eventually(lambda: idle.query("state")))["closed"] is None
        agents = Agents(handles)
        agents.start()
        await eventually(lambda: _missed(stage, 1))
        assert {await version(handle) for handle in handles} == {before}
        async with worker_process(tmp_path, new_, tree) as new:
            assert await make_current(client, settings.deployment, "0.2.0", 60) == before
            await eventually(lambda: _all_on(handles, "0.2.0"))
            assert await old.end(end) == (0 if end is signal.SIGTERM else -signal.SIGKILL)
            so_far = dict(agents.told)
            await eventually(lambda: all(agents.told[id_] > so_far[id_] for id_ in so_far))
            await eventually(lambda: _missed(stage, len(handles)))
            assert await version(idle) == before, "nothing has woken it, so nothing moved it"
            assert (await idle.query("state"))["closed"] is None
            late = await stage.open("demo", channel="chat", kind="enquiry", category="usage")
            await agents.stop()
            await _finish(stage, [*handles, late, idle], agents, new.said)
            await eventually(lambda: _heard_of_all(stage, receiver))
    for handle in (*handles, late, idle):
        assert await version(handle) == "0.2.0"
    assert "a step of the next release" not in await _labels(handles[0])
    assert "a step of the next release" in await _labels(late)
    back = Replayer(workflows=[Complaint], data_converter=DATA_CONVERTER)
    await back.replay_workflow(await handles[0].fetch_history())
    with pytest.raises(NondeterminismError):  # what has the patch cannot go back, as docs/upgrades.md says
        await back.replay_workflow(await late.fetch_history())
    if end is signal.SIGTERM:
        for handle in (*handles, late):
            await unharmed(handle)


async def _finish(stage: System, handles: list[Handle], agents: Agents, said: Any) -> None:
    for handle in handles:
        await tell(handle, "answer", {"text": "Hold the button."})
        await tell(handle, "accept", {})
        result = await handle.result()
        assert result["closed"] == "accepted", said()
    await eventually(lambda: _told_of_all(stage))
    noted = await stage.rows("SELECT stream, count(*) AS n FROM ledger WHERE type = 'noted' GROUP BY 1")
    assert {row["stream"]: row["n"] for row in noted} == {id_: n for id_, n in agents.told.items() if n}
    clock = "body #>> '{data,clock}'"
    misses = f"SELECT stream, {clock}, count(*) AS n FROM ledger WHERE type = 'clock_missed' GROUP BY 1, 2"
    assert {row["n"] for row in await stage.rows(misses)} == {1}
    assert await rebuild(stage.engine, apply=False) == []


async def _missed(stage: System, count: int) -> bool:
    found = await stage.rows("SELECT count(DISTINCT stream) AS n FROM ledger WHERE type = 'clock_missed'")
    return bool(found[0]["n"] >= count)


async def _all_on(handles: list[Handle], build: str) -> bool:
    return {await version(handle) for handle in handles} == {build}


async def _told_of_all(stage: System) -> bool:
    waiting = await stage.rows("SELECT count(*) AS n FROM notices WHERE state IN ('planned', 'claimed')")
    return bool(waiting[0]["n"] == 0)


async def _heard_of_all(stage: System, receiver: Receiver) -> bool:
    """Whether the backend heard of every miss and every closure."""
    its = "stream LIKE 'complaint/demo/%' AND type IN ('clock_missed', 'closed')"
    wanted = await stage.rows(f"SELECT stream, seq FROM ledger WHERE {its}")
    heard = {call.subject for call in receiver.calls}
    return {f"{row['stream'].removeprefix('complaint/')}#{row['seq']}" for row in wanted} <= heard


async def _labels(handle: Handle) -> str:
    history: WorkflowHistory = await handle.fetch_history()
    return str(history.events)


async def test_a_release_that_is_not_current_gets_nothing_and_doctor_says_so(stage: System, tmp_path: Path) -> None:
    """Workers of a release that nobody made current leave everything undone: said with the command that mends it."""
    client, settings = stage.client, stage.settings
    with pytest.raises(NotFound, match="OMBUD_BUILD_ID"):
        await releases(client, settings.deployment)
    with pytest.raises(NoWorker, match=r"OMBUD_BUILD_ID=0\.1\.0"):
        await make_current(client, settings.deployment, "0.1.0", 0)
    address = client.service_client.config.target_host
    variables = environment(settings, address, OMBUD_BUILD_ID="0.1.0", OMBUD_DEPLOYMENT=settings.deployment)
    async with worker_process(tmp_path, variables):
        handle = await stage.open("demo", channel="chat", kind="enquiry", category="usage")
        seen = await eventually(lambda: _seen(stage, "0.1.0"))
        assert (seen.standing, "ombud release current" in seen.do) == ("wrong", True)
        assert f"{settings.deployment}/0.1.0" in seen.said
        (known,) = await eventually(lambda: _known(client, settings.deployment))
        assert known.status == "inactive"
        assert len((await handle.fetch_history()).events) == 2, "nobody has taken a step of it"
        ombud = command_line(variables, tmp_path)
        said = await ombud("release", "current")
        assert (said.code, said.out) == (
            0,
            "0.1.0 is current, after workers without a version. Workers of other releases may end.\n",
        )
        assert (await ombud("release", "current", "0.1.0")).out == "0.1.0 was current already.\n"
        await handle.execute_update("note", {"text": "Here."})
        seen = await _worker(client, settings.task_queue)
        assert (seen.standing, "0.1.0" in seen.said) == ("ok", True)
        assert [(one.build, one.status) for one in await releases(client, settings.deployment)] == [
            ("0.1.0", "current")
        ]
    await handle.terminate()


async def _known(client: Client, deployment: str) -> list[Release]:
    """The releases that Temporal tells of; it tells of a worker's a moment after the worker asked for work."""
    try:
        return await releases(client, deployment)
    except NotFound:
        return []


async def _seen(stage: System, build: str) -> Any:
    seen = await _worker(stage.client, stage.settings.task_queue)
    return seen if build in seen.said else None
