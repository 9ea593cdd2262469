"""Workers as processes of their own, out of this source tree or another one."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from settings import Settings
from tests.support.wait import eventually

ROOT = Path(__file__).parents[2]
WORKING = "working on task queue"


@dataclass
class WorkerProcess:
    """`python -m worker` while it runs."""

    process: asyncio.subprocess.Process
    log: Path

    def said(self) -> str:
        """What it has logged so far."""
        return self.log.read_text(encoding="utf-8")

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal and wait for its end; its exit code."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await self.process.wait()


def environment(settings: Settings, temporal: str, **more: str) -> dict[str, str]:
    """The variables that lead a process of Ombud to these neighbours and to nobody else's."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OMBUD_", "TEMPORAL_"))}
    return inherited | {
        "OMBUD_DATABASE_URL": settings.database_url,
        "OMBUD_SMTP_HOST": settings.smtp_host,
        "OMBUD_SMTP_PORT": str(settings.smtp_port),
        "OMBUD_MAIL_FROM": settings.mail_from,
        "OMBUD_SIGNING_KEY": settings.signing_key.get_secret_value(),
        "OMBUD_MASTER_KEY": settings.master_key.get_secret_value(),
        "OMBUD_TASK_QUEUE": settings.task_queue,
        "OMBUD_WEBHOOK_ALLOW": settings.webhook_allow,
        "OMBUD_WORKER_CACHE": str(settings.worker_cache),
        "OMBUD_DATA_DIR": os.devnull,
        "TEMPORAL_ADDRESS": temporal,
        "TEMPORAL_CONFIG_FILE": os.devnull,
        **more,
    }


@asynccontextmanager
async def worker_process(folder: Path, variables: Mapping[str, str], tree: Path = ROOT) -> AsyncIterator[WorkerProcess]:
    """A worker that runs the sources of `tree` and polls inside the block; its log lies in `folder`."""
    log = folder / f"worker-{uuid.uuid4().hex[:8]}.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-c", _FROM_TREE, str(tree)),
            cwd=folder,
            env=dict(variables),
            stdout=output,
            stderr=output,
        )
    made = WorkerProcess(process, log)
    try:
        await eventually(lambda: WORKING in made.said() or process.returncode is not None)
        assert process.returncode is None, made.said()
        yield made
    finally:
        await made.end(signal.SIGKILL)


_FROM_TREE = """
import runpy, sys
sys.path.insert(0, sys.argv[1])
sys.argv = ["worker"]
runpy.run_module("worker", run_name="__main__")
"""
