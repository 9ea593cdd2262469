"""`ombud supervise`: the lists of whoever supervises, from Postgres."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from storage.supervision import List, Listed

NAMES: tuple[List, ...] = (
    *("reported late", "corrected", "lowered", "withdrawn", "merged", "waived", "waited for us"),
    *("nobody on duty", "passed before registration"),
)


def mount(app: typer.Typer) -> None:
    app.command()(supervise)


def supervise(
    wanted: Annotated[str, typer.Argument(metavar="LIST", help=f"One of: {', '.join(NAMES)}.")],
    contract: Annotated[str | None, typer.Option(help="Only complaints under it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: JSON, times in UTC.")] = False,
) -> None:
    """List what needs a second look, the latest first."""
    import json
    from dataclasses import asdict

    from starter.cli_reading import local, table
    from starter.errors import Invalid
    from starter.postgres import postgres
    from storage.database import transaction
    from storage.supervision import supervised

    name = next((name for name in NAMES if name == wanted.replace("-", " ")), None)
    if name is None:
        raise Invalid(f"There is no list {wanted!r}; there are {', '.join(NAMES)}.")

    async def read() -> list[Listed]:
        async with postgres() as engine, transaction(engine) as connection:
            return await supervised(connection, name, contract)

    found = asyncio.run(read())
    if as_json:
        print(json.dumps([asdict(item) for item in found], default=str, indent=2, ensure_ascii=False))
        return
    rows = [
        (
            item.complaint,
            str(item.seq or ""),
            item.clock or "",
            local(item.at, "UTC"),
            local(item.recorded_at, "UTC"),
            item.by or "",
            "  ".join(f"{key}: {value}" for key, value in item.detail.items() if value is not None),
        )
        for item in found
    ]
    table(name, ("complaint", "entry", "clock", "occurred", "recorded", "by", ""), rows)
    print(f"{len(found)} on this list")
