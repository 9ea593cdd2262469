"""`ombud doctor`: whether everything that Ombud stands on is right, a line each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from starter.doctor import Finding

MARKS = {"ok": "ok     ", "warning": "look   ", "wrong": "WRONG  ", "unseen": "unseen "}


def mount(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Look at settings, Temporal, worker, Postgres, keys, contracts, calendars, directory and mail server.

    Changes nothing and sends no mail. Says what to do, and ends with 1, when anything is wrong.
    """
    import json
    from dataclasses import asdict

    found = _found()
    if as_json:
        print(json.dumps([asdict(finding) for finding in found], indent=2, ensure_ascii=False))
    else:
        for finding in found:
            print(f"{MARKS[finding.standing]}{finding.what}: {finding.said}")
            if finding.do:
                print(f"       → {finding.do}")
    raise typer.Exit(1 if any(finding.standing == "wrong" for finding in found) else 0)


def _found() -> list[Finding]:
    from settings import SettingsError, load_settings
    from starter.doctor import Finding, examine

    try:
        settings = load_settings()
    except SettingsError as error:
        said = "; ".join(str(error).splitlines())
        return [Finding("settings", "wrong", said, "Set them in the environment or in .env (settings.py says each).")]
    return [Finding("settings", "ok", "complete"), *asyncio.run(examine(settings))]
