"""The one-machine system as a person runs it: the real servers, in a folder and on ports of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import asyncpg
from dotenv import dotenv_values

from deploy.folder import DataFolder
from deploy.ports import LOOPBACK, Ports, free_port
from tests.support.wait import eventually


class Machine:
    """A folder and ports of its own, on which the system is run as a process."""

    def __init__(self, path: Path) -> None:
        self.folder = DataFolder(path / "data")
        self.path = path
        self.ports = Ports.model_validate({name: free_port() for name in Ports.model_fields})
        self.output = path / "output"
        self.process: asyncio.subprocess.Process | None = None

    async def up(self, *arguments: str, **more: str) -> asyncio.subprocess.Process:
        """Start the system, with more variables; what it prints goes to `output`."""
        variables = {f"OMBUD_PORT_{name.upper()}": str(port) for name, port in self.ports.model_dump().items()}
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("OMBUD_", "TEMPORAL_"))}
        with self.output.open("wb") as output:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "deploy.up", *arguments),
                cwd=self.path,
                env=inherited | variables | more,
                stdout=output,
                stderr=output,
            )
        return self.process

    async def ready(self, *arguments: str, **more: str) -> asyncio.subprocess.Process:
        """Start the system and wait until it says that it is ready."""
        process = await self.up(*arguments, **more)
        await eventually(lambda: "Ready" in self.printed() or process.returncode is not None, 120)
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

    async def ombud(self, *arguments: str) -> str:
        """A command of another terminal; what it printed. AssertionError unless it ends with 0."""
        code, said = await self.ended(*arguments)
        assert code == 0, said
        return said

    async def ended(self, *arguments: str) -> tuple[int, str]:
        """The same, with the code that it ended with, whatever that is."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from starter.cli import main; main()", *arguments),
            env=os.environ | {k: v or "" for k, v in dotenv_values(self.folder.path / "ombud.env").items()},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode()

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
