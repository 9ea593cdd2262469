"""The supervisor against small servers of its own: order, readiness, death, stubbornness, leftovers."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from deploy import supervisor as module
from deploy.supervisor import Command, Server, ServerError, StopRequested, Supervisor
from tests.support.wait import eventually

# Says that it runs, waits for SIGTERM, says that it ends.
OBEDIENT = """
import pathlib, signal, sys
story, name = pathlib.Path(sys.argv[1]), sys.argv[2]
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
with story.open("a") as file: print(name, "runs", file=file)
try: signal.pause()
finally:
    with story.open("a") as file: print(name, "ends", file=file)
"""
STUBBORN = """
import pathlib, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open(sys.argv[1], "a") as file: print(sys.argv[2], "runs", file=file)
while True: signal.pause()
"""


@dataclass
class Stage:
    """A supervisor, what it said, and what its servers wrote down."""

    folder: Path
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.story = self.folder / "story"
        self.record = self.folder / "servers.json"
        self.supervisor = Supervisor(self.folder, self.record, self.said.append)

    def server(self, name: str, program: str = OBEDIENT) -> Server:
        """A server that is ready when it has written that it runs."""

        async def ready() -> bool:
            return self.story.exists() and f"{name} runs\n" in self.story.read_text()

        return Server(name=name, command=self.python(program, str(self.story), name), where="here", ready=ready)

    @staticmethod
    def popen(command: list[str]) -> subprocess.Popen[bytes]:
        """A process the supervisor knows nothing of."""
        return subprocess.Popen(command)

    @staticmethod
    def python(program: str, *arguments: str) -> list[str]:
        """The command line of a small program."""
        return [sys.executable, "-c", program, *arguments]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A supervisor whose servers are gone when the test ends."""
    made = Stage(tmp_path)
    yield made
    await made.supervisor.stop()


async def test_stops_in_reverse_order(stage: Stage) -> None:
    """What was started last is stopped first, and nothing is left on record."""
    await stage.supervisor.start(stage.server("Postgres"), stage.server("Temporal"))
    await stage.supervisor.start(stage.server("Worker"))
    await stage.supervisor.stop()
    ends = [line for line in stage.story.read_text().splitlines() if line.endswith("ends")]
    assert ends == ["Worker ends", "Temporal ends", "Postgres ends"]
    assert not stage.record.exists()


async def test_says_ready_only_when_it_is(stage: Stage) -> None:
    """A server appears in the table after it is ready, not after it is started."""
    gate = asyncio.Event()

    async def ready() -> bool:
        return gate.is_set()

    server = Server(name="Slow", command=stage.python("import signal; signal.pause()"), where="here", ready=ready)
    starting = asyncio.create_task(stage.supervisor.start(server))
    await eventually(stage.record.exists)
    assert stage.said == []
    gate.set()
    await starting
    assert stage.said == ["  Slow           here"]


async def test_a_death_is_told_with_the_last_words(stage: Stage) -> None:
    """A server that ends by itself ends the watch, named with its exit code and what it said in this run only."""
    (stage.folder / "worker.log").write_text("words of an earlier run\n")
    last = 'print("no such table"); raise SystemExit(7)'
    with pytest.raises(ServerError) as caught:
        await stage.supervisor.start(stage.server("Postgres"), stage.server("Worker", last))
    assert "Worker has ended by itself (exit code 7)" in str(caught.value)
    assert "no such table" in str(caught.value)
    assert "earlier run" not in str(caught.value)


async def test_a_death_after_the_start_is_noticed(stage: Stage) -> None:
    """A server killed while all run peacefully is noticed and named with the signal."""
    await stage.supervisor.start(stage.server("Temporal"))
    os.kill(json.loads(stage.record.read_text())[0]["pid"], signal.SIGKILL)
    with pytest.raises(ServerError, match=r"Temporal has ended by itself \(signal SIGKILL\)"):
        await stage.supervisor.forever()


async def test_one_that_never_gets_ready(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for a server has an end, and the message shows what the server said."""
    monkeypatch.setattr(module, "READY_WITHIN", 0.5)
    program = 'import signal; print("still thinking", flush=True); signal.pause()'

    async def never() -> bool:
        return False

    with pytest.raises(ServerError, match=r"Thinker is not ready after 0\.5 seconds"):
        await stage.supervisor.start(Server(name="Thinker", command=stage.python(program), where="here", ready=never))


async def test_a_program_that_is_not_there(stage: Stage) -> None:
    """A missing program is one clear message."""
    with pytest.raises(ServerError, match=r"Pages cannot be started: .*no-such-program"):
        await stage.supervisor.once(Command(name="Pages", command=["/no-such-program"]))


async def test_a_failing_step_stops_the_start(stage: Stage) -> None:
    """A command that fails tells what it said; one that succeeds says nothing."""
    await stage.supervisor.once(Command(name="Good", command=stage.python("print('fine')")))
    with pytest.raises(ServerError, match=r"(?s)Bad: failed.*wrong contract"):
        await stage.supervisor.once(Command(name="Bad", command=stage.python("raise SystemExit('wrong contract')")))


async def test_what_does_not_stop_is_killed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server deaf to SIGTERM does not keep the system from ending, and it is said that it was killed."""
    await stage.supervisor.start(stage.server("Deaf", STUBBORN))
    pid = json.loads(stage.record.read_text())[0]["pid"]
    monkeypatch.setattr(module, "STOP_WITHIN", 0.1)
    await stage.supervisor.stop()
    assert "  Deaf does not stop: killed" in stage.said
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_asked_to_stop(stage: Stage, number: signal.Signals) -> None:
    """Ctrl-C, SIGTERM and a closed terminal all ask to stop, also while a server is not ready yet."""

    async def ask_then_never() -> bool:
        os.kill(os.getpid(), number)
        return False

    waiting = Server(
        name="Slow", command=stage.python("import signal; signal.pause()"), where="here", ready=ask_then_never
    )
    with pytest.raises(StopRequested):
        await stage.supervisor.start(waiting)


async def test_leftovers_are_ended(stage: Stage) -> None:
    """What a killed run left behind is ended in order before anything is started."""
    left = stage.popen(stage.python(OBEDIENT, str(stage.story), "Old"))
    await eventually(lambda: stage.story.exists() and "Old runs" in stage.story.read_text())
    entry = {"name": "Old", "pid": left.pid, "started": psutil.Process(left.pid).create_time(), "stop": 15}
    stage.record.write_text(json.dumps([entry]))
    stage.supervisor.end_leftovers()
    assert left.wait() == 0
    assert "Old ends" in stage.story.read_text()
    assert stage.said == [f"  ending Old (process {left.pid}), left over from a killed run"]
    assert not stage.record.exists()


async def test_a_stranger_with_the_same_process_id_is_left_alone(stage: Stage) -> None:
    """A process id that the system has given to somebody else meanwhile is not ours to end."""
    stranger = stage.popen(stage.python("import signal; signal.pause()"))
    started = psutil.Process(stranger.pid).create_time()
    entry = {"name": "Old", "pid": stranger.pid, "started": started - 60, "stop": 15}
    stage.record.write_text(json.dumps([entry]))
    stage.supervisor.end_leftovers()
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()
