"""The machines: Postgres, Temporal on its file, a worker and the gateway, each a process that is started again whenever
it ends, as an init system does."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from deploy import postgres, temporal
from deploy.ports import LOOPBACK, free_port

PASSWORD = "storm"  # of a cluster on loopback that lives for minutes
QUICK_TO_DELETE = (
    *("--dynamic-config-value", 'history.visibilityProcessorUpdateAckInterval="1s"'),
    *("--dynamic-config-value", 'history.transferProcessorUpdateAckInterval="1s"'),
)
"""Temporal deletes a history once it has put on record that all else about it is done: within minutes, by itself."""
READY_WITHIN = 90.0
"""Seconds; the limit of a broken start."""


class NotServingError(Exception):
    """A machine does not come up: the run cannot go on. The message says which, and where its log is."""


@dataclass
class Machine:
    """One process that is kept running until it is stopped."""

    name: str
    command: Sequence[str]
    log: Path
    ready: Callable[[], Awaitable[bool]]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    stop_by: signal.Signals = signal.SIGTERM
    starts: int = 0
    ended: int = 0
    """How often it ended by itself, such as a worker that found no Temporal when it started."""
    serving: asyncio.Event = field(default_factory=asyncio.Event)
    _allowed: asyncio.Event = field(default_factory=asyncio.Event)
    _process: asyncio.subprocess.Process | None = None
    _keeper: asyncio.Task[None] | None = None
    _killed: bool = False

    async def start(self) -> None:
        """Run it and keep it; returns when it is ready. Raises NotServingError."""
        self._keeper = asyncio.create_task(self._keep())
        await self.back()

    async def back(self) -> None:
        """Let it run; returns when it is ready. Raises NotServingError."""
        self.allow()
        try:
            await asyncio.wait_for(self.serving.wait(), READY_WITHIN)
        except TimeoutError:
            raise NotServingError(
                f"The {self.name} does not serve after {READY_WITHIN:g} seconds; see {self.log}."
            ) from None

    def kill(self) -> None:
        """SIGKILL, with no chance to finish anything; it stays down until `allow`."""
        self._allowed.clear()
        self.serving.clear()
        if self._process is not None and self._process.returncode is None:
            self._killed = True
            self._process.kill()

    def allow(self) -> None:
        """Let it start again."""
        self._allowed.set()

    async def stop(self) -> None:
        """End it in order."""
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(self.stop_by)
            try:
                await asyncio.wait_for(self._process.wait(), 30)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    async def _keep(self) -> None:
        while True:
            await self._allowed.wait()
            self._killed = False
            with self.log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *self.command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, **self.environment},
                    user=self.user,
                    start_new_session=True,
                )
            self.starts += 1
            look = asyncio.create_task(self._look())
            await self._process.wait()
            look.cancel()
            self.serving.clear()
            if not self._killed:
                self.ended += 1
                await asyncio.sleep(0.3)

    async def _look(self) -> None:
        while not await self.ready():  # noqa: ASYNC110  a process elsewhere sets no event
            await asyncio.sleep(0.1)
        self.serving.set()


class Machines:
    """All of them, in one folder."""

    def __init__(self, folder: Path, *, smtp_port: int, points_port: int, queue: str = "storm") -> None:
        self._folder, self._smtp_port, self._points_port, self._queue = folder, smtp_port, points_port, queue
        self.temporal_port, self.http_port = free_port(), free_port()
        self._postgres_port = free_port()
        self.database = postgres.url(self._postgres_port, PASSWORD)
        self.by_name: dict[str, Machine] = {}

    async def start_neighbours(self) -> None:
        """Postgres and Temporal."""
        cluster = await asyncio.to_thread(postgres.Cluster, self._folder / "postgres", PASSWORD)
        # Every process is killed here and never the machine, so that nothing has to reach the disk.
        options = ("fsync=off", "restart_after_crash=off", "track_commit_timestamp=on")
        command = cluster.command(self._postgres_port, *options)
        self._add("postgres", command, self._answers, user=cluster.system_user, stop_by=signal.SIGINT)
        frontend = temporal.Frontend(self.temporal_port)
        started = temporal.command(self._folder / "temporal.db", self.temporal_port, free_port())
        self._add("temporal", [*started, "--headless", *QUICK_TO_DELETE], frontend.answers)
        await asyncio.gather(*(machine.start() for machine in self.by_name.values()))

    async def start_ours(self, settings: Mapping[str, str]) -> None:
        """A worker and the gateway, with these settings besides where everything is."""
        environment = self.environment() | dict(settings)
        worker_log = self._folder / "worker.log"
        self._add("worker", [sys.executable, "-m", "faults.worker"], _says(worker_log, b"working on task queue"))
        self._add("gateway", [sys.executable, "-m", "faults.gateway"], self._listens)
        for name in ("worker", "gateway"):
            self.by_name[name].environment = environment
        await asyncio.gather(*(self.by_name[name].start() for name in ("worker", "gateway")))

    def environment(self) -> dict[str, str]:
        """Where everything is."""
        return {
            "OMBUD_DATABASE_URL": self.database,
            "OMBUD_SMTP_HOST": LOOPBACK,
            "OMBUD_SMTP_PORT": str(self._smtp_port),
            "OMBUD_HTTP_PORT": str(self.http_port),
            "OMBUD_TASK_QUEUE": self._queue,
            "OMBUD_DATA_DIR": str(self._folder),
            "TEMPORAL_ADDRESS": f"{LOOPBACK}:{self.temporal_port}",
            "TEMPORAL_CONFIG_FILE": os.devnull,
            "TEMPORAL_NAMESPACE": temporal.NAMESPACE,
            "FAULTS_PORT": str(self._points_port),
        }

    async def stop(self) -> None:
        """All of them, ours first."""
        for machine in reversed(self.by_name.values()):
            await machine.stop()

    def _add(
        self,
        name: str,
        command: Sequence[str],
        ready: Callable[[], Awaitable[bool]],
        *,
        user: str | None = None,
        stop_by: signal.Signals = signal.SIGTERM,
    ) -> None:
        log = self._folder / f"{name}.log"
        self.by_name[name] = Machine(name, command, log, ready, user=user, stop_by=stop_by)

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.database.replace("+asyncpg", ""), timeout=2)
        except (OSError, TimeoutError, asyncpg.PostgresError):
            return False
        await connection.close()
        return True

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(LOOPBACK, self.http_port)
        except OSError:
            return False
        writer.close()
        return True


def _says(log: Path, words: bytes) -> Callable[[], Awaitable[bool]]:
    """Whether what a process says at the end of its start has come into its log once more."""
    seen = 0

    async def said() -> bool:
        nonlocal seen
        count = (await asyncio.to_thread(log.read_bytes)).count(words)
        found, seen = count > seen, count
        return found

    return said
