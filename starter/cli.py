"""The command `ombud`. Every subcommand imports what it needs when it runs, so that help comes at once.

Ends with 0 done, 1 refused, invalid or problems found, 2 wrong usage or settings, 3 Temporal or Postgres out of reach.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import NoReturn

import typer

from starter import (
    cli_admin,
    cli_bounces,
    cli_canary,
    cli_circulars,
    cli_complaints,
    cli_contract,
    cli_demo,
    cli_directory,
    cli_doctor,
    cli_import,
    cli_keys,
    cli_leak,
    cli_link,
    cli_privacy,
    cli_reading,
    cli_reconcile,
    cli_stuck,
    cli_supervise,
    cli_survey,
    cli_token,
    cli_webhook,
)
from starter.errors import OmbudError
from telemetry import tracing

app = typer.Typer(
    name="ombud",
    help="Runs customer complaints as a service contract says they must be run.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for group in (
    cli_complaints,
    cli_circulars,
    cli_reading,
    cli_supervise,
    cli_survey,
    cli_link,
    cli_import,
    cli_keys,
    cli_leak,
    cli_privacy,
    cli_contract,
    cli_directory,
    cli_webhook,
    cli_admin,
    cli_bounces,
    cli_canary,
    cli_doctor,
    cli_stuck,
    cli_reconcile,
    cli_token,
    cli_demo,
):
    group.mount(app)


def main() -> NoReturn:
    """Run the command line and end the process.

    It ends by `os._exit`: at the interpreter's own end a process that spoke to Temporal may crash, and its exit code
    would then say failed for something that was done.
    """
    tracing.start("ombud")
    with tracing.command(" ".join(["ombud", *filter(str.isalpha, sys.argv[1:2])])):
        code = _run()
    tracing.stop()
    for stream in (sys.stdout, sys.stderr):
        with suppress(BrokenPipeError):  # the reader, such as `head`, has seen enough
            stream.flush()
    os._exit(code)


def _run() -> int:
    if unreadable := next((argument for argument in sys.argv if not _is_text(argument)), None):
        print(f"ombud: {unreadable!a} is no text in this terminal's encoding; write it in UTF-8.", file=sys.stderr)
        return 2
    try:
        app()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except OmbudError as error:
        print(f"ombud: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        return 130
    return 0


def _is_text(argument: str) -> bool:
    """Bytes that the terminal's encoding does not know arrive as halves of characters, which nothing can store."""
    return not any("\ud800" <= char <= "\udfff" for char in argument)
