"""`ombud leak report`: data or secrets got out. A case of its own; the other side is told at once (rule 116)."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

leak = typer.Typer(no_args_is_help=True, help="Leaks of customer data or secrets: told at once, and on record.")

CATEGORY = "data_leak"
"""The category under which a contract runs a leak."""


def mount(app: typer.Typer) -> None:
    app.add_typer(leak, name="leak")


@leak.command()
def report(
    contract: Annotated[str, typer.Argument(metavar="CONTRACT")],
    text: Annotated[str, typer.Option(metavar="TEXT|-", help="What got out, how, and what was done about it.")],
    by: Annotated[str, typer.Option(metavar="ROLE[/PERSON]", help="Who noticed it.")],
    known_since: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it was noticed, RFC 3339 with offset. Left out: now.")
    ] = None,
    reference: Annotated[str | None, typer.Option(help="Your own number of it; left out, one is made.")] = None,
    channel: Annotated[str, typer.Option(help="How it was noticed.")] = "internal_report",
) -> None:
    """Report a leak: its clock is due at once, and the other side and the manager get an urgent mail."""
    from datetime import UTC, datetime
    from uuid import uuid4

    from rules.commands import OpenComplaint
    from starter import fields

    now = datetime.now(UTC)
    role, _, person = by.partition("/")
    start = fields.made(
        OpenComplaint,
        "The report",
        {
            "contract": contract,
            "reference": reference or f"leak-{now:%Y%m%d}-{uuid4().hex[:6]}",
            "kind": "complaint",
            "category": CATEGORY,
            "channel": channel,
            "received_at": known_since or now.isoformat(),
            "received_how": "declared" if known_since else "stamped",
            "content": fields.read_text("-") if text == "-" else text,
            "by": {"role": role} | ({"person": person} if person else {}),
            "via": "cli",
        },
    )

    async def run() -> None:
        from starter.client import Ombud

        async with Ombud.connect() as ombud:
            opened = await ombud.open(start)
        print(f"{'reported' if opened.new else 'reported before'}: {opened.complaint}")
        print(f"Call the other side now, then: ombud tell {opened.complaint} contact role=… outcome=reached")

    asyncio.run(run())
