"""`ombud up` as a person meets it: the real servers, started, stopped, killed and started again."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiosmtplib
import asyncpg
import pytest
from dotenv import dotenv_values
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowExecutionStatus

from deploy.folder import DataFolder
from deploy.ports import LOOPBACK, Ports, free_port
from deploy.temporal import RETENTION, Frontend
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(240)


class Machine:
    """A folder and ports of its own, on which the system is run as a process."""

    def __init__(self, path: Path) -> None:
        self.folder = DataFolder(path / "data")
        self.path = path
        self.ports = Ports.model_validate({name: free_port() for name in Ports.model_fields})
        self.output = path / "output"
        self.process: asyncio.subprocess.Process | None = None

    async def up(self, **more: str) -> asyncio.subprocess.Process:
        """Start the system, with more variables; what it prints goes to `output`."""
        variables = {f"OMBUD_PORT_{name.upper()}": str(port) for name, port in self.ports.model_dump().items()}
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("OMBUD_", "TEMPORAL_"))}
        with self.output.open("wb") as output:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "deploy.up"),
                cwd=self.path,
                env=inherited | variables | more,
                stdout=output,
                stderr=output,
            )
        return self.process

    async def ready(self, **more: str) -> asyncio.subprocess.Process:
        """Start the system and wait until it says that it is ready."""
        process = await self.up(**more)
        await eventually(lambda: "Ready." in self.printed() or process.returncode is not None, 120)
        assert process.returncode is None, self.printed()
        return process

    async def stop(self, process: asyncio.subprocess.Process) -> int:
        """Press Ctrl-C; the exit code."""
        process.send_signal(signal.SIGINT)
        return await process.wait()

    def printed(self) -> str:
        """What it has printed so far."""
        return self.output.read_text()

    def announced(self, name: str) -> str:
        """A setting that the running system tells other terminals."""
        return dotenv_values(self.folder.path / "ombud.env")[name] or ""

    async def database(self) -> asyncpg.Connection:
        """A connection as the commands make it."""
        return await asyncpg.connect(self.announced("OMBUD_DATABASE_URL").replace("+asyncpg", ""))

    def silent(self) -> bool:
        """Whether nobody listens on any of its ports."""
        for port in self.ports.model_dump().values():
            with socket.socket() as probe:
                if probe.connect_ex((LOOPBACK, port)) == 0:
                    return False
        return True


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    """A machine on which nothing runs before and after."""
    made = Machine(tmp_path)
    yield made
    if made.process is not None and made.process.returncode is None:
        await made.stop(made.process)


async def test_ctrl_c_and_restart_keep_everything(machine: Machine) -> None:
    """After Ctrl-C (exit code 0, nothing left running) a restart finds contracts, open workflows, mails and keys."""
    process = await machine.ready()
    client = await Client.connect(machine.announced("TEMPORAL_ADDRESS"))
    namespace = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
    assert namespace.config.workflow_execution_retention_ttl.ToTimedelta() == RETENTION
    await client.start_workflow("Parked", id="parked", task_queue="nobody")
    mail = b"From: a@example.com\r\nTo: b@example.com\r\nSubject: kept\r\n\r\nkept\r\n"
    await aiosmtplib.send(
        mail, sender="a@example.com", recipients=["b@example.com"], hostname=LOOPBACK, port=machine.ports.smtp
    )
    keys = machine.announced("OMBUD_MASTER_KEY"), machine.announced("OMBUD_SIGNING_KEY")
    connection = await machine.database()
    contracts = await connection.fetchval("SELECT count(*) FROM contract_versions")
    assert contracts >= 3  # those that ship
    await connection.close()

    assert await machine.stop(process) == 0
    assert machine.silent()
    assert not (machine.folder.path / "ombud.env").exists()

    process = await machine.ready()
    found = await (await Client.connect(machine.announced("TEMPORAL_ADDRESS"))).get_workflow_handle("parked").describe()
    assert found.status == WorkflowExecutionStatus.RUNNING
    assert [path for path in machine.folder.mail.glob("*.eml") if b"kept" in path.read_bytes()]
    assert (machine.announced("OMBUD_MASTER_KEY"), machine.announced("OMBUD_SIGNING_KEY")) == keys
    connection = await machine.database()
    assert await connection.fetchval("SELECT count(*) FROM contract_versions") == contracts
    await connection.close()
    assert await machine.stop(process) == 0


async def test_killed_then_started_then_bereft(machine: Machine) -> None:
    """After kill -9 a restart ends what was left and runs; when Temporal then dies, all stops and it is said."""
    process = await machine.ready()
    process.kill()
    await process.wait()
    assert not machine.silent()

    process = await machine.ready()
    for name in ("Worker", "Mail catcher", "Temporal", "Postgres"):
        assert f"ending {name} (process " in machine.printed()
    assert await Frontend(machine.ports.temporal).answers()

    second = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.up"), cwd=machine.path, stderr=asyncio.subprocess.PIPE
    )
    _, complaint = await second.communicate()
    assert second.returncode == 1
    assert f"already runs on {machine.folder.path} (process {process.pid})".encode() in complaint

    (temporal,) = [e["pid"] for e in json.loads(machine.folder.servers.read_text()) if e["name"] == "Temporal"]
    os.kill(temporal, signal.SIGKILL)
    assert await process.wait() == 1
    assert "Temporal has ended by itself (signal SIGKILL)" in machine.printed()
    assert machine.silent()


async def test_a_port_that_is_taken(machine: Machine) -> None:
    """A taken port is named with its owner and the variable to set, and nothing is started."""
    with socket.create_server((LOOPBACK, machine.ports.postgres)):
        assert await (await machine.up()).wait() == 1
    assert f"Port {machine.ports.postgres} (postgres) is taken by" in machine.printed()
    assert f"(process {os.getpid()})" in machine.printed()
    assert "OMBUD_PORT_POSTGRES=" in machine.printed()
    assert not machine.folder.postgres.exists()
    assert "Traceback" not in machine.printed()


async def test_a_port_that_is_no_port(machine: Machine) -> None:
    """A variable that is no port number is named."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.up"),
        cwd=machine.path,
        env=os.environ | {"OMBUD_PORT_SMTP": "mail"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaint = await process.communicate()
    assert process.returncode == 1
    assert complaint.startswith(b"OMBUD_PORT_SMTP: ")
