"""`ombud serve` as a process: it answers on its port, ends cleanly when told to, and says plainly what is missing."""

import asyncio
import base64
import os
import signal
import sys
from collections.abc import Mapping

import httpx
from temporalio.testing import WorkflowEnvironment

from deploy.ports import free_port
from settings import Settings
from tests.support.wait import eventually

PROGRAM = "import sys; from starter.cli import main; sys.argv = ['ombud', 'serve']; main()"


def environment(settings: Settings, temporal: str, port: int) -> dict[str, str]:
    """What the process is told."""
    return os.environ | {
        "OMBUD_DATABASE_URL": settings.database_url,
        "OMBUD_SMTP_HOST": settings.smtp_host,
        "OMBUD_MAIL_FROM": settings.mail_from,
        "OMBUD_SIGNING_KEY": "a key for tests alone, 32 letters",
        "OMBUD_MASTER_KEY": base64.b64encode(bytes(32)).decode(),
        "OMBUD_HTTP_PORT": str(port),
        "TEMPORAL_ADDRESS": temporal,
    }


async def started(env: Mapping[str, str]) -> asyncio.subprocess.Process:
    """The server as a process of its own."""
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, env=env, stdout=pipe, stderr=pipe)


async def test_it_serves_until_it_is_told_to_end(temporal_env: WorkflowEnvironment, settings: Settings) -> None:
    """The process answers on its port, and ends with 0 and without a word on SIGTERM."""
    port = free_port()
    process = await started(environment(settings, temporal_env.client.service_client.config.target_host, port))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as browser:

        async def lives() -> bool:
            try:
                return (await browser.get("/healthz")).status_code == 200
            except httpx.TransportError:
                return False

        await eventually(lives)
        assert (await browser.get("/a/nonsense")).status_code == 404
    process.send_signal(signal.SIGTERM)
    said, complained = await process.communicate()
    assert (process.returncode, said, complained) == (0, b"", b"")


async def test_it_says_what_it_cannot_reach(settings: Settings) -> None:
    """Without Temporal it ends with 3 and one clear message, no traceback."""
    process = await started(environment(settings, f"127.0.0.1:{free_port()}", free_port()))
    _, complained = await process.communicate()
    assert process.returncode == 3
    assert b"Temporal does not answer" in complained
    assert b"Traceback" not in complained


async def test_a_taken_port_is_said(temporal_env: WorkflowEnvironment, settings: Settings) -> None:
    """A port that somebody else holds is named, with the setting that moves it."""
    busy = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = busy.sockets[0].getsockname()[1]
    process = await started(environment(settings, temporal_env.client.service_client.config.target_host, port))
    _, complained = await process.communicate()
    busy.close()
    assert process.returncode == 3
    assert f"Port {port}".encode() in complained
    assert b"OMBUD_HTTP_PORT" in complained
    assert b"Traceback" not in complained
