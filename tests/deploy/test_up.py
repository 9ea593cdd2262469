"""`ombud up` as a person meets it: the real servers, started, stopped, killed and started again."""

import asyncio
import json
import os
import signal
import socket
import sys

import aiosmtplib
import httpx
import pytest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowExecutionStatus

from deploy.ports import LOOPBACK
from deploy.temporal import RETENTION, Frontend
from tests.support.machine import Machine

pytestmark = pytest.mark.timeout(240)


async def test_ctrl_c_and_restart_keep_everything(machine: Machine) -> None:
    """After Ctrl-C (exit code 0, nothing left running) a restart finds contracts, open workflows, mails and keys."""
    process = await machine.ready(OMBUD_BUILD_ID="9.9")  # somebody's, from a server: here no release has to be current
    assert "as version" not in (machine.folder.logs / "worker.log").read_text(encoding="utf-8")
    client = await Client.connect(machine.announced("TEMPORAL_ADDRESS"))
    namespace = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
    assert namespace.config.workflow_execution_retention_ttl.ToTimedelta() == RETENTION
    await client.start_workflow("Parked", id="parked", task_queue="nobody")
    mail = b"From: a@example.com\r\nTo: b@example.com\r\nSubject: kept\r\n\r\nkept\r\n"
    await aiosmtplib.send(
        mail, sender="a@example.com", recipients=["b@example.com"], hostname=LOOPBACK, port=machine.ports.smtp
    )
    keys = machine.announced("OMBUD_MASTER_KEY"), machine.announced("OMBUD_SIGNING_KEY")
    token = machine.folder.token.read_text(encoding="utf-8").strip()
    assert machine.printed().count(token) == 1
    assert machine.folder.token.stat().st_mode & 0o777 == 0o600
    async with httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{machine.ports.pages}") as http:
        assert (await http.get("/v1/records", headers={"Authorization": f"Bearer {token}"})).status_code == 200
    logs = "".join(path.read_text(encoding="utf-8") for path in machine.folder.logs.iterdir())
    assert token not in logs
    connection = await machine.database()
    contracts = await connection.fetchval("SELECT count(*) FROM contract_versions")
    assert contracts >= 3  # those that ship
    await connection.close()

    assert await machine.stop(process) == 0
    assert machine.silent()
    assert not (machine.folder.path / "ombud.env").exists()

    process = await machine.ready()
    assert token not in machine.printed()
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
