"""A process that starts while a neighbour is away, or is not what it should be: one message, the right exit code."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment

from settings import Settings
from tests.starter.conftest import command_line, environment
from tests.support.temporal import start_real
from tests.support.wait import eventually
from worker import SearchAttributesError, worker
from workflows.search_attributes import ALL, DUE

NOBODY = "127.0.0.1:1"
"""An address where nobody listens."""

AWAY = f"postgresql+asyncpg://ombud:secret@{NOBODY}/none"

Variables = dict[str, str]


@pytest.fixture
def variables(temporal_env: WorkflowEnvironment, settings: Settings) -> Variables:
    """An environment in which every neighbour answers."""
    return environment(settings, temporal_env.client.service_client.config.target_host)


class Process:
    """A server of Ombud as a process, with everything it has said so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said = ""
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout
        async for line in self.process.stdout:
            self.said += line.decode()

    async def ended(self) -> int:
        """Its exit code."""
        code = await asyncio.wait_for(self.process.wait(), 60)
        await self._reading
        assert "Traceback" not in self.said, self.said
        return code


@asynccontextmanager
async def started(variables: Variables, folder: Path, *command: str) -> AsyncIterator[Process]:
    """`python -c` or `python -m` in an environment, ended at the end whatever happens."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        cwd=folder,
        env=variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


WORKER = ("-m", "worker")
SERVE = ("-c", "from starter.cli import main; main()", "serve")

CHANGES: list[tuple[Callable[[Variables], Variables], int, str]] = [
    (lambda v: v | {"TEMPORAL_ADDRESS": NOBODY}, 3, "Temporal does not answer at 127.0.0.1:1"),
    (lambda v: v | {"TEMPORAL_ADDRESS": "nonsense"}, 3, "set TEMPORAL_ADDRESS to where it is"),
    (lambda v: v | {"TEMPORAL_NAMESPACE": "nowhere"}, 3, "has no namespace 'nowhere'"),
    (lambda v: v | {"OMBUD_DATABASE_URL": "mysql://x"}, 2, "OMBUD_DATABASE_URL must begin with postgresql+asyncpg://"),
    (lambda v: v | {"OMBUD_DATABASE_URL": f"{AWAY.replace(':1/', ':one/')}"}, 2, "OMBUD_DATABASE_URL is no address"),
    (lambda v: v | {"OMBUD_COLOUR": "red"}, 2, "OMBUD_COLOUR is not a setting"),
    (lambda v: {n: value for n, value in v.items() if n != "OMBUD_MASTER_KEY"}, 2, "OMBUD_MASTER_KEY is not set"),
]
"""What is wrong with an environment, the exit code, and what is said."""


@pytest.mark.parametrize("command", [WORKER, SERVE], ids=["worker", "serve"])
@pytest.mark.parametrize(("change", "code", "reason"), CHANGES, ids=[reason for _, _, reason in CHANGES])
async def test_a_server_that_cannot_start_says_why(
    variables: Variables,
    tmp_path: Path,
    command: tuple[str, ...],
    change: Callable[[Variables], Variables],
    code: int,
    reason: str,
) -> None:
    """Settings that are wrong end with 2, a Temporal out of reach with 3; the message names the setting to change."""
    async with started(change(variables), tmp_path, *command) as process:
        assert await process.ended() == code
        assert reason in process.said


async def test_a_worker_works_while_postgres_and_mail_are_away(variables: Variables, tmp_path: Path) -> None:
    """Invariant 15: both delay records and notices, no clock; the worker says so, works, and ends cleanly."""
    away = variables | {"OMBUD_DATABASE_URL": AWAY, "OMBUD_SMTP_PORT": "1"}
    async with started(away, tmp_path, *WORKER) as process:
        await eventually(lambda: "working on task queue" in process.said)
        assert "Postgres does not answer at 127.0.0.1:1/none as ombud" in process.said
        assert "secret" not in process.said
        process.process.send_signal(signal.SIGTERM)
        assert await process.ended() == 0


async def test_commands_say_which_namespace_is_missing(variables: Variables, tmp_path: Path) -> None:
    """A namespace that is not there is not mistaken for a complaint that is not there."""
    ombud = command_line(variables | {"TEMPORAL_NAMESPACE": "nowhere"}, tmp_path)
    opening = ("--contract", "demo", "--reference", "R-1", "--kind", "enquiry", "--channel", "app", "--content", "x")
    for arguments in (("open", *opening), ("tell", "demo/R-1", "note", "--text", "x")):
        ended = await ombud(*arguments)
        assert (ended.code, ended.out) == (3, "")
        assert "has no namespace 'nowhere'" in ended.err
        assert "TEMPORAL_NAMESPACE" in ended.err


async def test_a_complaint_opens_while_postgres_is_away(variables: Variables, tmp_path: Path) -> None:
    """Opening needs Temporal alone; what must read Postgres says that it does not answer, and where it was sought."""
    ombud = command_line(variables | {"OMBUD_DATABASE_URL": AWAY}, tmp_path)
    opening = ("--contract", "demo", "--reference", tmp_path.name[:60], "--kind", "enquiry", "--channel", "app")
    assert (await ombud("open", *opening, "--content", "x")).code == 0
    for arguments in (("list",), ("stuck",), ("show", "demo/R-1"), ("tell", "demo/none", "note", "--text", "x")):
        ended = await ombud(*arguments)
        assert (ended.code, ended.out) == (3, "")
        assert "Postgres does not answer at 127.0.0.1:1/none as ombud" in ended.err
        assert "secret" not in ended.err


async def test_a_port_that_is_taken_is_named(variables: Variables, tmp_path: Path) -> None:
    """`ombud serve` says which port it cannot have and which setting moves it."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        async with started(variables | {"OMBUD_HTTP_PORT": str(port)}, tmp_path, *SERVE) as process:
            assert await process.ended() == 3
            assert f"Port {port} of 127.0.0.1" in process.said
            assert "OMBUD_HTTP_PORT" in process.said


async def test_search_attributes_that_are_missing_are_added(settings: Settings) -> None:
    """A worker on a namespace that knows none of them registers all before it polls, so no complaint is held up."""
    async with await start_real([]) as env:
        async with worker(env.client, settings):
            pass
        service = env.client.operator_service
        known = await service.list_search_attributes(ListSearchAttributesRequest(namespace=env.client.namespace))
        assert {key.name: int(key.indexed_value_type) for key in ALL}.items() <= dict(known.custom_attributes).items()


async def test_a_search_attribute_of_another_type_stops_the_worker(settings: Settings) -> None:
    """It would hold every complaint up for ever; the worker names it, the type it must have, and the command."""
    async with await start_real([SearchAttributeKey.for_keyword(DUE.name)]) as env:
        with pytest.raises(SearchAttributesError, match=r"OmbudDue must be Datetime.*\n.*search-attribute remove"):
            async with worker(env.client, settings):
                pass
