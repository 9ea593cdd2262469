"""Starts servers, waits until they are ready, notices when one ends, and stops all in reverse order."""

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

T = TypeVar("T")

READY_WITHIN = 60.0  # seconds; a slow machine makes its first Postgres cluster in five
STOP_WITHIN = 40.0  # seconds; a worker gives the activities in flight twenty
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOG_LIMIT = 10_000_000  # bytes; a longer log begins anew at the next start, one older is kept


class ServerError(Exception):
    """A server did not become ready or ended by itself; the message has its exit code and its last words."""


class StopRequested(Exception):
    """Ctrl-C, SIGTERM or a closed terminal."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """A process to run; what it says goes into the log of its name."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    """On top of this process's own."""
    user: str | None = None
    """None is the user of this process."""
    stop: signal.Signals = signal.SIGTERM
    """Ends it in order."""


@dataclass(frozen=True, kw_only=True)
class Server(Command):
    """A process to keep running."""

    where: str
    """What a person needs to reach it, or what it does."""
    ready: Callable[[], Awaitable[bool]]
    """Asked again and again until it says yes."""


@dataclass(frozen=True)
class _Running:
    what: Command
    process: asyncio.subprocess.Process
    exit: asyncio.Task[int]
    log: Path
    log_start: int


class Supervisor:
    """Owns every process it starts; `record` remembers them for the next run, should this one be killed."""

    def __init__(self, logs: Path, record: Path, say: Callable[[str], None]) -> None:
        self._logs, self._record, self._say = logs, record, say
        self._running: list[_Running] = []
        self._stop = asyncio.Event()
        for number in _STOP_SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)

    async def start(self, *servers: Server) -> None:
        """Start these at once and say of each that it is ready. Raises ServerError, StopRequested."""
        for server in servers:
            self._running.append(await self._launch(server))
            self._remember()
        for server in servers:
            await self.meanwhile(self._until_ready(server))
            self._say(f"  {server.name:<14} {server.where}")

    async def once(self, command: Command) -> None:
        """Run a command to its end. Raises ServerError if it fails, StopRequested."""
        running = await self._launch(command)
        try:
            code = await self.meanwhile(_ended(running))
        finally:
            await self._end(running)
        if code != 0:
            raise ServerError(f"{command.name}: failed.\n{_tail(running)}")

    async def meanwhile(self, work: Coroutine[Any, Any, T]) -> T:
        """Do this, unless a server ends or somebody wants to stop. Raises ServerError, StopRequested."""
        task, stop = asyncio.create_task(work), asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({task, stop, *(r.exit for r in self._running)}, return_when="FIRST_COMPLETED")
            if stop.done():
                raise StopRequested
            for running in self._running:
                if running.exit.done():
                    raise ServerError(_last_words(running))
            return task.result()
        finally:
            for pending in (task, stop):
                pending.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await pending

    async def forever(self) -> None:
        """Watch until somebody wants to stop (StopRequested) or a server ends (ServerError)."""
        await self.meanwhile(asyncio.sleep(float("inf")))

    async def stop(self) -> None:
        """Stop all in reverse order; kill what does not stop."""
        while self._running:
            running = self._running[-1]
            if not running.exit.done():
                self._say(f"  stopping {running.what.name}")
            await self._end(running)
            self._running.pop()
            self._remember()
        for number in _STOP_SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(number)

    def end_leftovers(self) -> None:
        """End what a killed run left behind, each known by process id and start time, in reverse order."""
        if not self._record.exists():
            return
        for entry in reversed(json.loads(self._record.read_text())):
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(entry["pid"])
                if abs(process.create_time() - entry["started"]) < 2 and process.is_running():
                    self._say(f"  ending {entry['name']} (process {process.pid}), left over from a killed run")
                    _end_leftover(process, signal.Signals(entry["stop"]))
        self._record.unlink()

    async def _launch(self, what: Command) -> _Running:
        log = self._logs / f"{what.name.lower().replace(' ', '-')}.log"
        if log.exists() and log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as output:
            log_start = output.tell()
            try:
                process = await asyncio.create_subprocess_exec(
                    *what.command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env={**os.environ, **what.environment},
                    user=what.user,
                    start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops all in order
                )
            except OSError as error:
                raise ServerError(f"{what.name} cannot be started: {error}") from None
        return _Running(what, process, asyncio.create_task(process.wait()), log, log_start)

    async def _end(self, running: _Running) -> None:
        if running.exit.done():
            return
        with suppress(ProcessLookupError):
            running.process.send_signal(running.what.stop)
        await asyncio.wait({running.exit}, timeout=STOP_WITHIN)
        if not running.exit.done():
            self._say(f"  {running.what.name} does not stop: killed")
            running.process.kill()
            await running.exit

    async def _until_ready(self, server: Server) -> None:
        try:
            async with asyncio.timeout(READY_WITHIN):
                while not await server.ready():  # noqa: ASYNC110  a server elsewhere sets no event
                    await asyncio.sleep(0.05)
        except TimeoutError:
            running = next(r for r in self._running if r.what is server)
            raise ServerError(f"{server.name} is not ready after {READY_WITHIN:g} seconds.\n{_tail(running)}") from None

    def _remember(self) -> None:
        if not self._running:
            self._record.unlink(missing_ok=True)
            return
        draft = self._record.with_suffix(".new")
        draft.write_text(json.dumps([_entry(running) for running in self._running]))
        draft.replace(self._record)


def _entry(running: _Running) -> dict[str, Any]:
    pid, what = running.process.pid, running.what
    try:
        started = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        started = 0.0  # it has ended already
    return {"name": what.name, "pid": pid, "started": started, "stop": int(what.stop)}


async def _ended(running: _Running) -> int:
    return await asyncio.shield(running.exit)


def _end_leftover(process: psutil.Process, number: signal.Signals) -> None:
    process.send_signal(number)
    try:
        process.wait(STOP_WITHIN)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(STOP_WITHIN)


def _last_words(running: _Running) -> str:
    code = running.exit.result()
    how = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
    return f"{running.what.name} has ended by itself ({how}).\n{_tail(running)}"


def _tail(running: _Running) -> str:
    with running.log.open("rb") as file:
        file.seek(running.log_start)
        lines = file.read().decode(errors="replace").splitlines()[-15:]
    return "\n".join([f"Last lines of {running.log}:", *(f"  | {line}" for line in lines or ["(nothing)"])])
