"""`ombud revive`: complaints that stand open in Postgres and run nowhere go on from their ledger (invariant 18)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from starter.client import Ombud


def mount(app: typer.Typer) -> None:
    app.command()(revive)


def revive(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which complaints run nowhere.")] = False,
) -> None:
    """Bring back complaints that Temporal lost: their clocks go on, missed steps are marked, nobody is told twice."""
    asyncio.run(_revive(dry_run=dry_run))


async def _revive(*, dry_run: bool) -> None:
    from rich.progress import track

    from starter.client import Ombud

    async with Ombud.connect() as ombud:
        lost = await _lost(ombud)
        for complaint in lost if dry_run else track(lost, description="reviving"):
            if not dry_run:
                await ombud.revive(complaint)
            print(complaint)
    print(f"{len(lost)} complaint{'' if len(lost) == 1 else 's'} {'run nowhere' if dry_run else 'brought back'}")


async def _lost(ombud: Ombud) -> list[str]:
    """Open complaints without a running workflow, asked one by one: Temporal's lists lag behind."""
    from storage import reading

    async with ombud.reading() as connection:
        open_ = [summary.id async for summary in reading.listing(connection, reading.Wanted())]
    limit = asyncio.Semaphore(20)

    async def runs(complaint: str) -> bool:
        async with limit:
            return await ombud.runs(complaint)

    running = await asyncio.gather(*(runs(complaint) for complaint in open_))
    return [complaint for complaint, there in zip(open_, running, strict=True) if not there]
