"""`ombud bounces`: takes in what mail servers tell of our mails after they accepted them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from settings import Settings
    from starter.bounces import Intake

TRY_AGAIN = 75
"""EX_TEMPFAIL: a mail server that pipes a mail in keeps it and tries again later."""


def mount(app: typer.Typer) -> None:
    app.command()(bounces)


def bounces(
    stdin: Annotated[
        bool, typer.Option("--stdin", help="One mail from standard input, as mail servers pipe it.")
    ] = False,
    watch: Annotated[
        int | None, typer.Option(min=5, help="Look again after so many seconds, until it is stopped.")
    ] = None,
) -> None:
    """Record what mail servers report of our mails: delivered or bounced. A bounce goes back to its complaints.

    Reads the mailbox of OMBUD_BOUNCE_MAILBOX once. With --stdin it ends with 75 where the mail must come again later.
    """
    if stdin:
        raise typer.Exit(asyncio.run(_piped()))
    asyncio.run(_mailbox(watch))


async def _piped() -> int:
    import sys

    from starter.errors import Unreachable

    raw = sys.stdin.buffer.read()
    try:
        fate = await _with_intake(lambda intake, _: intake.take(raw))
    except Unreachable as error:
        print(f"ombud: {error}", file=sys.stderr)
        return TRY_AGAIN
    print(fate)
    return TRY_AGAIN if fate == "early" else 0


async def _mailbox(watch: int | None) -> None:
    from datetime import UTC, datetime

    from starter.errors import Misconfigured, Unreachable
    from starter.mailboxes import MailboxError

    async def once(intake: Intake, settings: Settings) -> str:
        if settings.bounce_mailbox is None:
            raise Misconfigured(
                "OMBUD_BOUNCE_MAILBOX is not set; it names the mailbox, as imaps://user:password@host/INBOX "
                "or maildir:/path."
            )
        try:
            found = await intake.take_all(settings.bounce_mailbox.get_secret_value())
        except MailboxError as error:
            raise Unreachable(str(error)) from None
        return ", ".join(f"{count} {fate}" for fate, count in sorted(found.items()))

    while True:
        try:
            said = await _with_intake(once)
        except Unreachable as error:
            if watch is None:
                raise
            said = str(error)
        if said or watch is None:
            print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {said}" if watch else said or "nothing new", flush=True)
        if watch is None:
            return
        await asyncio.sleep(watch)


async def _with_intake(do: Callable[[Intake, Settings], Awaitable[str]]) -> str:
    """One round: take in, then tell the complaints."""
    from starter.bounces import Intake
    from starter.postgres import postgres, settings_in_force

    settings = settings_in_force()
    async with postgres(settings) as engine:
        intake = Intake(engine, settings)
        try:
            return await do(intake, settings)
        finally:
            await intake.tell()
