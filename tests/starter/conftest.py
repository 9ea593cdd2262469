"""The starter against a running Ombud: the client in this process, the command line in one of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from rules.commands import OpenComplaint
from settings import Settings
from starter.client import Ombud
from tests.support.system import ROOT, System


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Cli = Callable[..., Awaitable[Ended]]


def environment(settings: Settings, temporal: str) -> dict[str, str]:
    """What a process needs to find this test's servers, and nothing from files."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("OMBUD_", "TEMPORAL_"))} | {
        "OMBUD_DATABASE_URL": settings.database_url,
        "OMBUD_SMTP_HOST": settings.smtp_host,
        "OMBUD_SMTP_PORT": str(settings.smtp_port),
        "OMBUD_MAIL_FROM": settings.mail_from,
        "OMBUD_SIGNING_KEY": settings.signing_key.get_secret_value(),
        "OMBUD_MASTER_KEY": settings.master_key.get_secret_value(),
        "OMBUD_TASK_QUEUE": settings.task_queue,
        "TEMPORAL_ADDRESS": temporal,
        "PYTHONPATH": str(ROOT),
    }


def command_line(variables: dict[str, str], folder: Path) -> Cli:
    """`ombud` as a process with these variables, in a folder of its own."""

    async def run(*arguments: str, stdin: str = "", **changed: str) -> Ended:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "from starter.cli import main; main()",
            *arguments,
            cwd=folder,
            env=variables | changed,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(stdin.encode())
        ended = Ended(process.returncode or 0, out.decode(), err.decode())
        assert "Traceback" not in ended.err, ended.err
        return ended

    return run


@pytest.fixture
def ombud(system: System) -> Ombud:
    """The Python client of this test's system."""
    return Ombud(system.client, system.engine, task_queue=system.settings.task_queue)


@pytest.fixture
def cli(system: System, tmp_path: Path) -> Cli:
    """The command line of this test's system."""
    address = system.client.service_client.config.target_host
    return command_line(environment(system.settings, address), tmp_path)


def opening(**fields: Any) -> OpenComplaint:
    """A complaint of level 2 that nobody has opened before."""
    return OpenComplaint.model_validate(
        {
            "contract": "maintenance-service",
            "reference": f"R-{uuid4().hex[:12]}",
            "kind": "complaint",
            "category": "product_quality",
            "channel": "wechat",
            "received_at": "2026-11-20T17:50:00+08:00",
            "content": "It leaks.",
            **fields,
        }
    )
