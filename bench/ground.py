"""The ground every measurement of speed stands on: real servers and real workers, each a process of its own.

Temporal and Postgres run as `ombud up` runs them, on files that survive a power cut; the mail server takes everything
at once; Ombud's worker is `python worker.py`, the bare one `python -m bench.bare`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from deploy.ports import free_port
from deploy.temporal import Frontend, command
from storage.database import create_engine, transaction
from tests.support.postgres import cluster
from tests.support.wait import eventually
from wire.client import DATA_CONVERTER

ROOT = Path(__file__).parents[1]
CACHE = 20_000
"""Workflows each worker keeps in memory, Ombud's and the bare one, unless a figure is about just that."""


@dataclass
class Ground:
    """What a measurement stands on. Nothing is published and no worker runs yet."""

    client: Client
    engine: AsyncEngine
    folder: Path
    environment: dict[str, str]
    """For every process of Ombud."""
    mails: Path
    """What the mail server took: lines of second, Message-ID, recipient."""

    async def rows(self, query: str, **parameters: Any) -> list[Any]:
        """What Postgres answers."""
        async with transaction(self.engine) as connection:
            return list((await connection.execute(text(query), parameters)).all())

    async def count(self, query: str, **parameters: Any) -> int:
        """The one number that Postgres answers."""
        return int((await self.rows(query, **parameters))[0][0])

    @property
    def queue(self) -> str:
        return self.environment["OMBUD_TASK_QUEUE"]

    def accepted(self) -> list[tuple[float, str, str]]:
        """Second, Message-ID without its domain, and recipient of every mail that was taken."""
        lines = self.mails.read_text("utf-8").splitlines() if self.mails.exists() else []
        return [(float(when), id_, to) for when, id_, to in (line.split(" ") for line in lines)]


@asynccontextmanager
async def ground(*options: str) -> AsyncIterator[Ground]:
    """Temporal, Postgres (with more settings of it, `name=value`) and a mail server, on free ports."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ombud-bench-")))
        databases = await stack.enter_async_context(cluster(folder / "postgres", *options, durable=True))
        url = await databases.fresh()
        port = free_port()
        server = command(folder / "temporal.db", port, free_port())
        await stack.enter_async_context(process(*server, log=folder / "temporal.log"))
        await eventually(Frontend(port).answers)
        mails = folder / "mails"
        sink = await stack.enter_async_context(
            process(sys.executable, "-m", "bench.sink", str(mails), log=folder / "sink.log", ready="port")
        )
        engine = create_engine(url)
        stack.push_async_callback(engine.dispose)
        yield Ground(
            client=await Client.connect(f"127.0.0.1:{port}", data_converter=DATA_CONVERTER),
            engine=engine,
            folder=folder,
            environment={
                "OMBUD_DATABASE_URL": url,
                "OMBUD_SMTP_HOST": "127.0.0.1",
                "OMBUD_SMTP_PORT": sink.said.split()[-1],
                "OMBUD_MAIL_FROM": "Ombud <ombud@example.com>",
                "OMBUD_SIGNING_KEY": "a key for measurements alone, 32+",
                "OMBUD_MASTER_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                "OMBUD_BASE_URL": "http://127.0.0.1:9",
                "OMBUD_TASK_QUEUE": "ombud",
                "TEMPORAL_ADDRESS": f"127.0.0.1:{port}",
            },
            mails=mails,
        )


@dataclass(frozen=True)
class Process:
    """A process that runs, and the line by which it said that it was ready."""

    pid: int
    said: str

    def memory(self) -> int:
        """Bytes of its own that it holds in memory."""
        rolled = Path(f"/proc/{self.pid}/smaps_rollup").read_text("ascii")
        fields = dict(line.split(":", 1) for line in rolled.splitlines()[1:])
        return sum(int(fields[name].split()[0]) for name in ("Private_Clean", "Private_Dirty")) * 1024

    def seconds(self) -> float:
        """Time on the processor so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def process(
    *arguments: str, log: Path, ready: str = "", environment: dict[str, str] | None = None
) -> AsyncIterator[Process]:
    """A process that runs inside the block, from when its log has these words; its log is its own."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("OMBUD_", "TEMPORAL_"))}
    with log.open("wb") as output:
        child = await asyncio.create_subprocess_exec(
            *arguments, cwd=ROOT, env=inherited | (environment or {}), stdout=output, stderr=output
        )

    def said() -> str:
        if child.returncode is not None:
            raise RuntimeError(f"{' '.join(arguments)} ended at once:\n{log.read_text('utf-8')}")
        found = [line for line in log.read_text("utf-8").splitlines() if ready and ready in line]
        return found[0] if found else ""

    try:
        yield Process(child.pid, await eventually(said) if ready else "")
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()


@asynccontextmanager
async def workers(at: Ground, count: int = 1, **settings: str) -> AsyncIterator[list[Process]]:
    """Ombud's workers, so many processes, with more settings by the names of their variables."""
    async with AsyncExitStack() as stack:
        running: list[Process] = []
        for _ in range(count):
            start = process(
                sys.executable,
                "worker.py",
                log=at.folder / f"worker-{len(running)}.log",
                ready="working on task queue",
                environment=at.environment | {"OMBUD_WORKER_CACHE": str(CACHE)} | settings,
            )
            running.append(await stack.enter_async_context(start))
        yield running


@asynccontextmanager
async def bare_worker(at: Ground) -> AsyncIterator[Process]:
    """The worker of the bare workflow."""
    environment = {"TEMPORAL_ADDRESS": at.environment["TEMPORAL_ADDRESS"], "BARE_CACHE": str(CACHE)}
    start = process(
        sys.executable, "-m", "bench.bare", log=at.folder / "bare.log", ready="working", environment=environment
    )
    async with start as running:
        yield running
